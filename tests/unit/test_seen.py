#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What elisactl shows of what the module counts: vcpus, metrics and top, of a made-up module.
   The metrics are looked at by the rules of OpenMetrics, and by promtool and prometheus_client if they are here.
   test_seen.py ELISACTL-WITH-THAT-MODULE ELISACTL.8"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ELISACTL, MANUAL = sys.argv[1:3]


def elisactl(*arguments, status=0):
    done = subprocess.run([ELISACTL, "--device", "/dev/null", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, (arguments, done)
    return done.stdout if status == 0 else done.stderr


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? ([0-9.e+-]+)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}


def metrics(text):
    """By family: its type and samples. Families do not mix, no sample comes twice."""
    families, family, seen = {}, None, set()
    lines = text.split("\n")
    assert lines[-2:] == ["# EOF", ""], lines[-2:]
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families and not family.endswith("_total"), line
            families[family] = (kind, {})
        elif line.startswith("# HELP "):
            assert line.startswith("# HELP %s " % family) and line.endswith(".") and len(line) > len(family) + 9, line
        else:
            match = SAMPLE.match(line)
            assert match, line
            name, labels, value = match.groups()
            assert name in [family + suffix for suffix in SUFFIXES[families[family][0]]], line
            key = (name, tuple(sorted(LABEL.findall(labels or ""))))
            assert key not in seen, line
            seen.add(key)
            families[family][1][key] = float(value)
    return families


def test_metrics(directory):
    text = elisactl("metrics")
    families = metrics(text)
    with open(MANUAL, encoding="utf-8") as file:
        manual = file.read()
    counters = json.loads(elisactl("--json", "stats"))
    for family, (kind, samples) in families.items():
        assert samples or family == "elisa_vm_closed_vcpus", family
        if family[6:] not in counters:
            assert "\n.It Em %s" % family in manual, "%s is not in the manual page" % family
    for name in ("hypercalls", "throttled", "closed"):
        assert families["elisa_" + name][1] == {("elisa_%s_total" % name, ()): counters[name]}
    (kind, samples) = families["elisa_export_suspended_seconds"]
    buckets = [(float(dict(labels)["le"]), value) for (name, labels), value in samples.items() if "bucket" in name]
    assert len(buckets) == 16 and sorted(buckets) == buckets and buckets[-1][0] == float("inf")
    assert all(a <= b for (_, a), (_, b) in zip(buckets, buckets[1:]))
    count = [value for (name, _), value in samples.items() if name.endswith("_count")]
    assert count == [buckets[-1][1]] and buckets[0] == (1.024e-06, 0) or buckets[0][1] <= count[0]
    closed = {labels: value for (_, labels), value in families["elisa_vm_closed_vcpus"][1].items()}
    assert closed == {(("pid", "4002"), ("reason", "pcid"), ("vm", "2")): 2}, closed
    calls = {dict(labels)["name"]: value for (_, labels), value in families["elisa_attachment_calls"][1].items()}
    assert list(calls) == ["few"] and calls["few"] >= 50000, calls
    output = directory + "/elisa.prom"
    assert elisactl("metrics", "-o", output) == ""
    assert os.listdir(directory) == ["elisa.prom"]
    with open(output, encoding="utf-8") as file:
        assert metrics(file.read()).keys() == families.keys()
    assert "No such file" in elisactl("metrics", "--output", directory + "/none/file", status=1)
    check_with_others(text)


def check_with_others(text):
    if shutil.which("promtool"):
        # that a counter's family has another name than its samples is how OpenMetrics is
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert all(line.endswith("_total no help text") for line in said.splitlines()), said
    try:
        from prometheus_client import parser
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as strictly
    except ImportError:
        return
    assert len(list(strictly(text))) == len(metrics(text))
    assert len(list(parser.text_string_to_metric_families(text))) >= len(metrics(text))


def test_vcpus():
    text = elisactl("vcpus").splitlines()
    assert text[0].split() == ["vm", "vcpu", "state", "closed_by", "attachments", "return_traps", "calls"], text[0]
    assert [line.split()[:4] for line in text[1:]] == [
        ["1", "0", "idle", "not-attached"], ["2", "0", "open", "-"], ["2", "1", "suspended", "-"],
        ["2", "2", "closed", "pcid"], ["2", "3", "closed", "pcid"], ["2", "4", "77", "99"]], text
    vcpus = json.loads(elisactl("--json", "vcpus"))
    assert vcpus[3]["closed_by"] == "pcid" and vcpus[1]["calls"] == 80


def test_histogram():
    whole = json.loads(elisactl("--json", "attachments"))[1]
    assert whole["attachment"] == 2 and whole["suspended"] == 1000 and len(whole["suspensions"]) == 16
    assert whole["suspensions"][0] == {"below_ns": 1024, "times": 1000}
    assert "below_ns" not in whole["suspensions"][15]
    for command in ("attachments", "exports"):
        assert "suspensions" not in elisactl(command)


def test_top():
    options = ["--interval", "0.1", "--count", "2", "top"]
    text = elisactl(*options).splitlines()
    assert len(text) == 6 and "\033" not in "".join(text)
    assert all(len(line) <= 80 for line in text), text
    # the made-up times go faster than the clock: the columns keep their order, not their width
    assert [line.split()[3] for line in text] == ["name", "many", "few"] * 2
    for order, first in (("aborts", "few"), ("time", "many"), ("name", "few"), ("vm", "few"), ("calls", "few"), ("suspended", "many")):
        for view in elisactl("--json", "--sort", order, *options).splitlines():
            assert [row["name"] for row in json.loads(view)][0] == first, order
    row = json.loads(elisactl("--json", *options).splitlines()[0])[0]
    counted = json.loads(elisactl("--json", "--sort", "calls", *options).splitlines()[0])
    assert row["calls_per_second"] == "-" and counted[0]["calls_per_second"] > 10000, counted
    assert row["pid"] == 4002 and 2000 < row["suspended_per_second"] <= 10000, row
    assert "no column 'none'" in elisactl("--sort", "none", "top", status=2)
    elisactl("--interval", "0.01", "top", status=2)
    elisactl("--interval", "1", "vms", status=2)
    elisactl("-o", "/nowhere", "top", status=2)


with tempfile.TemporaryDirectory() as scratch:
    test_metrics(scratch)
test_vcpus()
test_histogram()
test_top()
print("vcpus, metrics, top: as the module says")
