# SPDX-License-Identifier: BSD-2-Clause
"""What the tests with the hostile client share: a daemon on a veth (netns.py has the drawing), a victim
of one uid that answers a load without a pause, a hostile client of another, and what must hold
whatever the hostile one does: the daemon lives, the victim loses nothing, and afterwards the daemon
holds what it held before."""
import contextlib
import glob
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))

from load import Ask, left_to_kernel  # noqa: E402
from netns import H4, P4, UID_A, UID_B, UID_C, Net  # noqa: E402
from rawnetd import BIN, PATIENCE, main, udp4, until  # noqa: E402

VICTIM, HOSTILE = UID_A, UID_B
GOOD, BAD = 7001, 7002  # UDP ports of the two
MATCH = "udp dport %d" % BAD
__all__ = ["BAD", "GOOD", "H4", "HOSTILE", "House", "MATCH", "P4", "PATIENCE", "UID_C", "VICTIM", "ip", "left_to_kernel", "main",
           "udp4", "until"]


def ip(text):
    return bytes(map(int, text.split(".")))


class Holdings:
    """What a daemon has of what can leak."""

    def __init__(self, net):
        pid = net.daemon.process.p.pid
        self.descriptors = os.listdir("/proc/%d/fd" % pid)
        with open("/proc/%d/maps" % pid) as f:
            self.maps = sum("memfd:rawnet-" in line for line in f)  # others are the device's
        status = net.ctl("status")
        self.counts = {k: status[k] for k in ("clients", "attachments", "rules", "memory")}

    def __le__(self, other):
        return len(self.descriptors) <= len(other.descriptors) and self.maps <= other.maps and \
            all(n <= other.counts[k] for k, n in self.counts.items())

    def __str__(self):
        return "%d descriptors, %d memfds mapped, %s" % (len(self.descriptors), self.maps, self.counts)


class Load(Ask):
    """Remembers the longest silence while answers were due, in seconds. Patient: a machine with other
    work is no loss."""

    def __init__(self, *args):
        super().__init__(*args, patience=PATIENCE)
        self.heard, self.silence = time.monotonic(), 0.0

    def read_all(self, s):
        super().read_all(s)
        t = time.monotonic()
        self.silence, self.heard = max(self.silence, t - self.heard), t

    def __str__(self):
        return "%s, longest silence %.3f s" % (super().__str__(), self.silence)


class House(Net):
    """with House() as h: h.act(...), as often as liked; the checks are made on the way out."""

    def __init__(self, loss=0, **kwargs):
        super().__init__(**kwargs)
        self.loss, self.floods = loss, []

    def __enter__(self):
        super().__enter__()
        self.pid = self.daemon.process.p.pid
        self.victim = self.client(VICTIM, "victim")
        self.victim.ask("mode", "echo")
        self.victim.add("udp dport %d" % GOOD)
        self.frame = udp4(self.pmac, self.hmac, ip(H4), ip(P4), BAD, 9999, b"hostile!" * 6)
        self.before = Holdings(self)
        self.load = Load(self.peer, H4, GOOD).start()
        self.load.moves()
        return self

    def ctl(self, *words):
        """What rawnetctl says, by JSON."""
        r = subprocess.run([os.path.join(BIN, "rawnetctl"), "-j", "-S", self.daemon.sock, *words],
                           stdout=subprocess.PIPE, check=True, text=True, timeout=60)
        return json.loads(r.stdout)

    def argv(self, act, *options, uid=HOSTILE, match=MATCH):
        return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                os.path.join(BIN, "hostile"), "-S", self.daemon.sock, "-f", self.frame.hex(),
                *(["-m", match] if match else []), *map(str, options), act]

    def act(self, act, *options, timeout=100, **kwargs):
        """Runs one act of the hostile client to its end; what it reports."""
        r = subprocess.run(self.argv(act, *options, **kwargs), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=timeout)
        assert r.returncode == 0, "%s: %d %s" % (act, r.returncode, r.stderr)
        return json.loads(r.stdout)

    @contextlib.contextmanager
    def acting(self, act, *options, **kwargs):
        """One act beside what the test does; killed in the end.."""
        p = subprocess.Popen(self.argv(act, *options, **kwargs), stdout=subprocess.PIPE, text=True)
        try:
            yield p
        finally:
            p.kill()
            p.wait()
            p.stdout.close()

    def prompt(self):
        """Seconds that an administrator waits for an answer."""
        began = time.monotonic()
        self.ctl("status")
        return time.monotonic() - began

    @contextlib.contextmanager
    def flood(self, port=BAD, **kwargs):
        """Datagrams to the hostile client, whether it answers or not."""
        ask = Ask(self.peer, H4, port, patience=0.05, **kwargs).start()
        try:
            yield ask
        finally:
            ask.stop().close()

    def faults(self):
        """Page faults of the threads that must have none."""
        found = {}
        for path in glob.glob("/proc/%d/task/*/stat" % self.pid):
            with open(path) as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            if name.startswith("rn-poller"):
                fields = rest.split()
                found[name] = int(fields[7]) + int(fields[9])
        return found

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.judge()
        except BaseException:
            print(self.daemon.text()[-4000:])
            super().__exit__(*sys.exc_info())
            raise
        return super().__exit__(kind, value, trace)

    def judge(self):
        self.load.moves()
        self.load.stop()
        print("        victim: %s" % self.load)
        assert self.daemon.process.p.poll() is None, "the daemon died"
        assert not self.load.wrong and not self.load.refused, str(self.load)
        assert self.load.lost <= self.loss, str(self.load)
        until("everything is given back: %s, not %s" % (self.before, Holdings(self)),
              lambda: Holdings(self) <= self.before)
