#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One name for one thing: what a component defines for its other files begins with the component's prefix, so that
   no two components define the same name: check.py ROOT"""
import pathlib
import re
import sys

# gate/ builds the pages for host and guest, and shares the library's prefix
PREFIX = {"host": "eh_", "guest": "eg_", "gate": "elisa_", "include/elisa": "elisa_", "lib": "elisa_"}
# it stands in for what a function has of the host
DOUBLES = "lib/sub_test"
# what the kernel calls by name, and macros that define something
EXCEPT = re.compile(r"^(module_(init|exit|param\w*)|MODULE_\w+|DEFINE_\w+|LIST_HEAD|DECLARE_\w+|__\w+|main)$")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
FUNCTION = re.compile(r"^(?!static\b|typedef\b|#|\s)[\w\s*]*?\b(\w+)\([^;{}()]*(?:\([^()]*\)[^;{}()]*)*\)\s*\n\{", re.M)
INLINE = re.compile(r"^static (?:__always_inline|inline)[\w\s*]*?\b(\w+)\(", re.M)
TYPE = re.compile(r"^(?:struct|enum|union) (\w+) \{", re.M)


def defined(path):
    """The names that other files can see."""
    text = COMMENT.sub("", path.read_text(encoding="utf-8"))
    names = set(FUNCTION.findall(text))
    if path.suffix == ".h":
        names |= set(INLINE.findall(text)) | set(TYPE.findall(text))
    return {name for name in names if not EXCEPT.match(name)}


def main(root):
    places, wrong = {}, 0
    for component, prefix in PREFIX.items():
        for path in sorted((root / component).rglob("*.[ch]")):
            if component == "gate" and path.stem != "gate_page" or str(path.relative_to(root)).startswith(DOUBLES):
                continue
            for name in defined(path):
                places.setdefault(name, {}).setdefault(component, path)
                if component in ("host", "guest") and not name.startswith(prefix) and path.suffix == ".c":
                    print("%s: %s does not begin with %s" % (path.relative_to(root), name, prefix))
                    wrong += 1
    for name, where in places.items():
        if len(where) > 1:
            print("%s is defined by %s" % (name, ", ".join(str(path.relative_to(root)) for path in where.values())))
            wrong += 1
    print("%d names, %d of them wrong" % (len(places), wrong))
    return 1 if wrong or len(places) < 300 else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
