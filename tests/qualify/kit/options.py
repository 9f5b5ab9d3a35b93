# SPDX-License-Identifier: BSD-2-Clause
"""The command line."""
import argparse
import os
import re

from . import machine

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
PARTS = ("functions", "questions", "suite", "speed")
EPILOG = """layouts:
  loop DEV          one port that gets back what it sends (a loop plug, a cable into itself)
  ports DEV DEV     two ports of this host, connected by a cable
  host DEV          one port, connected to one of another host, where this runs first:
  serve DEV         sends back what the other host sends, until Ctrl-C
  model [LAYOUT]    no hardware: a ConnectX in software; loop, ports (default) or host
and
  restore           puts back what a run changed that did not come to its end

It writes no firmware and no setting that outlives a reboot. What it changes it asks for, and puts back.
docs/hardware.md says what is needed, and how to read the report."""


def core_list(text):
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise argparse.ArgumentTypeError("\"%s\" is no list of cores, as 2-5,8" % text)
    return machine.cores(text)


def part_list(text):
    for part in text.split(","):
        if part not in PARTS:
            raise argparse.ArgumentTypeError("\"%s\" is not one of %s" % (part, ", ".join(PARTS)))
    return text.split(",")


def mac(text):
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text):
        raise argparse.ArgumentTypeError("\"%s\" is no MAC address" % text)
    return text


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError("\"%s\": 0.1 to 3600 seconds are needed" % text)
    return value


def parser():
    p = argparse.ArgumentParser(prog="scripts/qualify", epilog=EPILOG,
                                formatter_class=argparse.RawDescriptionHelpFormatter,
                                description="Finds out whether rawnet works on a network card, and how fast.")
    p.add_argument("layout", choices=("loop", "ports", "host", "serve", "model", "restore"))
    p.add_argument("ports", nargs="*", metavar="DEV")
    p.add_argument("--peer", type=mac, metavar="MAC", help="host: the MAC that \"serve\" printed")
    p.add_argument("--cores", type=core_list, default=[], metavar="LIST", help="to burn, one for each poller")
    p.add_argument("--client-cores", type=core_list, default=[], metavar="LIST",
                   help="for what sends and measures: one more than --cores")
    p.add_argument("--only", type=part_list, default=list(PARTS), metavar="PART,...", help=", ".join(PARTS))
    p.add_argument("--short", action="store_true", help="a minute, to see that all of it runs")
    p.add_argument("--seconds", type=seconds, default=10, metavar="N", help="each trial of a rate (10)")
    p.add_argument("--keep-pause", action="store_true", help="leave flow control as it is")
    p.add_argument("--backend", choices=("mlx5", "verbs", "xdp"), default="mlx5")
    p.add_argument("--output", metavar="FILE", help="the report")
    p.add_argument("--yes", action="store_true", help="do not ask")
    return p


def read(argv):
    p = parser()
    o = p.parse_args(argv)
    o.source, o.bin = SOURCE, os.environ.get("RAWNET_BIN", os.path.join(SOURCE, "build/release/bin"))
    o.model = o.layout == "model"
    if o.model:
        kinds = {"loop": ("loop", 1), "ports": ("ports", 2), "host": ("hosts", 1)}
        if len(o.ports) > 1 or (o.ports and o.ports[0] not in kinds):
            p.error("model: loop, ports or host")
        o.layout, n = kinds[o.ports[0] if o.ports else "ports"]
        o.ports = ["near0", "far0"][:n]
        return o
    n = {"ports": 2, "restore": 0}.get(o.layout, 1)
    if len(o.ports) != n:
        p.error("%s: %s needed, not %d" % (o.layout, ["no interface is", "one interface is",
                                                      "two interfaces are"][n], len(o.ports)))
    if n == 2 and o.ports[0] == o.ports[1]:
        p.error("ports: twice %s; for one port that gets back what it sends: loop" % o.ports[0])
    if o.layout == "host" and not o.peer:
        p.error("host: --peer is needed, the MAC that \"scripts/qualify serve\" prints on the other host")
    o.layout = "hosts" if o.layout == "host" else o.layout
    return o
