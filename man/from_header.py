#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages of section 3, from the public headers: one for each function, of the comment above its declaration.
Functions that follow each other without an empty line share a comment. A function without one fails.

    from_header.py --list HEADER          names of its functions
    from_header.py HEADER LIBRARY FOLDER  writes FOLDER/NAME.3 for each; LIBRARY is what to link with
"""
import os
import re
import sys

FUNCTION = re.compile(r"^(?:struct |enum )?\w+[\w\s*]*?\b(\w+)\(")
SKIPPED = ("typedef", "extern", "_Static_assert")


def statements(text):
    """(comment, code) of each top-level declaration; comment: the nearest one above, in its block."""
    comment = None
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.strip():
            comment = None
        elif line.startswith("/*"):
            block = [line]
            while "*/" not in block[-1]:
                block.append(next(lines))
            comment = plain("\n".join(block))
        elif line[0] not in "#}\t )" and not line.startswith(SKIPPED):
            code = [line]
            while not re.search(r"[;{]\s*(/\*.*)?$", code[-1]):
                code.append(next(lines))
            aside = re.search(r"/\*(.*)\*/\s*$", code[-1])
            own = plain(aside.group(0)) if aside else None
            code = re.sub(r"/\*.*?\*/", "", "\n".join(code)).strip()
            yield own or comment, code
            # a body
            depth = code.count("{") - code.count("}")
            while depth > 0:
                body = next(lines)
                depth += body.count("{") - body.count("}")


def plain(comment):
    """A comment's text, with its line breaks and without its marks."""
    body = comment.strip()[2:-2]
    return "\n".join(re.sub(r"^\s*\* ?", "", line).strip() for line in body.split("\n")).strip()


def functions(path):
    """(name, prototype, comment) of each function that the header declares, in its order."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for comment, code in statements(text):
        code = prototype(code)
        found = FUNCTION.match(code)
        if found:
            yield found.group(1), code, comment


def prototype(code):
    code = " ".join(re.sub(r"__attribute__\(\(.*?\)\)\s*", "", code).split())
    return re.sub(r"\s*\{$", ";", code.removeprefix("static inline "))


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def first_sentence(text):
    sentence = re.split(r"(?<=[.:;])\s", " ".join(text.split()))[0].rstrip(".:;")
    return sentence[:160]


def overview(path):
    """The header's first comment that is not its licence."""
    with open(path, encoding="utf-8") as f:
        comments = re.findall(r"/\*.*?\*/", f.read(), re.S)
    return plain(next(c for c in comments if "SPDX" not in c))


def page(name, declared, comment, header, library, about, before):
    what, _, errors = comment.partition("\nErrors:")
    if comment.startswith("Errors:"):
        what, errors = "", comment[len("Errors:"):]
    parts = [f'.TH {name} 3 "" ELISA "Library Functions Manual"', ".nh", ".SH NAME",
             f"{name} \\- {escaped(first_sentence(what or name))}", ".SH SYNOPSIS", ".nf",
             f"\\fB#include <{header}>\\fP", "", f"\\fB{escaped(declared)}\\fP", ".fi", "",
             f"Link with \\fI\\-l{library}\\fP (pkg\\-config lib{library}).", ".SH DESCRIPTION"]
    parts += [escaped(what)]
    if errors:
        parts += [".SH ERRORS", escaped(errors.strip())]
    parts += [".SH NOTES", escaped(about)]
    if before:
        parts += [".SH SEE ALSO", f".BR {before} (3),", "which is declared before it"]
    return "\n".join(parts) + "\n"


def main():
    if sys.argv[1] == "--list":
        print("\n".join(name for name, _, _ in functions(sys.argv[2])))
        return
    path, library, folder = sys.argv[1:]
    header = path[path.rindex("include/") + len("include/"):]
    about = overview(path)
    before = None
    for name, declared, own in functions(path):
        if not own:
            sys.exit(f"{header}: {name}() has no comment")
        with open(os.path.join(folder, name + ".3"), "w", encoding="utf-8") as f:
            f.write(page(name, declared, own, header, library, about, before))
        before = name


main()
