# SPDX-License-Identifier: BSD-2-Clause
"""What documentation leaves open about a ConnectX: asked by qualify-device, without rawnetd."""
import json
import subprocess

from .say import ANSWERED, DIFFERS, NOT_RUN, PASSED, Refused


def argv(bench, short):
    ports = bench.ports()
    words = [w for p in ports for w in (bench.devices[p], p, bench.mac(p))]
    options = ["-n", "200"] if short else ["-n", "2000", "-f"]
    # Some questions break rules on purpose: the model only counts them.
    return bench.on_device(ports, "--referee", "count") + [bench.program("qualify-device"), *options, *words]


def verdict(answer):
    if not answer["asked"]:
        return NOT_RUN
    if "assumed" not in answer:
        return ANSWERED
    return PASSED if answer["as_assumed"] else DIFFERS


def run(bench, results, short):
    """The device's own facts; its answers are in the results."""
    if not bench.far:
        raise Refused("what a port sends has to come back to this host: one looped port, or two")
    if bench.o.backend != "mlx5":
        raise Refused("they are about a ConnectX: backend mlx5")
    with subprocess.Popen(argv(bench, short), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL) as p:
        devices = []
        for line in p.stdout:
            answer = json.loads(line)
            if "device" in answer:
                devices.append(answer)
                continue
            text = answer["answer"]
            if verdict(answer) == DIFFERS:
                text += " (assumed: %s)" % answer["assumed"]
            results.add("questions", answer["name"], verdict(answer), text, question=answer["question"],
                        assumed=answer.get("assumed"))
        error = p.stderr.read().strip()
    if p.returncode:
        raise Refused(error or "qualify-device ended with %d" % p.returncode)
    return devices
