# SPDX-License-Identifier: Apache-2.0
"""What ran where, and how it ended: a line of JSON for each machine in build/results, of which
testbed/results makes a table. Several machines may end at once: each line is one write."""
import datetime
import json
import os
import re

import paths

FILE = os.path.join(paths.ROOT, "build", "results")
# as the jobs say it, behind their mark
ENDED = re.compile(r">> (ok|FAILED|SKIPPED) ([\w.-]+)")


def tests_of(console):
    """The tests that a job has named, each with its verdict; a job may be one test itself."""
    tests = {}
    try:
        with open(console, encoding="utf-8", errors="replace") as f:
            for line in f:
                ended = ENDED.match(line)
                if ended:
                    tests[ended.group(2)] = ended.group(1)
    except OSError:
        pass
    return tests


def record(args, kernel, emulator, console, is_good):
    """Add a machine that has ended. A disk that is full costs the record, not the run."""
    job = os.path.relpath(args.job, paths.ROOT).removesuffix(".sh").removesuffix("/run")
    tests = tests_of(console)
    if not tests or (not is_good and "FAILED" not in tests.values()):
        tests["machine" if tests else args.name] = "ok" if is_good else "FAILED"
    preempt = re.search(r"\bpreempt=(\w+)", args.cmdline)
    line = json.dumps({
        "date": datetime.date.today().isoformat(), "kernel": kernel, "emulator": emulator,
        "model": "host" if emulator == "QEMU" else args.cpu_model, "cpus": args.cpus,
        "preempt": preempt.group(1) if preempt else "", "job": job, "tests": tests})
    try:
        with open(FILE, "a", encoding="utf-8") as f:
            f.write(line + "\n")
    except OSError:
        pass
