# SPDX-License-Identifier: BSD-2-Clause
"""What rawnet promises, through the programs that come with it: whether it holds on these ports."""
import json
import os
import signal
import time

from .bench import FAR, PATIENCE, PORT
from .say import Refused, until

ETHERTYPE = 0x88b5  # for experiments (IEEE 802)
WAIT, BRIEFLY = 20, 3  # seconds; then a packet is lost: one that must come, one that must not


def send(bench, *more, count=200, rate="5k", number=0, six=False, user=None, wait=WAIT):
    return bench.ask("rawnet-pktgen", "-w", wait, "-n", count, "send", bench.near, *bench.stream(number, six), "rate", rate, *more,
                     user=user)


def all_came(r):
    assert r["lost"] == 0, "%d of %d lost" % (r["lost"], r["sent"])
    assert r["reordered"] == r["duplicates"] == 0, "%d reordered, %d duplicates" % (r["reordered"], r["duplicates"])


def wiring(bench):
    """First of all: without it nothing else says anything."""
    r = bench.ask("rawnet-latency", "-n", 100, "-w", WAIT, bench.near, *bench.stream(), "rate", 200)
    assert r["lost"] == 0, "%d of 100 probes lost" % r["lost"]
    return "100 probes, all arrive"


def sizes(bench):
    most = bench.mtu() + 14
    all_came(send(bench, "size", "60-%d" % most, count=2 * (most - 59)))
    return "every length from 60 to %d" % most


def ipv6(bench):
    all_came(send(bench, six=True))
    return "200 of 200"


def vlan(bench):
    if not bench.far:
        raise Refused("the peer echoes untagged frames only")
    all_came(send(bench, "vlan", 4000))
    return "tag 4000 goes out and is matched"


def many_flows(bench):
    all_came(send(bench, "flows", 1000, count=2000))
    return "1000 flows, in order each"


def kernel(bench):
    """What no rule takes is the kernel's, also while rules are there."""
    if not bench.far:
        raise Refused("it needs both ends here")
    crowd = bench.crowd(4)
    frame = bytes.fromhex((bench.mac(bench.far) + bench.mac(bench.near)).replace(":", "")) + b"\x88\xb5" + bytes(46)
    with bench.packet_socket(bench.far, ETHERTYPE) as there, bench.packet_socket(bench.near, ETHERTYPE) as here:
        there.settimeout(PATIENCE)
        for _ in range(20):
            here.send(frame)
        got = 0
        while got < 20:
            try:
                _, where = there.recvfrom(2048)
            except TimeoutError:
                break
            got += where[2] != 4  # PACKET_OUTGOING: seen on its way out of a looped port
    crowd.end()
    assert got == 20, "%d of 20 frames reach the kernel" % got
    return "20 of 20 frames that no rule takes reach the kernel"


def policed(bench):
    """Nobody sends from an address that is not his."""
    uid = "nobody"
    all_came(send(bench, user=uid))
    r = send(bench, "smac", "02:00:00:00:00:99", user=uid, wait=BRIEFLY)
    assert r["received"] == 0, "%d of %d frames with a forged source went out" % (r["received"], r["sent"])
    return "a forged source address does not leave"


def killed(bench):
    """A client that is killed takes nobody along, and leaves nothing behind."""
    crowd = bench.crowd(8, PORT + 100)
    stream = bench.background("stream", "rawnet-pktgen", "-j", "-w", WAIT, "send", bench.near, *bench.stream(), "rate",
                              "1k")
    time.sleep(0.3)
    crowd.end(signal.SIGKILL)
    time.sleep(0.3)
    again = bench.crowd(8, PORT + 100)
    again.end()
    stream.end(signal.SIGINT)
    all_came(json.loads(stream.last()))
    until(PATIENCE, lambda: rules(bench) == 0)
    assert rules(bench) == 0, "%d rules are left" % rules(bench)
    return "eight attachments die; another client loses nothing, no rule is left"


def rules(bench):
    return bench.ask("rawnetctl", "status")["rules"]


def stopped(bench):
    """A client that does not take its packets loses its own, and is told how many."""
    if not bench.far:
        raise Refused("it needs both ends here")
    crowd = bench.crowd(1, PORT + 100)
    os.kill(crowd.p.pid, signal.SIGSTOP)
    try:
        sent = send_to_crowd(bench, 3000)
        all_came(send(bench))
    finally:
        os.kill(crowd.p.pid, signal.SIGCONT)
    # A ConnectX tells with the next packet how many found no buffer before it.
    sent += send_to_crowd(bench, 10)
    got, dropped = until(PATIENCE, lambda: counted(bench)) or (0, 0)
    crowd.end()
    assert dropped, "%d sent, %d received, and none counted as dropped" % (sent, got)
    assert got + dropped <= sent, "%d sent, but %d received and %d dropped" % (sent, got, dropped)
    return "of %d packets for a stopped client %d are counted as dropped; another one loses nothing" % (
        sent - got, dropped)


def send_to_crowd(bench, count):
    return bench.ask("rawnet-pktgen", "-n", count, "send", bench.near, "src", "198.18.0.9", "dst", FAR, "dport",
                     PORT + 100, "dmac", bench.mac(bench.far), "rate", "10k")["sent"]


def counted(bench):
    dropped = bench.crowd_packets("rx_drop_full")
    return (bench.crowd_packets(), dropped) if dropped else None


def restart(bench):
    """The daemon goes and comes; programs need not."""
    probes = bench.background("probes", "rawnet-latency", "-j", "-w", "0.1", bench.near, *bench.stream(), "rate", 500)
    time.sleep(0.5)
    bench.stop()
    bench.start()
    until(PATIENCE, lambda: rules(bench) > 0)
    time.sleep(0.5)
    probes.end(signal.SIGINT)
    r = json.loads(probes.last())
    assert r["received"] > r["sent"] / 10, "%d of %d probes" % (r["received"], r["sent"])
    return "clients attach again by themselves"


CHECKS = (wiring, sizes, ipv6, vlan, many_flows, kernel, policed, killed, stopped, restart)


def run(bench, results):
    """False: there is no way from one end to the other, and the rest would say nothing."""
    bench.start()
    for check in CHECKS:
        results.check("functions", check.__name__.replace("_", "-"), lambda c=check: c(bench))
        if check is wiring and results.all[-1]["verdict"] != "passed":
            break
    if bench.daemon:
        results.check("functions", "end", lambda: ended(bench))
    return results.of("functions")[0]["verdict"] == "passed"


def ended(bench):
    bench.stop()
    return "rawnetd ends in order" + (", the model found no broken rule and no leak" if bench.model else "")
