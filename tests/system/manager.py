# SPDX-License-Identifier: BSD-2-Clause
"""A small service manager for tests: it starts one service, keeps the descriptors that the service
gives it (sd_notify(3): FDSTORE, FDNAME, FDSTOREREMOVE), and hands them to the next start
(sd_listen_fds(3)), as systemd does with FileDescriptorStoreMax."""
import array
import os
import select
import signal
import socket
import threading
import time

from rawnetd import PATIENCE


class Manager:
    def __init__(self, argv, folder, log, netns=None):
        self.argv, self.log, self.netns = argv, log, netns
        self.path = os.path.join(folder, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path)
        self.kept = []  # [name, fd], oldest first
        self.pid = None
        self.ready = False
        self.status = None
        self.lock = threading.RLock()  # of kept and ready
        self.over = False
        # A service waits while nobody reads what it says, so somebody always does.
        threading.Thread(target=self._serve_always, daemon=True).start()

    # ---- messages of the service ----

    def _take(self):
        data, control, _, _ = self.notify.recvmsg(8192, socket.CMSG_SPACE(253 * 4))
        fds = array.array("i")
        for level, kind, payload in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
        words = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
        if words.get("FDSTORE") == "1":
            self.kept += [[words.get("FDNAME", "stored"), fd] for fd in fds]
            fds = []
        if words.get("FDSTOREREMOVE") == "1":
            for entry in [e for e in self.kept if e[0] == words["FDNAME"]]:
                os.close(entry[1])
                self.kept.remove(entry)
        for fd in fds:
            os.close(fd)
        self.ready |= words.get("READY") == "1"

    def _serve_always(self):
        while not self.over:
            if select.select([self.notify], [], [], 0.1)[0]:
                self.serve()

    def serve(self, seconds=0.0):
        """Everything that the service said, so long from now, is taken."""
        time.sleep(seconds)
        with self.lock:
            while not self.over and select.select([self.notify], [], [], 0)[0]:
                self._take()

    # ---- the service ----

    def start(self):
        """Returns when it is ready, or raises."""
        self.serve()
        with self.lock:
            self.ready = False
            self.pid = os.fork()
            if not self.pid:
                self._exec()
        end = time.monotonic() + PATIENCE
        while not self.ready:
            self.serve(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = None
                raise AssertionError("the service ended with %d while it started" % status)
            assert time.monotonic() < end, "the service does not become ready"

    def _exec(self):
        try:
            if self.netns:
                fd = os.open("/run/netns/" + self.netns, os.O_RDONLY)
                import ctypes
                if ctypes.CDLL(None, use_errno=True).setns(fd, 0):
                    os._exit(126)
                os.close(fd)
            out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            # First out of the way of 3, 4, ..., then to their places.
            above = max([1000] + [fd + 1 for _, fd in self.kept])
            high = [os.dup2(fd, above + i) for i, (_, fd) in enumerate(self.kept)]
            os.closerange(3, above)
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i, inheritable=True)
            os.closerange(3 + len(high), 60000)
            env = dict(os.environ, NOTIFY_SOCKET=self.path)
            if self.kept:
                env.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(self.kept)),
                           LISTEN_FDNAMES=":".join(name for name, _ in self.kept))
            os.execve(self.argv[0], self.argv, env)
        finally:
            os._exit(127)

    def kill(self, sig=signal.SIGKILL):
        """Ends the service; what it said before is read. Returns the wait status."""
        os.kill(self.pid, sig)
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        self.serve()
        return status

    def stop(self):
        """For good: what is kept is let go."""
        if self.pid:
            self.status = self.kill(signal.SIGTERM)
        with self.lock:
            self.over = True
            for _, fd in self.kept:
                os.close(fd)
            self.kept = []
            os.unlink(self.path)
