#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A container as unprivileged ones are: user, mount, network, process, IPC and UTS namespaces of its
own, ids 0..65535 mapped to BASE.., no capability left in any of them, and of the host's /run nothing
but one folder.

    container.py BASE FOLDER UID COMMAND...

FOLDER is bound to /run/rawnet inside. Started as root; the command runs as UID of the container."""
import ctypes
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000,
                                                  0x40000000)
MS_BIND, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 4096, 16384, 1 << 18, 1


def call(name, *args):
    if getattr(LIBC, name)(*args) < 0:
        e = ctypes.get_errno()
        raise OSError(e, "%s: %s" % (name, os.strerror(e)))


def mount(source, target, kind, flags):
    call("mount", source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), None)


def map_ids(base):
    """Another process, which is root outside, writes the maps of this one."""
    r, w = os.pipe()
    helper = os.fork()
    if not helper:
        os.close(w)
        os.read(r, 1)
        for name in ("gid_map", "uid_map"):
            with open("/proc/%d/%s" % (os.getppid(), name), "w") as f:
                f.write("0 %d 65536\n" % base)
        os._exit(0)
    call("unshare", NEWUSER)
    os.write(w, b"x")
    if os.waitpid(helper, 0)[1]:
        raise OSError("the ids cannot be mapped")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def main():
    base, folder, uid, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    map_ids(base)
    call("unshare", NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    # The folder is out of reach once /run is another one: by way of /mnt.
    mount(folder, "/mnt", None, MS_BIND)
    mount("tmpfs", "/run", "tmpfs", 0)
    os.mkdir("/run/rawnet")
    mount("/mnt", "/run/rawnet", None, MS_BIND)
    call("umount2", b"/mnt", 0)
    child = os.fork()
    if not child:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        mount("proc", "/proc", "proc", 0)
        os.execvp("setpriv", ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps=-all",
                              "--bounding-set=-all", "--no-new-privs", "--", *command])
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda s, _: os.kill(child, s))
    status = os.waitpid(child, 0)[1]
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


if __name__ == "__main__":
    main()
