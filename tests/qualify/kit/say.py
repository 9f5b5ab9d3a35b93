# SPDX-License-Identifier: BSD-2-Clause
"""Refusals, commands, and the results of checks as they come."""
import subprocess
import sys
import time


class Refused(Exception):
    """The run cannot be done, or a check cannot: a sentence that says what is needed."""


def run(*argv, check=True, timeout=120, **kwargs):
    """A command's standard output. Refused with what it said if it fails."""
    argv = [str(a) for a in argv]
    try:
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                           stdin=subprocess.DEVNULL, **kwargs)
    except FileNotFoundError:
        raise Refused("%s is not installed" % argv[0]) from None
    except subprocess.TimeoutExpired:
        raise Refused("%s: no end after %d s" % (" ".join(argv), timeout)) from None
    if check and p.returncode:
        raise Refused("%s: %s" % (" ".join(argv), (p.stderr or p.stdout).strip().split("\n")[-1]))
    return p.stdout


def until(seconds, condition):
    """Waits for the condition and returns its value, or what it was last."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


# What a check can come to. A figure is neither good nor bad.
PASSED, FAILED, NOT_RUN, ANSWERED, DIFFERS, FIGURE = "passed", "FAILED", "not run", "answered", "DIFFERS", "figure"
BAD = (FAILED, DIFFERS)


class Results:
    """In the order in which they came, printed as they come."""

    def __init__(self):
        self.all = []

    def add(self, part, name, verdict, text, **more):
        self.all.append({"part": part, "name": name, "verdict": verdict, "text": text, **more})
        print("  %-8s  %-18s %s" % (verdict, name, text), flush=True)

    def check(self, part, name, function):
        """Runs it: its sentence, or why it failed or could not be run."""
        try:
            self.add(part, name, PASSED, function())
        except AssertionError as e:
            self.add(part, name, FAILED, str(e))
        except Refused as e:
            self.add(part, name, NOT_RUN, str(e))

    def of(self, part):
        return [r for r in self.all if r["part"] == part]

    def count(self, *verdicts):
        return sum(r["verdict"] in verdicts for r in self.all)


def heading(text):
    print("\n" + text, flush=True)


def note(text):
    print("            " + text, file=sys.stderr, flush=True)
