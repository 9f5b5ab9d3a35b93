# SPDX-License-Identifier: BSD-2-Clause
"""What the host and the port are, and which of their settings cost speed. Reads only. Names, addresses and serial
numbers of the host do not go into the report."""
import contextlib
import glob
import os
import platform
import re
import shutil
import subprocess

from .changes import pause


def read(path, default=""):
    with contextlib.suppress(OSError):
        with open(path, encoding="ascii", errors="replace") as f:
            return f.read().strip()
    return default


def said(*argv):
    """What a command prints; empty if there is none or it fails."""
    if not shutil.which(argv[0]):
        return ""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                              text=True, check=False, timeout=30).stdout
    return ""


def cores(text):
    """"0-2,5" as a list."""
    out = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def host():
    cpu = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    memory = dict(re.findall(r"^(\w+):\s+(\d+)", read("/proc/meminfo"), re.M))
    return {"cpu": cpu.group(1) if cpu else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "machine": platform.machine(),
            "memory_gib": int(memory.get("MemTotal", 0)) >> 20,
            "hugepages_free": int(memory.get("HugePages_Free", 0)),
            "nodes": len(glob.glob("/sys/devices/system/node/node[0-9]*")) or 1,
            "isolated": read("/sys/devices/system/cpu/isolated"),
            "iommu": iommu(), "load": os.getloadavg()[0],
            "libibverbs": said("dpkg-query", "-W", "-f", "${Version}", "libibverbs1").strip()}


def iommu():
    if not os.listdir("/sys/class/iommu") if os.path.isdir("/sys/class/iommu") else True:
        return "off"
    return "pass-through" if re.search(r"\biommu(\.passthrough)?=(pt|1)\b", read("/proc/cmdline")) else "translating"


def port(dev):
    """Of an interface; what is not known is left out."""
    base = "/sys/class/net/%s/" % dev
    driver = dict(re.findall(r"^([\w-]+): (.*)$", said("ethtool", "-i", dev), re.M))
    function = os.path.basename(os.path.realpath(base + "device")) if os.path.exists(base + "device") else ""
    facts = {"driver": driver.get("driver"), "firmware": driver.get("firmware-version"),
             "vendor": read(base + "device/vendor"), "part": read(base + "device/device"),
             "speed_mbit": read(base + "speed"), "mtu": read(base + "mtu"), "node": read(base + "device/numa_node"),
             "pcie": " x".join(filter(None, (read(base + "device/current_link_speed"),
                                             read(base + "device/current_link_width")))),
             "pcie_most": " x".join(filter(None, (read(base + "device/max_link_speed"),
                                                  read(base + "device/max_link_width")))),
             "max_read_request": of_function(function, r"MaxReadReq (\d+) bytes"),
             "cqe_compression": mlxconfig(function), "pause": pause(dev)}
    return {k: v for k, v in facts.items() if v not in (None, "", "-1")}


def of_function(function, pattern):
    m = re.search(pattern, said("lspci", "-vv", "-s", function)) if function else None
    return m.group(1) if m else ""


def mlxconfig(function):
    m = re.search(r"CQE_COMPRESSION\s+(\S+)", said("mlxconfig", "-d", function, "q", "CQE_COMPRESSION")
                  if function else "")
    return m.group(1) if m else ""


def advice(about, ports, pollers):
    """Sentences about settings that make the figures worse than they could be; see docs/hardware.md."""
    out = []
    if about["iommu"] == "translating":
        out.append("the IOMMU translates each access of the device: boot with iommu=pt")
    if pollers and not set(pollers) <= set(cores(about["isolated"])):
        out.append("the scheduler may use the pollers' cores: boot with isolcpus=%s" % ",".join(map(str, pollers)))
    governors = {read("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor" % c) for c in pollers} - {""}
    if governors - {"performance"}:
        out.append("the cores save power (%s): governor performance" % ", ".join(sorted(governors)))
    if about["load"] > 1:
        out.append("other programs use the host (load %.1f)" % about["load"])
    for dev, facts in ports.items():
        node = facts.get("node")
        far = [c for c in pollers if node and c not in cores(read("/sys/devices/system/node/node%s/cpulist" % node))]
        if far:
            out.append("%s is on node %s, the cores %s are not" % (dev, node, ",".join(map(str, far))))
        if facts.get("pcie") != facts.get("pcie_most"):
            out.append("%s has PCIe %s of %s" % (dev, facts.get("pcie"), facts.get("pcie_most")))
        if int(facts.get("max_read_request", 4096)) < 1024:
            out.append("%s reads %s bytes at a time: MaxReadReq 1024 or more" % (dev, facts["max_read_request"]))
        if facts.get("cqe_compression", "AGGRESSIVE(1)") == "BALANCED(0)":
            out.append("%s compresses completions only at high rates: mlxconfig CQE_COMPRESSION=1" % dev)
    return out
