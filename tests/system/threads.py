# SPDX-License-Identifier: BSD-2-Clause
"""Threads of a process, found by their names and stopped one at a time."""
import ctypes
import glob
import os

from netns import skip

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Stopped:
    """One thread of a process, stopped as a debugger does it."""

    def __init__(self, tid):
        self.tid = tid

    def call(self, request):
        if LIBC.ptrace(request, self.tid, 0, 0) < 0:
            skip("ptrace: " + os.strerror(ctypes.get_errno()))

    def __enter__(self):
        LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        LIBC.ptrace.restype = ctypes.c_long
        self.call(PTRACE_SEIZE)
        self.call(PTRACE_INTERRUPT)
        os.waitpid(self.tid, WALL)

    def __exit__(self, *why):
        self.call(PTRACE_DETACH)


def thread(pid, name):
    for path in glob.glob("/proc/%d/task/*/comm" % pid):
        with open(path) as f:
            if f.read().strip() == name:
                return int(path.split("/")[4])
    raise AssertionError("no thread " + name)
