# SPDX-License-Identifier: BSD-2-Clause
"""The performance suite: the highest rate of shortest frames without loss for each core burnt, latencies beside a
load, and what many attachments cost.

Generators are rawnet-pktgen, one for each poller, each on a core and a queue of its own; probes are those of
rawnet-latency. A rate is halved in between as in RFC 2544, section 26.1; a sender that does not reach the rate that
was asked of it counts as a loss, but for the first trial, which has no rate: what it sends is all there is to try."""
import contextlib
import json
import signal
import time

from .bench import FAR, NEAR, PORT
from .say import FAILED, FIGURE, NOT_RUN, Refused, note, until

REACHED = 0.98
CROWD_PORT = PORT + 1000


class Plan:
    """How long, how exact, how many."""

    def __init__(self, bench, short):
        self.seconds = 0.2 if short else bench.o.seconds
        self.near = 0.2 if short else 0.01
        self.most = 4 if short else 12  # trials after the first
        self.latency_seconds = 0.5 if short else max(self.seconds, 5)
        self.probe_rate = 500 if bench.model else 10000
        self.confirm = 0.3 if short else 6 * self.seconds
        self.attachments = (1, 16) if short else (1, 16, 256, 1000)


def generators(bench, n, seconds, rate, more=()):
    """n of them at once, `rate` together (0: what they can): what each says."""
    words = []
    for i in range(n):
        argv = ["rawnet-pktgen", "-j", "-t", seconds, "send", bench.near, *bench.stream(i), "queue", i, *more]
        words.append(argv + (["rate", rate / n] if rate else []))
    all_ = [bench.background("gen%d" % i, *w, cores=bench.o.client_cores[i:i + 1]) for i, w in enumerate(words)]
    out = []
    for p in all_:
        if p.p.wait(seconds * 4 + 120):
            raise Refused("rawnet-pktgen: " + p.last())
        out.append(json.loads(p.last()))
    return out


def added(results, rate):
    """Generators as one."""
    seconds = max(r["seconds"] for r in results) or 1e-9
    t = {"rate": rate, "sent": sum(r["sent"] for r in results), "lost": sum(r["lost"] for r in results)}
    t["sent_rate"] = t["sent"] / seconds
    t["passed"] = t["lost"] == 0 and t["sent_rate"] >= REACHED * rate
    return t


def search(trial, plan):
    """The highest rate that passes: {"rate", "sender_was_the_limit", "trials"}."""
    first = trial(0)
    trials, low, high = [first], 0, first["sent_rate"]
    if first["passed"]:
        return {"rate": high, "sender_was_the_limit": True, "trials": trials}
    while len(trials) <= plan.most and high - low > plan.near * high and high > 100:
        trials.append(trial((low + high) / 2))
        if trials[-1]["passed"]:
            low = trials[-1]["rate"]
        else:
            high = trials[-1]["rate"]
    return {"rate": low, "sender_was_the_limit": False, "trials": trials}


def mpps(rate):
    return "%.3f Mpps" % (rate / 1e6) if rate >= 1e6 else "%.1f kpps" % (rate / 1e3)


def latency(bench, plan):
    """Of probes; the daemon's counters beside, if none came."""
    r = bench.ask("rawnet-latency", "-t", plan.latency_seconds, bench.near, *bench.stream(90), "rate",
                  plan.probe_rate, cores=bench.o.client_cores[-1:])
    del r["histogram"]
    if r["sent"] and not r["received"]:
        r["counters"] = bench.ask("rawnetctl", "counters")
    return r


def verdict(probes):
    return FIGURE if probes["received"] else FAILED


def microseconds(r):
    q = r["latency_ns"]
    if not q:
        return "none of %d probes came" % r["sent"]
    return "50 %% %.1f us, 99 %% %.1f, 99.9 %% %.1f, 99.99 %% %.1f, max %.1f" % tuple(
        q[k] / 1e3 for k in ("p50", "p99", "p999", "p9999", "max"))


# ---- a core, two, more ----

def rate_of(bench, results, plan, pollers):
    """Of so many cores; the generators' flows are spread over them."""
    flows = ("flows", 64 * pollers) if pollers > 1 else ()
    r = search(lambda rate: added(generators(bench, pollers, plan.seconds, rate, flows), rate), plan)
    if r["rate"] > 0:
        r["confirmed"] = added(generators(bench, pollers, plan.confirm, r["rate"], flows), r["rate"])
    text = mpps(r["rate"]) + " of 64 B without loss"
    if r["sender_was_the_limit"]:
        text += " (more was not sent)"
    if "confirmed" in r:
        text += "; %.0f s at that: %d of %d lost" % (plan.confirm, r["confirmed"]["lost"], r["confirmed"]["sent"])
    results.add("speed", "rate-%d-core%s" % (pollers, "s" if pollers > 1 else ""), FIGURE, text, pollers=pollers, **r)
    return r["rate"]


def latency_beside(bench, results, plan, rate, share):
    """Percentiles of probes while so much of the rate without loss is sent beside."""
    name = "latency-%.0f%%" % (100 * share)
    if not rate:
        results.add("speed", name, NOT_RUN, "there is no rate without loss")
        return
    load = bench.background("load", "rawnet-pktgen", "-j", "send", bench.near, *bench.stream(), "rate", rate * share,
                            cores=bench.o.client_cores[:1])
    time.sleep(0.2)
    r = latency(bench, plan)
    load.end(signal.SIGINT)
    beside = json.loads(load.last())
    results.add("speed", name, verdict(r), "beside %s: %s" % (mpps(rate * share), microseconds(r)), load=beside, probes=r)


# ---- attachments ----

def crowd_trial(bench, plan, rate, active):
    before = bench.crowd_packets()
    r = bench.ask("rawnet-pktgen", "-t", plan.seconds, "send", bench.near, "src", NEAR, "dst", FAR, "dport", CROWD_PORT,
                  "flows", active, "dmac", bench.mac(bench.far), *(["rate", rate] if rate else []),
                  cores=bench.o.client_cores[:1])
    until(1, lambda: bench.crowd_packets() - before >= r["sent"])
    r["lost"] = max(r["sent"] - (bench.crowd_packets() - before), 0)
    return added([r], rate)


def attachments(bench, results, plan, count):
    """What one of so many gets, and what all of them together get."""
    with contextlib.ExitStack() as stack:
        crowd = bench.crowd(count, CROWD_PORT)
        stack.callback(crowd.end)
        found = {"attachments": count}
        if bench.far:
            for name, active in (("one_active", 1), ("all_active", count)):
                found[name] = search(lambda rate, n=active: crowd_trial(bench, plan, rate, n), plan)
            text = "one active %s, all %s without loss; " % (mpps(found["one_active"]["rate"]),
                                                             mpps(found["all_active"]["rate"]))
        else:
            found["one_active"] = search(lambda rate: added(generators(bench, 1, plan.seconds, rate), rate), plan)
            text = "one active %s there and back without loss; " % mpps(found["one_active"]["rate"])
        found["probes"] = latency(bench, plan)
        results.add("speed", "attachments-%d" % count, verdict(found["probes"]),
                    text + "idle: " + microseconds(found["probes"]), **found)


def poller_counts(bench, short):
    n = 1 if short else max(len(bench.o.cores), 1)
    return sorted({c for c in (1, 2, 4, 8, 16, n) if c <= n})


def run(bench, results, short):
    plan = Plan(bench, short)
    for n in poller_counts(bench, short):
        note("%d poller%s, trials of %g s" % (n, "s" if n > 1 else "", plan.seconds))
        with bench.serving(n):
            rate = rate_of(bench, results, plan, n)
            if n == 1:
                for share in (0.5, 0.9):
                    latency_beside(bench, results, plan, rate, share)
    with bench.serving(1):
        for count in plan.attachments:
            note("%d attachments" % count)
            attachments(bench, results, plan, count)
