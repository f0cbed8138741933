#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of documents and manual pages say what the headers say: between the marks "list: NAME" and "end of list"
are the lines that PRINT has for that list, and each of its lists is somewhere.
check.py PRINT SOURCE-ROOT [--write]   with --write the tables are written anew"""
import glob
import re
import subprocess
import sys

printer, root = sys.argv[1:3]
MARKED = re.compile(r"^(<!-- |\.\\\" )list: (?P<name>[\w-]+)[^\n]*\n(?P<table>.*?)^(<!-- |\.\\\" )end of list",
                    re.M | re.S)

lists = {}
for line in subprocess.run([printer], check=True, capture_output=True, text=True).stdout.splitlines(True):
    if line.startswith("= "):
        name = line[2:].strip()
        lists[name] = ""
    else:
        lists[name] += line

wrong, seen = [], set()


def rows(match):
    """The table with its heading, if it has one, and the rows of the list."""
    seen.add(match["name"])
    head = re.match(r"(\|[^\n]*\n\|[-|]+\n)?", match["table"]).group()
    if match["table"] != head + lists[match["name"]]:
        wrong.append("%s: the table '%s' is not what the header says" % (path, match["name"]))
    start = match.start("table") - match.start()
    return match.group()[:start] + head + lists[match["name"]] + match.group()[match.end("table") - match.start():]


for path in sorted(glob.glob(root + "/docs/*.md") + glob.glob(root + "/man/*.[0-9]")):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    new = MARKED.sub(rows, text)
    if "--write" in sys.argv and new != text:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
wrong += ["no document has the table '%s'" % name for name in sorted(set(lists) - seen)]
print("\n".join(wrong) if wrong else "%d tables" % len(seen))
sys.exit(1 if wrong and "--write" not in sys.argv else 0)
