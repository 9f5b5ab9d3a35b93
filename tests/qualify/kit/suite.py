# SPDX-License-Identifier: BSD-2-Clause
"""The functional suite: the system tests of the tree, unchanged, on these ports. With two ports of this host these
stand in for the tests' own interfaces: each is moved into a network namespace, and back."""
import os
import subprocess
import time

from .say import FAILED, NOT_RUN, PASSED, Refused

TESTS = ("traffic_test", "groups_test", "models_test", "reload_test", "death_test")
SHORT = (("traffic_test", "test_unconfigured"),)


def environment(bench):
    env = dict(os.environ, RAWNET_BIN=bench.bin, RAWNET_BACKEND=bench.o.backend, RAWNET_SRC=bench.o.source)
    if not bench.model:
        env["RAWNET_NIC"] = "%s,%s" % (bench.near, bench.far)
    return env


def run(bench, results, short):
    if not bench.model and bench.layout != "ports":
        raise Refused("it needs two ports of this host, connected by a cable")
    for test, *names in SHORT if short else [(t,) for t in TESTS]:
        start = time.monotonic()
        p = subprocess.run([os.path.join(bench.o.source, "tests/system", test), *names], env=environment(bench),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                           stdin=subprocess.DEVNULL)
        lines = p.stdout.strip().split("\n")
        passed = sum(line.startswith("ok ") for line in lines)
        bad = [line.split()[1] for line in lines if line.startswith("FAILED ")]
        if p.returncode == 77:
            results.add("suite", test, NOT_RUN, lines[-1])
        elif p.returncode == 0:
            results.add("suite", test, PASSED, "%d tests in %.0f s" % (passed, time.monotonic() - start))
        else:
            results.add("suite", test, FAILED, "%s; %d tests passed" % (", ".join(bad) or lines[-1], passed),
                        output=lines[-60:])
