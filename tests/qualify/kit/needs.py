# SPDX-License-Identifier: BSD-2-Clause
"""What a run needs, and sentences for what is missing. Asked before anything is changed."""
import contextlib
import json
import os
import re
import shutil
import subprocess

from . import machine
from .bench import rdma_device
from .say import Refused, run

DEFAULT_SOCKET = "/run/rawnet/rawnetd.sock"
PROGRAMS = ("rawnetd", "rawnetctl", "rawnet-pktgen", "rawnet-latency", "rawnet-echo", "qualify-crowd", "qualify-device")


def check(o):
    if os.getuid():
        raise Refused("it needs root: interfaces, cores and raw packet queues")
    for program in ("ip", "ethtool", "taskset", "setpriv"):
        if not shutil.which(program):
            raise Refused("%s is not installed: scripts/deps run" % program)
    wanted = PROGRAMS + (("cx-run", "cx-wired") if o.model else ())
    for program in wanted:
        if not os.access(os.path.join(o.bin, program), os.X_OK):
            raise Refused("%s is not built in %s" % (program, o.bin))
    if o.model:
        if not os.path.exists("/dev/net/tun"):
            raise Refused("the model needs /dev/net/tun")
        return
    for dev in o.ports:
        port(o, dev)
    cores(o)


def port(o, dev):
    base = "/sys/class/net/" + dev
    if not os.path.isdir(base):
        known = ", ".join(sorted(set(os.listdir("/sys/class/net")) - {"lo"})) or "none"
        raise Refused("%s: there is no such interface; there are: %s" % (dev, known))
    if o.backend != "xdp" and not rdma_device(dev):
        raise Refused("%s has no RDMA device: is it a ConnectX, and are mlx5_ib and ib_uverbs loaded (modprobe mlx5_ib "
                      "ib_uverbs)? --backend xdp does without" % dev)
    operator(dev)
    master = os.path.join(base, "master")
    if os.path.exists(master):
        raise Refused("%s belongs to %s: a port that nobody uses is needed" % (
            dev, os.path.basename(os.path.realpath(master))))
    served(dev)


def operator(dev):
    """Nothing that somebody uses, the way to this host least of all."""
    addresses = json.loads(run("ip", "-j", "addr", "show", "dev", dev))[0].get("addr_info", [])
    used = [a for a in addresses if a.get("scope") != "link"]
    ssh = os.environ.get("SSH_CONNECTION", "").split()
    if len(ssh) == 4 and any(a.get("local") == ssh[2] for a in addresses):
        raise Refused("%s is the interface that you are connected through: name another" % dev)
    if used:
        raise Refused("%s has the address %s/%d, so somebody uses it: take the address away (ip addr del %s/%d dev %s), "
                      "or name another port" % (dev, used[0]["local"], used[0]["prefixlen"], used[0]["local"],
                                                used[0]["prefixlen"], dev))


def served(dev):
    """By a rawnetd that is in service?"""
    ctl = shutil.which("rawnetctl")
    if not ctl or not os.path.exists(DEFAULT_SOCKET):
        return
    p = subprocess.run([ctl, "-j", "port", "show"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                       check=False)
    with contextlib.suppress(ValueError):
        if any(x.get("dev") == dev for x in json.loads(p.stdout or "{}").get("ports", [])):
            raise Refused("%s is served by a rawnetd already: stop it (systemctl stop rawnetd), or name another port" % dev)


def cores(o):
    """Those of the port's node: half to burn, half for the generators, if nothing else was said."""
    absent = [c for c in o.cores + o.client_cores if not os.path.isdir("/sys/devices/system/cpu/cpu%d" % c)]
    if absent:
        raise Refused("there is no core %d here" % absent[0])
    node = machine.read("/sys/class/net/%s/device/numa_node" % o.ports[0])
    here = machine.cores(machine.read("/sys/devices/system/node/node%s/cpulist" % node)) if re.fullmatch(
        r"\d+", node) else list(range(os.cpu_count()))
    free = [c for c in here if c in os.sched_getaffinity(0) and c not in o.cores + o.client_cores and c != 0]
    if not o.cores and not o.short:
        o.cores = free[:max(min(4, (len(free) - 1) // 2), 0)]
        free = free[len(o.cores):]
    if not o.client_cores and o.cores:
        o.client_cores = free[:len(o.cores) + 1]
    if set(o.cores) & set(o.client_cores):
        raise Refused("core %d is in both lists" % min(set(o.cores) & set(o.client_cores)))
    if "speed" in o.only and not o.short and len(o.client_cores) < len(o.cores) + 1 or (not o.cores and not o.short):
        raise Refused("it needs a core for the poller and two for what sends and measures, besides core 0: here are %s. "
                      "--short does without, and says less" % (",".join(map(str, here)) or "none"))


def carrier(dev, inside=()):
    """With the link up; after a moment at most."""
    return run(*inside, "cat", "/sys/class/net/%s/carrier" % dev, check=False).strip() == "1"
