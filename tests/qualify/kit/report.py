# SPDX-License-Identifier: BSD-2-Clause
"""The report: one file, text for people, and in its last line the same and every trial as one JSON object."""
import datetime
import json
import os
import textwrap

from .say import BAD, FIGURE, NOT_RUN

SCHEMA = 1  # goes up when a member changes its meaning or goes away
PARTS = (("functions", "Functions"), ("questions", "Questions to the device"), ("suite", "Functional suite"),
         ("speed", "Speed: 64 B is 60 bytes and FCS"))
ON_MODEL = ("ON A MODEL: the device is software (tests/model). What follows says that the programs work with one another. "
            "It says nothing about a ConnectX, and its figures are about this host's processor.")


def lines_of(value, indent=2):
    for key, v in value.items():
        if isinstance(v, dict):
            yield " " * indent + key
            yield from lines_of(v, indent + 2)
        elif v not in ("", None):
            yield "%s%-18s %s" % (" " * indent, key.replace("_", " "), v)


def text_of(report):
    run = report["run"]
    yield "rawnet qualification, %s, version %s, %s layout, backend %s" % (
        run["time"], run["version"], run["layout"], run["backend"])
    if run["model"]:
        yield from ["", *textwrap.wrap(ON_MODEL, 100)]
    yield from ["", report["summary"], "", "Host", *lines_of(report["host"]), "", "Ports", *lines_of(report["ports"])]
    if report["devices"]:
        yield from ["", "Devices"]
        for d in report["devices"]:
            yield from lines_of(d)
    if report["advice"]:
        yield from ["", "Settings that cost speed", *["  " + a for a in report["advice"]]]
    for part, title in PARTS:
        if part in report["not_run"]:
            yield from ["", title, "  not run: " + report["not_run"][part]]
        rows = [r for r in report["results"] if r["part"] == part]
        if rows:
            yield from ["", title]
        for r in rows:
            yield from textwrap.wrap("%-8s  %-18s %s" % (r["verdict"], r["name"], r["text"]), 110,
                                     initial_indent="  ", subsequent_indent=" " * 31)
            yield from ["    " + line for line in r.get("output", ())]


def summary(results, not_run, whole):
    bad = results.count(*BAD)
    text = "%d checks passed, %d failed or differ, %d figures, %d not run" % (
        results.count("passed", "answered"), bad, results.count(FIGURE), results.count(NOT_RUN) + len(not_run))
    return text if whole else "INTERRUPTED: " + text


def path_for(options):
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%MZ")
    return options.output or "rawnet-qualify-%s-%s.txt" % ("model" if options.model else options.layout, stamp)


def write(path, report):
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(text_of(report)) + "\n\n")
        json.dump({"schema": SCHEMA, **report}, f, separators=(",", ":"))
        f.write("\n")
    return os.path.abspath(path)
