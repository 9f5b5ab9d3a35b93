# SPDX-License-Identifier: BSD-2-Clause
"""What is changed on the host, and how it goes back: at the end, after a signal, and, since the list lies in a
file, also after a crash, by "scripts/qualify restore". Nothing in it outlives a reboot anyway."""
import json
import os
import re
import subprocess

from .say import Refused, run

FILE = os.environ.get("RAWNET_QUALIFY_STATE", "/run/rawnet-qualify.json")


# Finds the port of a MAC in whatever namespace it is, and brings it back under its name.
FETCH = """for ns in $(ip netns list 2>/dev/null | cut -d' ' -f1); do
	dev=$(ip -n "$ns" -br link 2>/dev/null | awk -v mac="$1" '$3 == mac { sub("@.*", "", $1); print $1 }')
	[ -z "$dev" ] || [ -e "/sys/class/net/$2" ] ||
		{ ip -n "$ns" link set "$dev" down && ip -n "$ns" link set "$dev" netns $$ name "$2"; } || exit 1
done
[ -e "/sys/class/net/$2" ] || { echo "$2 is nowhere"; exit 1; }"""


class Changes:
    def __init__(self, path=FILE):
        self.path, self.undo = path, []
        if os.path.exists(path):
            raise Refused("an earlier run did not come to its end: \"scripts/qualify restore\" puts back what it "
                          "changed")

    def do(self, command, back):
        """Runs a command; `back` is the one that takes it back, and stands in the file before."""
        self.undo.append(list(map(str, back)))
        with open(self.path, "w", encoding="utf-8") as f:
            json.dump(self.undo, f)
            f.flush()
            os.fsync(f.fileno())
        run(*command)

    def restore(self):
        """All, in reverse order, whatever fails: the sentences of what did."""
        failed = []
        while self.undo:
            back = self.undo.pop()
            p = subprocess.run(back, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                               stdin=subprocess.DEVNULL)
            if p.returncode:
                failed.append("%s: %s" % (" ".join(back), p.stdout.strip()))
        if os.path.exists(self.path):
            os.unlink(self.path)
        return failed

    # What a run may change of a port.

    def link_up(self, dev):
        with open("/sys/class/net/%s/flags" % dev, encoding="ascii") as f:
            if int(f.read(), 16) & 1:
                return
        self.do(("ip", "link", "set", dev, "up"), ("ip", "link", "set", dev, "down"))

    def will_move(self, dev, mac):
        """The functional suite moves ports into namespaces, and back by itself unless it is killed."""
        self.do(("true",), ("sh", "-c", FETCH, "sh", mac, dev))

    def pause_off(self, dev):
        """Flow control hides loss: the sender waits, and every rate is one without loss."""
        state = pause(dev)
        if state and "on" in state.values():
            self.do(("ethtool", "-A", dev, "rx", "off", "tx", "off"),
                    ("ethtool", "-A", dev, "rx", state["rx"], "tx", state["tx"]))


def pause(dev):
    """{"rx": "on", "tx": "off"}; None where the interface has none."""
    p = subprocess.run(["ethtool", "-a", dev], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                       check=False)
    state = {k.lower(): v for k, v in re.findall(r"^(RX|TX):\s+(on|off)$", p.stdout, re.M)}
    return state if len(state) == 2 else None


def restore_left(path=FILE):
    """Of a run that crashed: what was put back, and what could not be."""
    if not os.path.exists(path):
        return 0, []
    with open(path, encoding="utf-8") as f:
        undo = json.load(f)
    os.unlink(path)
    changes = Changes(path)
    changes.undo = undo
    return len(undo), changes.restore()
