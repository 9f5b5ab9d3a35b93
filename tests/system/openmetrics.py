# SPDX-License-Identifier: BSD-2-Clause
"""Reads a page of OpenMetrics text 1.0 as strictly as the specification says, for the types that the
exporter has: counter, gauge, info."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r'(%s)(\{(.*)\})? (\S+)\Z' % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
SUFFIX = {"counter": "_total", "gauge": "", "info": "_info"}


class Bad(Exception):
    pass


def labels_of(text, line):
    labels, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        if not m or m[1] in labels:
            raise Bad("labels: " + line)
        labels[m[1]] = m[2].replace('\\n', '\n').replace('\\"', '"').replace('\\\\', '\\')
        at = m.end()
        if at < len(text):
            if text[at] != "," or at + 1 == len(text):
                raise Bad("labels: " + line)
            at += 1
    return labels


def read_sample(line, family, kind):
    m = SAMPLE.match(line)
    if not m:
        raise Bad("not a sample: " + line)
    if family is None or m[1] != family + SUFFIX[kind]:
        raise Bad("not of the family %s, a %s: %s" % (family, kind, line))
    if not NUMBER.match(m[4]) or (kind != "gauge" and m[4].startswith("-")):
        raise Bad("value: " + line)
    if kind == "info" and m[4] != "1":
        raise Bad("info that is not 1: " + line)
    return labels_of(m[3] or "", line), float(m[4]) if "." in m[4] else int(m[4])


def parse(text):
    """{family: {"type", "help", "unit", "samples": [(labels, value)]}}; Bad says what is wrong."""
    families, family, kind = {}, None, None
    if not text.endswith("# EOF\n") or text.count("# EOF") != 1:
        raise Bad("no EOF at the end")
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        if line.startswith("# "):
            words = line.split(" ", 3)
            if len(words) != 4 or words[1] not in ("TYPE", "HELP", "UNIT") or not re.fullmatch(NAME, words[2]):
                raise Bad("not a description: " + line)
            if words[1] == "TYPE":
                family, kind = words[2], words[3]
                if family in families or kind not in SUFFIX:
                    raise Bad("a second time, or an unknown type: " + line)
                families[family] = {"type": kind, "samples": []}
            elif words[2] != family or words[1].lower() in families[family] or families[family]["samples"]:
                raise Bad("out of place: " + line)
            else:
                families[family][words[1].lower()] = words[3]
            if words[1] == "UNIT" and not family.endswith("_" + words[3]):
                raise Bad("the unit is not the end of the name: " + line)
        else:
            labels, value = read_sample(line, family, kind)
            if any(labels == l for l, _ in families[family]["samples"]):
                raise Bad("twice: " + line)
            families[family]["samples"].append((labels, value))
    for name, f in families.items():
        if "help" not in f:
            raise Bad("no HELP: " + name)
    return families


def refuses_what_is_wrong():
    """The reader itself: one fault in each page."""
    good = '# TYPE a counter\n# HELP a b\na_total{x="1"} 1\na_total{x="2"} 2\n# EOF\n'
    assert parse(good)["a"]["samples"] == [({"x": "1"}, 1), ({"x": "2"}, 2)]
    for old, new in (("# EOF\n", ""), ("# EOF\n", "# EOF"), ("a_total{x=\"2\"}", "a{x=\"2\"}"),
                     ('x="2"', 'x="1"'), ("} 2", "} two"), ("} 2", "} -2"), ("} 2", "}  2"),
                     ("# HELP a b\n", ""), ("# HELP a b\n", "# HELP b b\n"),
                     ('{x="2"}', '{x="2",}'), ('{x="2"}', '{x="\\q"}'), ('{x="2"}', '{x="2"'),
                     ('{x="2"}', '{x="1",x="2"}'), ("counter", "count"), ("# TYPE a", "#TYPE a"),
                     ("# HELP", "# UNIT a seconds\n# HELP"), ("# EOF", "\n# EOF"),
                     ("# EOF", "# TYPE a counter\n# HELP a b\n# EOF")):
        try:
            parse(good.replace(old, new))
        except Bad:
            continue
        raise AssertionError("passes: " + good.replace(old, new))
