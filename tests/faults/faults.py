# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of failing calls share: the file through which rawnetd-faults (points.c) tells which places
in its code call what, and is told which call fails; the daemon on a veth (netns.py has the drawing); and
what must hold after each failure: the daemon serves, and holds what it held before.

A place fails at its first turn and at its last; with ALL=1 at each turn that a scenario reaches."""
import contextlib
import json
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))

import rawnetd  # noqa: E402

rawnetd.PATIENCE = 60  # a daemon under a sanitizer, beside another one

from netns import BACKEND, Client, NetDaemon, Net, Refused, P4, H4, UID_A, UID_B, skip  # noqa: E402
from rawnetd import BIN, PATIENCE, Process, main, udp4, until  # noqa: E402

ALL = os.environ.get("ALL") == "1"
ONLY = os.environ.get("ONLY")  # a regular expression of failures, as list() words them: only such
PROGRAM = os.path.join(BIN, "rawnetd-faults")
SRC = os.path.realpath(os.environ.get("RAWNET_SRC", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")))
HEAD, CALLBACKS, SITE, SITES = struct.Struct("=QII"), struct.Struct("=Q"), struct.Struct("=QII48s"), 1024
TABLE = HEAD.size + CALLBACKS.size
TURNS = 1  # of a place, besides its last
# A poller that waits for its core is no fault; one that runs all the time is.
FAULT = re.compile("Sanitizer|runtime error|makes no progress; .* for ([5-9][0-9]{2}|[0-9]{4,}) ms|Assertion")
__all__ = ["ALL", "BACKEND", "BIN", "Client", "Faults", "H4", "Host", "Holdings", "NetDaemon", "Net", "P4", "PATIENCE",
           "PROGRAM", "Points", "Process", "Refused", "Resident", "UID_A", "UID_B", "FAULT", "baseline", "main", "ours",
           "returns_to", "size", "skip", "udp4", "until"]


def ours(text):
    """What a sanitizer, the watchdog or an assertion said."""
    m = FAULT.search(text)
    return text[max(0, m.start() - 200):m.start() + 3000] if m else None


def in_tree(line):
    """FILE:LINE from the top of the tree, in whichever copy of the tree a compiler cache found the object."""
    path, _, number = line.partition(":")
    parts = os.path.normpath(path).split("/")
    tails = ("/".join(parts[i:]) for i in range(1, len(parts)))
    return next((t for t in tails if os.path.exists(os.path.join(SRC, t))), parts[-1]) + ":" + number


class Points:
    """One file of points.h, for a program."""

    def __init__(self, program=PROGRAM):
        self.program = program
        self.file = tempfile.NamedTemporaryFile(prefix="rawnet-faults.")
        self.file.truncate(TABLE + SITE.size * SITES)
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.lines = {}

    def env(self):
        """A sanitizer says at the end what leaked, also of a program that cx-run runs."""
        return dict(os.environ, RAWNET_FAULTS=self.file.name, ASAN_OPTIONS="detect_leaks=1:verify_asan_link_order=0")

    def sites(self):
        """{site: (call, turns)} of all that was reached since clear()."""
        found = {}
        for i in range(SITES):
            at, hits, _, name = SITE.unpack_from(self.map, TABLE + i * SITE.size)
            if at and hits:
                found[at] = (name.rstrip(b"\0").decode(), hits)
        return found

    def clear(self):
        for i in range(SITES):
            struct.pack_into("=I", self.map, TABLE + i * SITE.size + 8, 0)

    def arm(self, site, turn):
        HEAD.pack_into(self.map, 0, 0, turn, 0)
        HEAD.pack_into(self.map, 0, site, turn, 0)

    def disarm(self):
        """Whether it failed."""
        fired = HEAD.unpack_from(self.map, 0)[2]
        HEAD.pack_into(self.map, 0, 0, 0, 0)
        return fired != 0

    def callbacks(self):
        """How many wait for a grace period."""
        return CALLBACKS.unpack_from(self.map, HEAD.size)[0]

    def where(self, site):
        """File and line."""
        if site not in self.lines:
            out = subprocess.run(["addr2line", "-f", "-e", self.program, hex(site - 1)], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.split("\n")
            self.lines[site] = "%s %s()" % (in_tree(out[1].split(" ")[0]), out[0])
        return self.lines[site]

    def list(self, sites):
        """(site, turn, words) for each failure that is due, in the order of the code's files."""
        due = []
        for at, (call, hits) in sites.items():
            turns = range(1, hits + 1) if ALL else sorted({*range(1, min(hits, TURNS) + 1), min(hits, 40)})
            where = self.where(at)
            due += [(at, turn, "%s in %s, turn %d of %d" % (call, where, turn, hits)) for turn in turns]
        due = [d for d in due if not ONLY or re.search(ONLY, d[2])]
        return sorted(due, key=lambda d: (d[2].split(" in ")[1], d[2]))


class Faults(NetDaemon):
    """rawnetd-faults on the host's side of the veth, or over its software device."""

    def __init__(self, h, points, *args, **kwargs):
        self.h, self.points = h, points
        # The software device lives in the daemon's process and needs more than a sandbox gives.
        super().__init__(h.host, *args, under=h.under, daemon="sandbox = false;" if h.under else "", **kwargs)

    def start(self, wait=True):
        self.process = Process(self.path("rawnetd.log"), *self.ns.argv(*self.under, PROGRAM, "-c", self.path("conf")),
                               env=self.points.env())
        if wait:
            self.wait()

    def wait(self):
        """True: it listens; False: it has ended."""
        until("rawnetd listens or ends\n" + self.text(),
              lambda: self.process.p.poll() is not None or self.answers())
        return self.process.p.poll() is None


def size(line):
    """Bytes of a line of /proc/PID/maps."""
    start, end = line.split(" ")[0].split("-")
    return int(end, 16) - int(start, 16)


class Holdings:
    """What a daemon has of what can leak."""

    def __init__(self, daemon):
        pid = daemon.process.p.pid
        self.fds = []
        for fd in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                self.fds.append(re.sub("[0-9]+", "N", os.readlink("/proc/%d/fd/%s" % (pid, fd))))
        self.fds.sort()
        self.kept = []  # by a service manager
        with open("/proc/%d/maps" % pid) as f:
            # In KiB: the kernel makes one mapping of two that follow each other.
            self.mapped = sum(size(line) for line in f if re.search("memfd:|anon_inode|socket:", line)) // 1024
        with open("/proc/%d/status" % pid) as f:
            self.locked = next(line.split()[1] for line in f if line.startswith("VmLck:"))
        self.callbacks = daemon.points.callbacks()
        self.objects = daemon.h.objects() if daemon.h.under else {}  # of the device
        r = subprocess.run([os.path.join(BIN, "rawnetctl"), "-j", "-S", daemon.sock, "status"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        try:
            status = json.loads(r.stdout)
            self.counts = {k: status[k] for k in ("clients", "attachments", "rules", "memory")}
        except ValueError:
            self.counts = r.stdout

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __str__(self):
        return "%d descriptors, %d KiB mapped, %s KiB locked, %d callbacks, %s, %s" % (
            len(self.fds), self.mapped, self.locked, self.callbacks, self.counts, self.objects)

    def differs(self, other):
        mine, its = Counter(self.fds + self.kept), Counter(other.fds + other.kept)
        return "%s, not %s; %s, not %s" % (self, other, dict(mine - its), dict(its - mine))


def baseline(holds):
    """What a daemon has at rest: all callbacks have run, and it is the same for a while."""
    seen = []

    def rests():
        time.sleep(0.2)
        seen.append(holds())
        return len(seen) >= 5 and not seen[-1].callbacks and all(h == seen[-1] for h in seen[-5:])
    until("it is at rest", rests)
    return seen[-1]


def returns_to(before, holds):
    """It holds again what it held before."""
    try:
        until("", lambda: holds() == before)
    except AssertionError:
        raise AssertionError("not all is as it was: " + holds().differs(before)) from None


class Host(Net):
    """A veth, or a software device, whose end v0 may have a rawnetd."""

    def __init__(self):
        super().__init__(daemon=False)
        self.points = Points()

    def frame(self, port, payload):
        return udp4(self.hmac, self.pmac, bytes(map(int, P4.split("."))), bytes(map(int, H4.split("."))), 5000, port,
                    payload)


class Resident:
    """A client of another user, whose datagrams must be answered whatever fails."""
    PORT = 7005

    def __init__(self, daemon, h, asks=True):
        self.c = Client(daemon, UID_B, "resident").attach()
        self.c.add("udp dport %d" % self.PORT)
        self.c.ask("mode", "echo")
        self.asker = h.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) if asks else None

    def answers(self):
        """One datagram is enough: a wake-up that was lost would be made up for by the next."""
        if not self.asker:
            return self.c.counters() is not None
        self.asker.settimeout(PATIENCE)
        self.asker.sendto(b"hello", (H4, self.PORT))
        try:
            while self.asker.recvfrom(100)[1][1] != self.PORT:
                pass
            return True
        except socket.timeout:
            return False

    def end(self):
        self.c.end()
        if self.asker:
            self.asker.close()


class House:
    """A daemon `d` with a resident."""

    def text(self):
        return self.d.text()

    def stop(self):
        self.resident.end()
        rc = self.d.process.end()
        assert rc == 0 and not ours(self.text()), "ended with %d:\n%s" % (rc, ours(self.text()) or self.text())

    def leave(self):
        """Something went wrong in it."""
        self.d.process.end(signal.SIGKILL)
        self.resident.end()


def each(house, due, one, new):
    """one() for each failure that is due; after one that went wrong, whatever it was, in a house of new()."""
    wrong, fired = [], 0
    for site, turn, words in due:
        try:
            fired += one(house, site, turn)
        except Exception as e:
            house.h.points.disarm()
            wrong.append(words)
            print("%s:\n    %s: %s\n    %s" % (words, type(e).__name__, str(e)[:2000],
                                               house.text()[-2000:].replace("\n", "\n    ")), flush=True)
            house.leave()
            house = new()
    house.stop()
    print("        %d failures, %d of them happened" % (len(due), fired))
    assert not wrong, "%d of %d: %s" % (len(wrong), len(due), "; ".join(wrong))
    assert fired > len(due) / 2
