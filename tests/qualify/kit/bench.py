# SPDX-License-Identifier: BSD-2-Clause
"""The bench: rawnetd on the ports, and the programs that send, receive and measure through it.

    loop    one port that gets back what it sends:   near = far
    ports   two ports of this host and a cable:      near ===== far
    hosts   one port, and one of another host where "scripts/qualify serve" sends everything back

On a model the ports are those of a software ConnectX in a network namespace of its own."""
import contextlib
import ctypes
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import tempfile

from .say import Refused, run, until

PATIENCE = 60  # seconds, for what takes a moment
NEAR, FAR = "198.18.0.1", "198.19.0.1"  # RFC 2544, section C.2.2
NEAR6, FAR6 = "2001:2::1", "2001:2::2"  # RFC 5180
PORT = 10000

CONF = """daemon: { sockets = ( { path = "%(sock)s"; mode = 0666; } ); %(daemon)s };
pollers = ( %(pollers)s );
ports = ( %(ports)s );
policy = ( { user = "nobody"; allow = ( "udp", "ethertype ipv6 udp" ); rules = 64; memory = "1G"; } );
"""


class Process:
    """In the background, with its output in a file."""

    def __init__(self, log, argv, cores=()):
        self.log, self.name = log, os.path.basename(argv[0])
        with open(log, "w", encoding="utf-8") as out:
            self.p = subprocess.Popen(pinned(cores) + list(map(str, argv)), stdout=out, stderr=subprocess.STDOUT,
                                      stdin=subprocess.DEVNULL)

    def text(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def last(self):
        return (self.text().strip() or "it said nothing").split("\n")[-1]

    def says(self, words, seconds=PATIENCE):
        until(seconds, lambda: words in self.text() or self.p.poll() is not None)
        if words not in self.text():
            raise Refused("%s: %s" % (self.name, self.last()))

    def end(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        try:
            return self.p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            raise AssertionError("%s does not end" % self.name) from None


def pinned(cores):
    return ["taskset", "-c", ",".join(map(str, cores))] if cores else []


class Bench:
    def __init__(self, o):
        self.o, self.layout, self.bin = o, o.layout, o.bin
        self.model = o.model
        self.near = o.ports[0]
        self.far = None if o.layout == "hosts" else o.ports[-1]
        self.daemon = None
        self.stack = contextlib.ExitStack()
        self.dir = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="rawnet-qualify."))
        os.chmod(self.dir, 0o755)
        self.sock = self.path("sock")
        self.inside, self.room, self.devices = [], None, {}

    def path(self, name):
        return os.path.join(self.dir, name)

    def program(self, name):
        return os.path.join(self.bin, name)

    # ---- ports ----

    def __enter__(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # a thousand attachments
        try:
            if self.model:
                self.make_model()
            else:
                for dev in self.o.ports:
                    self.devices[dev] = rdma_device(dev)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *why):
        if self.daemon:
            with contextlib.suppress(AssertionError):
                self.stop()
        self.stack.close()

    def make_model(self):
        ns = "rnq%d" % os.getpid()
        run("ip", "netns", "add", ns)
        self.stack.callback(run, "ip", "netns", "del", ns, check=False)
        self.inside = [shutil.which("ip"), "netns", "exec", ns]
        self.room = self.path("room")
        ends = self.o.ports if self.far else self.o.ports + ["peer0"]
        wire = ["--loop", ends[0]] if len(ends) == 1 else ["--cable", ",".join(ends)]
        run(*self.inside, self.program("cx-wired"), "--socket", self.room, "--daemon", "--until", os.getpid(),
            *[w for e in ends for w in ("--end", e)], *wire)
        self.stack.callback(run, *self.inside, self.program("cx-wirectl"), "--socket", self.room, "stop", check=False)
        for i, end in enumerate(ends):
            run("ip", "-n", ns, "link", "set", end, "up")
            self.devices[end] = "mlx5_%d" % i

    def on_device(self, ports, *options):
        """What stands in front of a program that drives the ports."""
        if not self.model:
            return []
        return self.inside + [self.program("cx-run"), *options,
                              *[w for p in ports for w in ("--device", "wire=%s:%s" % (self.room, p))], "--"]

    def mac(self, dev):
        return run(*self.inside, "cat", "/sys/class/net/%s/address" % dev).strip()

    def mtu(self):
        return int(run(*self.inside, "cat", "/sys/class/net/%s/mtu" % self.near))

    def packet_socket(self, dev, ethertype):
        """A socket of the kernel on a port: in its namespace, without leaving a thread there."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        if self.inside:
            there = os.open("/run/netns/" + self.inside[-1], os.O_RDONLY)
            setns(there)
            os.close(there)
        try:
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
            s.bind((dev, ethertype))
        finally:
            setns(home)
            os.close(home)
        return s

    # ---- the daemon ----

    def start(self, pollers=1):
        """pollers: how many cores are burnt; on a model they sleep when there is nothing to do."""
        chosen = self.o.cores[:pollers] or [None] * pollers
        self.start_on(self.ports(), chosen)

    def ports(self):
        return [self.near] if self.far in (None, self.near) else [self.near, self.far]

    def start_on(self, ports, chosen):
        assert self.daemon is None
        words = [('{ cpu = %d; mode = "busy"; }' % c) if c is not None else '{ mode = "adaptive"; }' for c in chosen]
        use = ", ".join(map(str, range(len(chosen))))
        with open(self.path("conf"), "w", encoding="utf-8") as f:
            f.write(CONF % {
                "sock": self.sock, "pollers": ", ".join(words),
                "daemon": "sandbox = false;" if self.model else "", "ports": ", ".join(
                    '{ dev = "%s"; backend = "%s"; pollers = [ %s ]; }' % (d, self.o.backend, use) for d in ports)})
        self.daemon = Process(self.path("rawnetd.log"), self.on_device(ports, "--leaks") + [
            self.program("rawnetd"), "-c", self.path("conf")])
        until(PATIENCE, lambda: self.listens() or self.daemon.p.poll() is not None)
        if self.daemon.p.poll() is not None:
            why, self.daemon = self.daemon.last(), None
            raise Refused("rawnetd does not start: " + why)

    def listens(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with s, contextlib.suppress(OSError):
            s.connect(self.sock)
            return True
        return False

    def stop(self):
        daemon, self.daemon = self.daemon, None
        rc = daemon.end()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.sock)
        assert rc == 0, "rawnetd ended with %d: %s" % (rc, daemon.last())

    @contextlib.contextmanager
    def serving(self, pollers=1):
        self.start(pollers)
        try:
            yield
        except BaseException:
            with contextlib.suppress(AssertionError):
                self.stop()
            raise
        self.stop()

    # ---- programs ----

    def words(self, *argv, user=None):
        program = [self.program(argv[0]), "-S", self.sock, *argv[1:]]
        if user:
            gid = pwd.getpwnam(user).pw_gid
            program = ["setpriv", "--reuid", user, "--regid", str(gid), "--clear-groups", *program]
        return list(map(str, program))

    def ask(self, *argv, user=None, cores=()):
        """What a program says in JSON; also if it says it and fails, as rawnet-latency does without answers."""
        p = Process(self.path("ask.log"), self.words(argv[0], "-j", *argv[1:], user=user), cores)
        p.p.wait()
        for line in p.text().split("\n"):
            if line.startswith("{"):
                return json.loads(line)
        raise Refused(p.last())

    def background(self, name, *argv, cores=()):
        p = Process(self.path(name + ".log"), self.words(*argv), cores)
        self.stack.callback(p.end, signal.SIGKILL)
        return p

    def stream(self, number=0, six=False):
        """The keys of a stream from near to far, or there and back; each number has ports of its own."""
        there = ["dmac", self.o.peer] if not self.far else ["to", self.far]
        addresses = ["src", NEAR6, "dst", FAR6] if six else ["src", NEAR, "dst", FAR]
        return addresses + ["sport", PORT + number, "dport", PORT] + there

    def crowd(self, count, first=PORT):
        """So many attachments, idle or receiving: at the far port, where there is one."""
        p = self.background("crowd", "qualify-crowd", self.far or self.near, FAR if self.far else NEAR, first, count,
                            cores=self.o.client_cores[:1])
        p.says("ready", 600)
        return p

    def crowd_packets(self, what="rx_packets"):
        got = self.ask("rawnetctl", "counters", "client", "crowd")
        return sum(a["counters"].get(what, 0) for a in got["attachments"])


def rdma_device(dev):
    base = "/sys/class/net/%s/device/infiniband" % dev
    return os.listdir(base)[0] if os.path.isdir(base) and os.listdir(base) else None


def setns(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")
