#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each file's SPDX line says what debian/copyright says of it, each pattern there is about a file, and no file of the
   kernel's modules includes a header of the project that is under Apache-2.0 alone: licences.py ROOT"""
import fnmatch
import pathlib
import re
import subprocess
import sys

LINE = re.compile(r"^\W*(?:\.\\\" )?SPDX-License-Identifier: (.*?)(?: \*/)?$", re.M)
INCLUDE = re.compile(r"^#include <(elisa/[\w/]+\.h)>", re.M)
NAMES = {
    "GPL-2.0-only OR Apache-2.0": "GPL-2.0-only or Apache-2.0",
    "(GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0": "GPL-2.0-only with Linux-syscall-note or Apache-2.0",
}


def paragraphs(text):
    """The patterns of debian/copyright with their licences, in its order: the last that matches counts."""
    for paragraph in text.split("\n\n"):
        files, licence = re.search(r"^Files: (.*(?:\n .*)*)", paragraph, re.M), re.search(r"^License: (.*)", paragraph, re.M)
        if files and licence:
            for pattern in files[1].split():
                yield pattern, licence[1]


def main(root):
    patterns = list(paragraphs((root / "debian/copyright").read_text(encoding="utf-8")))
    names = subprocess.check_output(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], text=True).split()
    said, used, wrong = {}, set(), 0
    for name in names:
        path = root / name
        if not path.is_file():
            continue
        matching = [(pattern, licence) for pattern, licence in patterns if fnmatch.fnmatchcase(name, pattern)]
        used |= {pattern for pattern, _ in matching}
        try:
            line = LINE.search("\n".join(path.read_text(encoding="utf-8").split("\n")[:3]))
        except UnicodeDecodeError:
            continue
        if line:
            said[name] = NAMES.get(line[1], line[1])
            if said[name] != matching[-1][1]:
                print("%s: %s, and debian/copyright says %s" % (name, said[name], matching[-1][1]))
                wrong += 1
    for pattern in sorted({pattern for pattern, _ in patterns} - used):
        print("debian/copyright: %s is no file" % pattern)
        wrong += 1
    # host and guest, and the headers by which they reach others
    todo = [name for name in said if re.match(r"(host|guest)/.*\.[chS]$", name)]
    seen = set(todo)
    while todo:
        name = todo.pop()
        for header in INCLUDE.findall((root / name).read_text(encoding="utf-8")):
            header = "include/" + header
            if said.get(header) == "Apache-2.0":
                print("%s: a part of a kernel's module, and includes %s" % (name, header))
                wrong += 1
            if header in said and header not in seen:
                seen.add(header)
                todo.append(header)
    print("%d files with a licence, %d wrong" % (len(said), wrong))
    return wrong


sys.exit(1 if main(pathlib.Path(sys.argv[1])) else 0)
