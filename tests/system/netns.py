# SPDX-License-Identifier: BSD-2-Clause
"""What the tests on a veth share.

        namespace "peer"                   namespace "host"
   the kernel, raw sockets   v1 === v0   rawnetd        the kernel: ping, TCP, what no rule takes
   10.77.0.2, fd77::2                    10.77.0.1, fd77::1
                                            |
                                      system-client, any uid
"""
import contextlib
import ctypes
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile

from rawnetd import BIN, PATIENCE, Daemon, Process, until

# The backend under test. xdp is on v0 itself; verbs and mlx5 have a software ConnectX, whose kernel
# side is v0 and whose cable ends on v1 (tests/model).
BACKEND = os.environ.get("RAWNET_BACKEND", "xdp")
# "A,B": two ports of this host, connected by a cable, which are v0 and v1 for as long as a test runs
# (scripts/qualify). Nobody else uses them.
NIC = os.environ.get("RAWNET_NIC")
CX_DEVICE = os.environ.get("RAWNET_CX", "personality=cx5")
CX_FLAGS = os.environ.get("RAWNET_CX_FLAGS", "").split()  # of cx-run

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
H4, P4, H6, P6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
UID_A, UID_B, UID_C = 54321, 54322, 54323  # no accounts are needed
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
HOST_NS = os.open("/proc/self/ns/net", os.O_RDONLY)


def skip(reason):
    print("SKIP: " + reason)
    raise SystemExit(77)


def need(*programs):
    if os.getuid() != 0:
        skip("namespaces and BPF need root")
    for p in programs + ("ip", "setpriv"):
        if not shutil.which(p):
            skip(p + " is not installed")


def setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    numbers = itertools.count(1)  # of all threads

    def __init__(self, name):
        self.name = "rnt%d-%d-%s" % (os.getpid(), next(self.numbers), name)
        if subprocess.run(["ip", "netns", "add", self.name]).returncode:
            skip("no network namespaces here")
        self.fd = os.open("/run/netns/" + self.name, os.O_RDONLY)
        with self.inside():
            # Addresses work at once, and nothing but the tests' own packets is on the wire.
            for key in ("accept_dad", "accept_ra", "router_solicitations"):
                for dev in ("default", "all"):
                    self.sysctl("ipv6/conf/%s/%s" % (dev, key), 0)
            # Port unreachable is counted: none may be withheld.
            self.sysctl("ipv4/icmp_ratemask", 0)
            self.sysctl("ipv4/icmp_msgs_per_sec", 1000000)
            self.sysctl("ipv4/icmp_msgs_burst", 1000000)
            self.sysctl("ipv6/icmp/ratelimit", 0)
        self.ip("link", "set", "lo", "up")

    def sysctl(self, key, value):
        """Only inside()."""
        with contextlib.suppress(FileNotFoundError):
            with open("/proc/sys/net/" + key, "w") as f:
                f.write(str(value))

    @contextlib.contextmanager
    def inside(self):
        """This thread is in the namespace; sockets made there stay in it."""
        setns(self.fd)
        try:
            yield
        finally:
            setns(HOST_NS)

    def argv(self, *argv):
        return [shutil.which("ip"), "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, check=True):
        r = subprocess.run(self.argv(*argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=60)
        assert not check or r.returncode == 0, "%s: %s" % (argv, r.stdout)
        return r.stdout

    def ip(self, *argv, check=True):
        r = subprocess.run(["ip", "-n", self.name, *map(str, argv)], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=60)
        assert not check or r.returncode == 0, "ip %s: %s" % (argv, r.stdout)
        return r.stdout

    def socket(self, *args):
        with self.inside():
            return socket.socket(*args)

    def packet(self, dev, ethertype=0x0003):
        s = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
        s.bind((dev, ethertype))
        s.settimeout(PATIENCE)
        # What comes while this program waits for a core is kept.
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
        return s

    def reaches(self, address):
        """By the kernels, which may need a moment after a link came up."""
        until("%s answers a ping" % address,
              lambda: " 0% packet loss" in self.run("ping", "-c1", "-W2", address, check=False))

    def counts(self):
        """The kernel's own: what reached it and had no socket, what it answered that with."""
        with self.inside():
            with open("/proc/thread-self/net/snmp") as f:
                lines = f.read().split("\n")
            with open("/proc/thread-self/net/snmp6") as f:
                six = dict(line.split() for line in f)
        four = {}
        for names, values in zip(lines[::2], lines[1::2]):
            proto = names.split()[0]
            for n, v in zip(names.split()[1:], values.split()[1:]):
                four[proto + n] = int(v)
        return {"no_port": four["Udp:NoPorts"] + int(six["Udp6NoPorts"]),
                "unreachable": four["Icmp:OutDestUnreachs"] + int(six["Icmp6OutDestUnreachs"]),
                "resets": four["Tcp:OutRsts"],
                "csum": four["Udp:InCsumErrors"] + four["Tcp:InCsumErrors"] +
                int(six["Udp6InErrors"]) + four["Ip:InHdrErrors"]}

    def mac(self, dev):
        return bytes.fromhex(re.search("link/ether ([0-9a-f:]+)", self.ip("link", "show", dev))
                             .group(1).replace(":", ""))

    def xdp(self, dev):
        return "xdp" in self.ip("-d", "link", "show", dev)

    def close(self):
        os.close(self.fd)
        subprocess.run(["ip", "netns", "del", self.name])


def stacks(pid):
    """Of the threads of a process."""
    if shutil.which("gdb"):
        return subprocess.run(["gdb", "-batch", "-p", str(pid), "-ex", "thread apply all bt"], timeout=60, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    at = "/proc/%d/task" % pid
    return "\n".join(open(os.path.join(at, t, "comm")).read() + open(os.path.join(at, t, "wchan")).read()
                     for t in os.listdir(at))


class Refused(Exception):
    """A request that was refused: .errno is its name, .text the sentence."""

    def __init__(self, line):
        self.errno, _, self.text = line.partition(" ")
        super().__init__(line)


class Client:
    """system-client of an unprivileged user; see tests/system/client."""
    silence = 100  # seconds that it may take for an answer
    said = b""  # and not yet read

    def __init__(self, daemon, uid, label, sock=None):
        self.p = subprocess.Popen(
            ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
             os.path.join(BIN, "system-client"), "-S", sock or daemon.sock, "-l", label],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.id = int(self.answer())

    def line(self):
        """What it says next. A client that stands still is looked at: where is it?"""
        fd = self.p.stdout.fileno()
        while b"\n" not in self.said:
            if not select.select([fd], [], [], self.silence)[0]:
                raise AssertionError("the client stands still\n" + stacks(self.p.pid))
            more = os.read(fd, 65536)
            if not more:
                break
            self.said += more
        line, _, self.said = self.said.partition(b"\n")
        return line.decode()

    def answer(self):
        line = self.line()
        assert line, "the client died"
        if line.startswith("err "):
            raise Refused(line[4:])
        return line[3:]

    def tell(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def json(self, *words):
        return json.loads(self.ask(*words))

    def attach(self, dev="v0", *words):
        self.at, self.queues, self.mtu = map(int, self.ask("attach", dev, *words).split())
        return self

    def add(self, match, *words):
        return int(self.ask("add", *words, "match", match))

    def counters(self):
        return self.json("counters")

    def send(self, frame, times=1, flags=0, tci=0, l2=14, l3=0, l4=0, mss=0, seg=0, queue=0):
        self.ask("send", queue, times, flags, tci, l2, l3, l4, mss, seg, frame.hex())

    def frames(self):
        """Received so far: (flags, tci, rule, bytes)."""
        return [(f, t, r, bytes.fromhex(h)) for f, t, r, h in self.json("frames")]

    def refused(self, errno, *words):
        """This request must be refused so; returns the sentence."""
        try:
            got = self.ask(*words)
        except Refused as r:
            assert r.errno == errno, "%s: %s, not %s" % (words, r, errno)
            return r.text
        raise AssertionError("%s was not refused: %s" % (words, got))

    def end(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        self.p.wait(PATIENCE)
        self.p.stdin.close()
        self.p.stdout.close()


class NetDaemon(Daemon):
    """rawnetd in a namespace."""
    prefix = "rawnet-net."

    def __init__(self, ns, *args, under=(), **kwargs):
        self.ns, self.under = ns, under
        super().__init__(*args, **kwargs)

    def start(self, wait=True):
        self.process = Process(self.path("rawnetd.log"), *self.ns.argv(
            *self.under, os.path.join(BIN, "rawnetd"), "-c", self.path("conf")))
        if wait:
            until("rawnetd listens", lambda: self.answers() or self.process.p.poll() is not None)
            assert self.process.p.poll() is None, self.process.text()

    def stop(self, sig=signal.SIGTERM):
        """What it leaves behind stays: the next start has to cope with it."""
        return self.process.end(sig)

    def client(self, uid, label, sock=None):
        c = Client(self, uid, label, sock)
        self.others.append(c)
        return c

    def text(self):
        return self.process.text()


POLICY = "policy = ( %s );" % ", ".join(
    '{ user = "%d"; rules = 200000; memory = "512M"; }' % u for u in (UID_A, UID_B, UID_C))


class Net:
    """The picture above. port, more: words of rawnetd.conf; queues: of v0 and v1."""

    def __init__(self, port="", more=POLICY, pollers=1, queues=1, mtu=1500, daemon=True,
                 sockets="", protect=None):
        need()
        self.stack = contextlib.ExitStack()
        try:
            self.host, self.peer = Namespace("h"), Namespace("p")
            self.stack.callback(self.peer.close)
            self.stack.callback(self.host.close)
            self.queues, self.mtu, self.under = queues, mtu, ()
            if NIC:
                self.take_ports(*NIC.split(","))
            elif BACKEND == "xdp":
                self.make_veth("v0")
            else:
                self.make_device()
            self.make_link()
            if daemon:
                self.daemon = self.stack.enter_context(NetDaemon(
                    self.host, '{ dev = "v0"; backend = "%s"; pollers = [ %s ]; %s }' % (
                        BACKEND, ", ".join(map(str, range(pollers))), port), more,
                    pollers=", ".join(['{ mode = "adaptive"; }'] * pollers), under=self.under,
                    # The software device lives in the daemon's process and needs more than that.
                    daemon="" if BACKEND == "xdp" or NIC else "sandbox = false;"))
                self.admin = self.daemon.client(0, "admin")
        except BaseException:
            self.stack.close()
            raise

    def make_veth(self, dev):
        q = ("numrxqueues", self.queues, "numtxqueues", self.queues)
        self.host.ip("link", "add", dev, "mtu", self.mtu, *q, "type", "veth", "peer", "name", "v1",
                     "netns", self.peer.name, "mtu", self.mtu, *q)

    def take_ports(self, near, far):
        """Real ports, moved here and back. An RDMA device stays where it is, and serves its port there:
        rdma-system(8), shared mode."""
        for ns, dev, name in (self.host, near, "v0"), (self.peer, far, "v1"):
            if subprocess.run(["ip", "link", "set", dev, "netns", ns.name, "name", name]).returncode:
                raise RuntimeError("%s cannot be moved into a namespace" % dev)
            self.stack.callback(ns.ip, "link", "set", name, "netns", os.getpid(), "name", dev)
            self.stack.callback(ns.ip, "link", "set", name, "down")
            ns.ip("link", "set", name, "mtu", self.mtu)

    def make_device(self):
        """A software ConnectX: v0 is the kernel's side of its port, v1 the other end of its cable,
        as if a switch without an address were between them."""
        self.dir = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="rawnet-cx."))
        self.make_veth("cable")
        # What comes by the cable is the device's alone: a bridge that is down keeps the kernel away.
        self.host.ip("link", "add", "nowhere", "type", "bridge")
        self.host.ip("link", "set", "cable", "master", "nowhere")
        self.host.ip("link", "set", "cable", "up")
        self.peer.ip("link", "set", "v1", "up")
        room = os.path.join(self.dir, "room")
        self.host.run(os.path.join(BIN, "cx-wired"), "--socket", room, "--daemon", "--until",
                      os.getpid(), "--end", "v0,mtu=%d" % self.mtu, "--iface", "v0,cable")
        self.stack.callback(self.host.run, os.path.join(BIN, "cx-wirectl"), "--socket", room, "stop",
                            check=False)
        self.under = (os.path.join(BIN, "cx-run"), *CX_FLAGS, "--leaks", "--control",
                      os.path.join(self.dir, "control"), "--device",
                      "wire=%s:v0,mtu=%d,%s" % (room, self.mtu, CX_DEVICE), "--")

    def cx(self, *words):
        """A command to the software device: what it answers (tests/model/commands.c)."""
        return self.host.run(os.path.join(BIN, "cx-ctl"), os.path.join(self.dir, "control"), *words)

    def objects(self):
        """How many of each kind the software device has."""
        return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2])
                for line in self.cx("objects").splitlines()}

    def device_queues(self):
        """Numbers of the device's queues, by kind: sq, rq, cq; of an sq or rq that of its cq too."""
        got = {"sq": {}, "rq": {}, "cq": {}}
        for line in self.cx("queues").splitlines():
            words = line.split()
            got[words[0]][int(words[1])] = int(words[-1]) if words[0] != "cq" else None
        return got

    def make_link(self):
        for ns, dev, four, six in ((self.host, "v0", H4, H6), (self.peer, "v1", P4, P6)):
            ns.ip("addr", "add", four + "/24", "dev", dev)
            ns.ip("addr", "add", six + "/64", "dev", dev, "nodad")
            ns.ip("link", "set", dev, "up")
        self.hmac, self.pmac = self.host.mac("v0"), self.peer.mac("v1")
        with self.peer.inside():  # a daemon that waits for a core answers later than three seconds
            for family in "ipv4", "ipv6":
                self.peer.sysctl(family + "/neigh/v1/mcast_solicit", PATIENCE)
        self.peer.reaches(H6)

    def client(self, uid, label, *attach):
        return self.daemon.client(uid, label).attach("v0", *attach)

    def echo(self, uid, label, *rules, attach=()):
        """A client that sends back what its rules bring."""
        c = self.client(uid, label, *attach)
        c.ask("mode", "echo")
        for r in rules:
            c.add(r)
        return c

    def port(self):
        return self.admin.json("port", "v0")

    def port_info(self):
        return self.admin.json("list", "ports")[0]

    def __enter__(self):
        return self

    def __exit__(self, *why):
        return self.stack.__exit__(*why)
