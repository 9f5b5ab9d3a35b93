# SPDX-License-Identifier: BSD-2-Clause
"""From the command line to the report."""
import datetime
import signal
import subprocess
import sys
import time

from . import changes, functions, machine, needs, options, questions, report, speed, suite
from .bench import FAR, FAR6, Bench
from .say import BAD, Refused, Results, heading, note, run, until


class Interrupted(Exception):
    """A signal: what was found so far is reported, what was changed goes back."""


def on_signal(sig, _frame):
    raise Interrupted(signal.Signals(sig).name)


def plan(o):
    """What will happen to the host, in sentences."""
    if o.model:
        return
    yield "take %s for itself%s" % (" and ".join(o.ports), "" if o.short else ", for about %s" % how_long(o))
    yield "set them up, if they are down" + ("" if o.keep_pause else ", and flow control (pause) off")
    if "suite" in o.only and o.layout == "ports":
        yield "move them into network namespaces for the functional suite"
    if o.cores:
        yield "use the cores %s wholly" % ",".join(map(str, o.cores + o.client_cores))
    yield "put all of that back"


def how_long(o):
    trials = 14 + 6  # and what confirms
    return "%d minutes" % max(2, (trials * len(speed_runs(o)) * o.seconds) // 60 + 5)


def speed_runs(o):
    return (["cores"] * max(len(o.cores), 1) + ["attachments"] * 8) if "speed" in o.only else []


def consent(o):
    sentences = list(plan(o))
    if not sentences or o.yes:
        return
    print("This will\n  " + ",\n  ".join(sentences) + ".")
    if not sys.stdin.isatty():
        raise Refused("nobody is there to ask: --yes says yes beforehand")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refused("nothing was done")


def prepare(o, done):
    if o.model:
        return
    for dev in o.ports:
        done.link_up(dev)
        if not o.keep_pause:
            done.pause_off(dev)
    for dev in o.ports:
        if o.layout == "ports" and "suite" in o.only:
            done.will_move(dev, machine.read("/sys/class/net/%s/address" % dev))
    for dev in o.ports:
        if until(20, lambda d=dev: needs.carrier(d)):
            continue
        if o.layout != "serve":  # whose other end may be down before the other host begins
            raise Refused("%s has no link: is the cable in?" % dev)
        note("%s has no link yet" % dev)


def serve(bench, forever=True):
    """The other host of "host": a daemon, and an echo for each family."""
    bench.start_on([bench.o.ports[0]], bench.o.cores[:1] or [None])
    for name, match in (("echo4", ("dst", FAR, "udp")), ("echo6", ("dst", FAR6, "udp"))):
        bench.background(name, "rawnet-echo", bench.o.ports[0], *match).says(" on ")
    if not forever:
        return
    print("Now, on the other host:\n  scripts/qualify host DEV --peer %s\nCtrl-C ends." % bench.mac(bench.near), flush=True)
    while True:
        if bench.daemon.p.poll() is not None:
            raise Refused("rawnetd ended: " + bench.daemon.last())
        time.sleep(0.2)


def model_peer(bench):
    """The other host, on a model: its port is at the other end of the cable."""
    other = Bench(bench.o)
    other.room, other.inside, other.devices = bench.room, bench.inside, bench.devices
    other.o = type(bench.o)(**{**vars(bench.o), "ports": ["peer0"]})
    other.near = "peer0"
    bench.stack.callback(other.__exit__, None, None, None)
    serve(other, forever=False)
    bench.o.peer = bench.mac("peer0")


def version(o):
    text = run(o.bin + "/rawnetd", "-V").split()[-1]
    revision = subprocess.run(["git", "-C", o.source, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    return "%s (%s)" % (text, revision) if revision else text


def parts(bench, found):
    """Each part, or why it is not run."""
    o, results = bench.o, found["results"]
    heading("Functions")
    if not functions.run(bench, results):
        raise Refused("what %s sends does not arrive: the rest would say nothing" % bench.near)
    for part, module, title in (("questions", questions, "Questions to the device"), ("suite", suite, "Functional suite"),
                                ("speed", speed, "Speed")):
        if part not in o.only:
            found["not_run"][part] = "not wanted"
            continue
        heading(title)
        try:
            devices = module.run(bench, results, o.short)
            found["devices"] += devices or []
        except Refused as e:
            found["not_run"][part] = str(e)
            print("  not run: %s" % e)


def qualify(o, done):
    start = time.monotonic()
    found = {"results": Results(), "not_run": {}, "devices": []}
    whole, ports = True, {}
    about = machine.host()
    with Bench(o) as bench:
        try:
            prepare(o, done)
            if o.model and o.layout == "hosts":
                model_peer(bench)
            if not o.model:
                ports.update({dev: machine.port(dev) for dev in o.ports})
            parts(bench, found)
        except Interrupted as e:
            whole = False
            note("interrupted (%s)" % e)
        except Refused as e:
            if not found["results"].all:
                raise
            found["not_run"]["the rest"] = str(e)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    results = found["results"]
    text = report.summary(results, found["not_run"], whole)
    path = report.write(report.path_for(o), {
        "run": {"time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                "version": version(o), "model": o.model, "layout": o.layout, "backend": o.backend, "short": o.short,
                "cores": o.cores, "client_cores": o.client_cores, "seconds": round(time.monotonic() - start)},
        "summary": text, "host": about, "ports": ports, "devices": found["devices"],
        "advice": [] if o.model else machine.advice(about, ports, o.cores),
        "not_run": found["not_run"], "results": results.all})
    print("\n%s%s\nThe report: %s" % ("on a model: " if o.model else "", text, path))
    if not whole:
        return 130
    return 1 if results.count(*BAD) or "the rest" in found["not_run"] else 0


def restore():
    n, failed = changes.restore_left()
    for sentence in failed:
        print("qualify: " + sentence, file=sys.stderr)
    print("nothing was left" if not n else "%d of %d changes are put back" % (n - len(failed), n))
    return 1 if failed else 0


def main(argv):
    o = options.read(argv)
    done = None
    try:
        if o.layout == "restore":
            return restore()
        needs.check(o)
        consent(o)
        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)
        done = changes.Changes() if not o.model else None
        if o.layout == "serve":
            with Bench(o) as bench:
                prepare(o, done)
                serve(bench)
        return qualify(o, done)
    except Interrupted:
        return 0 if o.layout == "serve" else 130
    except Refused as e:
        print("qualify: %s" % e, file=sys.stderr)
        return 2
    finally:
        for sentence in done.restore() if done else ():
            print("qualify: not put back: " + sentence, file=sys.stderr)
