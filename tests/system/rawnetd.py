# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the tools share: rawnetd on loop ports in a folder of its own, frames, captures,
checks. Each test is a function whose name starts with test_; main() runs them all."""
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("RAWNET_BIN", os.path.join(HERE, "../../build/release/bin"))
PATIENCE = 60  # seconds; a bound for what hangs, far above what anything here takes


def until(what, condition, patience=None):
    """Waits for the condition and returns its value."""
    end = time.monotonic() + (patience or PATIENCE)
    while True:
        late = time.monotonic() >= end
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError("did not happen: " + what)
        time.sleep(0.02)


class Arrivals:
    """Of files in a folder: under which event each name came there first (inotify(7))."""
    CREATE, MOVED_TO = 0x100, 0x80
    HEAD = struct.Struct("iIII")

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self.fd, folder.encode(), self.CREATE | self.MOVED_TO) >= 0, os.strerror(
            ctypes.get_errno())
        self.came = {}

    def read(self):
        with contextlib.suppress(BlockingIOError):
            data, at = os.read(self.fd, 65536), 0
            while at < len(data):
                _, mask, _, length = self.HEAD.unpack_from(data, at)
                at += self.HEAD.size + length
                self.came.setdefault(data[at - length:at].rstrip(b"\0").decode(), mask)
        return self.came

    def ready(self, name):
        """It came under its name as a whole: who sees it there finds it complete."""
        until("%s is there" % name, lambda: name in self.read())
        os.close(self.fd)
        assert self.came[name] == self.MOVED_TO, "%s was made in its place" % name


class Process:
    """A program of the project in the background, its output in a file."""

    def __init__(self, log, *argv, **kwargs):
        self.log = log
        with open(log, "a") as out:
            self.p = subprocess.Popen([os.path.join(BIN, argv[0]), *map(str, argv[1:])], stdout=out,
                                      stderr=out, stdin=subprocess.DEVNULL, **kwargs)

    def text(self):
        with open(self.log) as f:
            return f.read()

    def says(self, words):
        until("%s: %s\n%s" % (self.log, words, self.text()),
              lambda: words in self.text() or self.p.poll() is not None)
        assert words in self.text(), "no \"%s\" in:\n%s" % (words, self.text())

    def end(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        return self.p.wait(PATIENCE)


class Daemon:
    """rawnetd; `ports` and the rest in the words of rawnetd.conf."""
    prefix = "rawnet-loop."

    def __init__(self, ports, more="", pollers='{ mode = "adaptive"; }', daemon=""):
        self.dir = tempfile.mkdtemp(prefix=self.prefix)
        os.chmod(self.dir, 0o755)
        self.sock = self.path("sock")
        self.others = []
        with open(self.path("conf"), "w") as f:
            f.write('daemon: { sockets = ( { path = "%s"; mode = 0666; } ); %s };\npollers = ( %s );\n'
                    "ports = ( %s );\n%s\n" % (self.sock, daemon, pollers,
                                               ports.replace("@", self.dir), more))
        self.start()

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        self.process = Process(self.path("rawnetd.log"), "rawnetd", "-c", self.path("conf"))
        until("rawnetd listens\n" + self.process.text(),
              lambda: self.answers() or self.process.p.poll() is not None)
        assert self.process.p.poll() is None, self.process.text()

    def answers(self):
        """A socket that was left behind is there, and nobody listens on it."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with s, contextlib.suppress(OSError):
            s.connect(self.sock)
            return True

    def stop(self, sig=signal.SIGTERM):
        rc = self.process.end(sig)
        if os.path.exists(self.sock):
            os.unlink(self.sock)
        return rc

    def run(self, name, program, *argv, **kwargs):
        """A tool in the background, its log named after it; what the last one of that name said is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name + ".log"))
        p = Process(self.path(name + ".log"), program, "-S", self.sock, *argv, **kwargs)
        self.others.append(p)
        return p

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for p in self.others:
            p.end(signal.SIGKILL)
        rc = self.stop()
        if kind is None:
            assert rc == 0, "rawnetd ended with %d:\n%s" % (rc, self.process.text())
            shutil.rmtree(self.dir, ignore_errors=True)
        else:
            print("logs are kept in " + self.dir)


def loop_mac(dev):
    """The address that a loop port derives from its name."""
    h = 2166136261
    for c in dev.encode():
        h = (h ^ c) * 16777619 & 0xffffffff
    return b"\x02\x52" + struct.pack(">I", h)


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


def udp4(dst, src, sip, dip, sport, dport, payload, tag=b""):
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    pseudo = sip + dip + struct.pack(">HH", 17, len(udp))
    check = ones_sum(pseudo + udp) ^ 0xffff or 0xffff
    udp = udp[:6] + struct.pack(">H", check) + udp[8:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0x4000, 64, 17, 0) + sip + dip
    ip = ip[:10] + struct.pack(">H", ones_sum(ip) ^ 0xffff) + ip[12:]
    return dst + src + tag + b"\x08\x00" + ip + udp


def udp6(dst, src, sip, dip, sport, dport, payload):
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    pseudo = sip + dip + struct.pack(">II", len(udp), 17)
    check = ones_sum(pseudo + udp) ^ 0xffff or 0xffff
    udp = udp[:6] + struct.pack(">H", check) + udp[8:]
    return dst + src + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + sip + dip + udp


def pcap_write(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)


def pcap_read(path):
    """The whole frames in a capture, which may still be written; none if it is not there yet."""
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return []
    at, frames = 24, []
    while at + 16 <= len(data):
        n = struct.unpack_from("<I", data, at + 8)[0]
        if at + 16 + n > len(data):
            break
        frames.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return frames


def main(module):
    """Runs the tests of a module, those named on the command line or all."""
    failed = 0
    for name in sys.argv[1:] or [n for n in vars(module) if n.startswith("test_")]:
        try:
            getattr(module, name)()
            print("ok      " + name, flush=True)
        except Exception:
            traceback.print_exc()
            print("FAILED  " + name, flush=True)
            failed += 1
    sys.exit(failed > 0)
