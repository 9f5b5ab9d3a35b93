# SPDX-License-Identifier: BSD-2-Clause
"""Traffic of kernel sockets, from the peer's side: questions to an echo, ping, a TCP transfer. Each
can run in the background and says in the end what became of every packet."""
import hashlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time

from netns import SO_RCVBUFFORCE
from rawnetd import PATIENCE, until

WINDOW = 32
LOST_AFTER = 1.0  # seconds of silence: what is under way is lost


class Ask:
    """Datagrams with a window under way, from `flows` sockets; answers must be the same bytes."""

    def __init__(self, ns, address, port, flows=1, size=64, pace=0.0, patience=LOST_AFTER):
        self.size, self.pace, self.patience = size, pace, patience
        self.sent = self.back = self.wrong = self.refused = self.lost = 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sockets = [ns.socket(family, socket.SOCK_DGRAM) for _ in range(flows)]
        for s in self.sockets:
            s.connect((address, port))
            s.setblocking(False)
            # A window of jumbo frames is more than the usual buffer takes.
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.waiting, self.thread, self.stopping = {}, None, False
        self.late = {}  # given up, and still welcome
        self.error = None

    def send_one(self):
        s = self.sockets[self.sent % len(self.sockets)]
        payload = self.sent.to_bytes(8, "big").ljust(self.size, b"r")
        try:
            s.send(payload)
        except ConnectionRefusedError:  # of one before: nothing was sent
            self.refused += 1
            return
        except BlockingIOError:
            return
        self.waiting[self.sent] = payload
        self.sent += 1

    def read_all(self, s):
        while True:
            try:
                got = s.recv(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                self.refused += 1
                continue
            n = int.from_bytes(got[:8], "big")
            if self.waiting.pop(n, None) == got:
                self.back += 1
            elif self.late.pop(n, None) == got:
                self.back += 1
                self.lost -= 1
            else:
                self.wrong += 1

    def run(self, count):
        """Until count are sent and answered or lost; returns itself."""
        heard = time.monotonic()
        until_sent = self.sent + count
        while self.sent < until_sent or self.waiting:
            while self.sent < until_sent and len(self.waiting) < WINDOW and not self.stopping:
                self.send_one()
                if self.pace:
                    time.sleep(self.pace)
            if self.stopping:
                until_sent = self.sent
            late = time.monotonic() - heard > self.patience  # before the look: who looks may be late himself
            ready = select.select(self.sockets, [], [], min(0.05, self.patience))[0]
            for s in ready:
                self.read_all(s)
                heard = time.monotonic()
            if not ready and late:
                self.lost += len(self.waiting)
                self.late.update(self.waiting)
                self.waiting.clear()
                heard = time.monotonic()
        return self

    def hear(self):
        """What came since run() ended."""
        for s in self.sockets:
            self.read_all(s)

    def start(self):
        self.thread = threading.Thread(target=self.forever, daemon=True)
        self.thread.start()
        return self

    def forever(self):
        try:
            self.run(1 << 40)
        except Exception as e:  # told by stop()
            self.error = e

    def stop(self):
        self.stopping = True
        self.thread.join()
        assert self.error is None, self.error
        return self

    def moves(self, n=100):
        """Waits until n more answers have come."""
        goal = self.back + n
        until("%d more answers (%s)" % (n, self), lambda: self.back >= goal)

    def close(self):
        for s in self.sockets:
            s.close()

    def __str__(self):
        return "%d sent, %d back, %d wrong, %d refused, %d lost" % (
            self.sent, self.back, self.wrong, self.refused, self.lost)


def ask(ns, address, port, count, **kwargs):
    a = Ask(ns, address, port, **kwargs)
    a.run(count)
    a.close()
    return a


def answered(ns, address, port, count, **kwargs):
    """Each, however long a busy machine takes."""
    a = ask(ns, address, port, count, patience=PATIENCE, **kwargs)
    assert a.back == a.sent == count and not a.wrong and not a.refused, str(a)


def left_to_kernel(ns, address, port, count=20):
    def refused():  # what comes later than the patience is not heard: then once more
        a = ask(ns, address, port, count, patience=0.5)
        assert not a.back and not a.wrong, str(a)
        return a.refused
    until("the kernel refuses what comes to port %d" % port, refused)


class Ping:
    """All the time; stop() says that each was answered, and at least one."""

    def __init__(self, ns, address, interval=0.05):
        self.out = tempfile.TemporaryFile("w+")
        self.p = subprocess.Popen(ns.argv("ping", "-i", interval, address), stdout=self.out,
                                  stderr=subprocess.STDOUT)

    def text(self):
        with open("/proc/self/fd/%d" % self.out.fileno()) as f:
            return f.read()

    def stop(self, may_lose=0):
        until("a ping is answered", lambda: " ttl=" in self.text() or self.p.poll() is not None)
        self.p.send_signal(signal.SIGINT)
        self.p.wait(PATIENCE)
        out = self.text()
        self.out.close()
        got = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", out)}
        assert got, out
        missing = set(range(1, max(got) + 1)) - got
        assert len(missing) <= may_lose, "pings %s were lost:\n%s" % (missing, out[-500:])
        return len(got)


class Tcp:
    """A transfer from one namespace to the other through the kernels, both ends checked."""

    CHUNK = bytes(range(256)) * 256

    def __init__(self, to, address, by, pause=0.002):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = to.socket(family, socket.SOCK_STREAM)
        with to.inside():
            listener.bind((address, 0))
            listener.listen()
        self.out = by.socket(family, socket.SOCK_STREAM)
        self.out.settimeout(PATIENCE)
        self.out.connect(listener.getsockname()[:2])
        self.inp = listener.accept()[0]
        self.inp.settimeout(PATIENCE)
        listener.close()
        self.pause, self.sent, self.got, self.stopping, self.error = pause, 0, 0, False, None
        self.sums = [hashlib.md5(), hashlib.md5()]
        self.threads = [threading.Thread(target=self.guard, args=(f,), daemon=True)
                        for f in (self.sender, self.receiver)]
        for t in self.threads:
            t.start()

    def guard(self, f):
        try:
            f()
        except OSError as e:
            self.error = e

    def sender(self):
        while not self.stopping:
            chunk = self.CHUNK[self.sent % 251:]
            self.out.sendall(chunk)
            self.sums[0].update(chunk)
            self.sent += len(chunk)
            time.sleep(self.pause)
        self.out.shutdown(socket.SHUT_WR)

    def receiver(self):
        while True:
            got = self.inp.recv(1 << 18)
            if not got:
                return
            self.sums[1].update(got)
            self.got += len(got)

    def moves(self, n=1 << 20):
        goal = self.got + n
        until("TCP goes on", lambda: self.got >= goal or self.error)
        assert not self.error, self.error

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        self.out.close()
        self.inp.close()
        assert not self.error, self.error
        assert self.sent == self.got and self.sums[0].digest() == self.sums[1].digest()
        return self.got
