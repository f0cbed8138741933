#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what makes the text hard to read: english.py ROOT [--list KIND | --check]

Kinds: "words" are the pronouns of WORDS, which the text says of a page or a vCPU; "sentences" are those of
more than 25 words that users read; "columns" are comment lines of more than 100 columns; "comments" is the density of
comments in host/ and gate/; "commits" have a body. --check fails for a finding in an area that is rid of its kind
(CLEAN): tests/check runs it."""
import collections
import pathlib
import re
import subprocess
import sys

MOST_WORDS = 25
MOST_COLUMNS = 100
WORDS = re.compile(r"\b(who(m|ever)?|(no|some|any|every)body)\b", re.I)
# "whose" of a thing is English, but often one clause too many: counted only
WHOSE = re.compile(r"\bwhose\b", re.I)
# people are named so
PERSON = re.compile(r"\b(administrators?|operators?|people|persons?|users?|authors?|readers?|engineers?|reviewers?|"
                    r"developers?|maintainers?|attackers?|contributors?|those),? who(m|se)?\b", re.I)
NOT_OURS = ("LICENSES/", "debian/changelog", "tests/names/english.py", "docs/results/", "tests/fuzz/", "packaging/")
TEXT = {".md", ".c", ".h", ".S", ".inc", ".py", ".sh", ".rst", ".build", ".json", ".service", ".conf", "",
        ".1", ".5", ".8"}
CODE = {".c", ".h", ".S", ".inc"}
USER_PAGES = re.compile(r"(README|CONTRIBUTING)\.md|docs/[\w-]+\.md|tests/README\.md|man/[\w.-]+\.[158]")
USER_CODE = re.compile(r"(lib|apps|tools)/.*\.c|include/(?!elisa-compat).*\.h")
# a list of errors is no sentence
ERRORS = re.compile(r"`E[A-Z]{3,}`")
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vol|cf|vs|etc|No|approx)|\.\.)\.$")
# area: the kinds of which it has none, and is to have none
CLEAN = {area: ("words", "sentences", "columns") for area in (
    "README.md", "CONTRIBUTING.md", "docs/", "man/", "include/", "lib/", "tools/", "apps/", "switch/", "host/", "gate/",
    "guest/", "dpdk/")}
NOT_CLEAN = ("docs/tested.md",)


def files(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, stdout=subprocess.PIPE).stdout
    for name in listed.decode().split("\0"):
        path = root / name
        if name and not name.startswith(NOT_OURS) and path.suffix in TEXT and path.is_file():
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass


def markdown(text):
    """(line number, text) of each paragraph: no code, no tables, no headings. An item of a list is a paragraph."""
    paragraph, first, fenced, margin, before = [], 0, False, 0, True
    for number, line in enumerate(text.split("\n") + [""], 1):
        indent = len(line) - len(line.lstrip())
        bare = line.strip()
        item = re.match(r"(\s*)([-*]|\d+\.) +", line)
        if bare.startswith("```"):
            fenced, bare = not fenced, ""
        code = fenced or before and indent >= 4 + margin and not item
        if not bare or code or bare.startswith(("|", "#", "<!--")) or item:
            if paragraph:
                yield first, " ".join(paragraph)
            paragraph = []
            if item and not code:
                paragraph, first, margin = [line[item.end():].strip()], number, item.end()
            elif bare and indent == 0:
                margin = 0
            before = not bare or code or bare.startswith("<!--")
            continue
        if indent == 0 and before:
            margin = 0
        before = False
        if not paragraph:
            first = number
        paragraph.append(bare)


def manual(text):
    """Likewise, of a page in mdoc."""
    paragraph, first, display = [], 0, False
    for number, line in enumerate(text.split("\n") + [".Pp"], 1):
        if line.startswith(".Sh"):
            display = line == ".Sh SYNOPSIS"
        if line.startswith(".Bd"):
            display = True
        if line.startswith(".Ed"):
            display = False
        if line.startswith('.\\"'):
            continue
        macro = re.match(r"\.(\w+)", line)
        if display or macro and macro[1] in ("Pp", "Sh", "Ss", "It", "Bl", "El", "Bd", "Ed", "Dd", "Dt", "Os", "Nd", "D1", "Dl"):
            if paragraph:
                yield first, " ".join(paragraph)
            paragraph = []
            continue
        if not paragraph:
            first = number
        line = re.sub(r"^\.\w+ ?", "", line)
        paragraph.append(re.sub(r" ([.,;:)])", r"\1", line))


def strings(text):
    """Likewise, what a program says: strings that stand behind each other are one; each of their lines is a paragraph."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    text = re.sub(r"^\s*#\s*include.*", "", text, flags=re.M)
    for m in re.finditer(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\\n]|\\.)*")*', text):
        said = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', m[0]))
        # an error is two sentences: what is wrong; what to do
        for line in re.split(r"\\n|; |: ", said):
            yield text.count("\n", 0, m.start()) + 1, line


def header(text):
    """Likewise, the comments of a public header."""
    for m in re.finditer(r"/\*.*?\*/", text, re.S):
        body = re.sub(r"^\s*\* ?", "", m[0][2:-2], flags=re.M)
        at = text.count("\n", 0, m.start()) + 1
        # lists: of items, of registers, of the errors that a function gives
        for part in re.split(r"\n\s*\n|\n\s*(?=[-*] )|\n {2,}(?=\S)|(?=\bErrors[:,])", body):
            if not part.startswith("Errors"):
                yield at, " ".join(part.split())


def sentences(paragraph):
    paragraph = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
    paragraph = re.sub(r"`[^`]*`", "code", paragraph)
    said = ""
    for part in re.split(r"(?<=[.!?:])[\"')*]*\s+|(?<=[.!?][\"')*])\s+", paragraph):
        said = said + " " + part if said else part
        if not ABBREVIATION.search(part) and not part.endswith(":"):
            yield said
            said = ""
    if said:
        yield said


def long_sentences(name, text):
    if USER_PAGES.fullmatch(name):
        paragraphs = manual(text) if re.search(r"\.[158]$", name) else markdown(text)
    elif USER_CODE.fullmatch(name):
        paragraphs = header(text) if name.endswith(".h") else strings(text)
    else:
        return
    for at, paragraph in paragraphs:
        if len(ERRORS.findall(paragraph)) > 3:
            continue
        for sentence in sentences(paragraph):
            count = sum(1 for word in sentence.split() if re.search(r"\w", word))
            if count > MOST_WORDS:
                yield at, "%d words: %s" % (count, sentence)


def comment_lines(text):
    """(number, line, whether nothing but a comment) of the lines that have a comment."""
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        whole = inside or bare.startswith(("/*", "//"))
        if whole or "/*" in line or " //" in line:
            yield number, line, whole and (inside and "*/" not in bare or not re.search(r"\*/\s*\S", bare))
        for mark in re.findall(r"/\*|\*/", line):
            inside = mark == "/*"


def prose(name, text):
    """The text without what is code: names of variables, commands."""
    suffix = pathlib.Path(name).suffix
    if suffix in CODE:
        kept = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"", re.S)
        said, at = [], 0
        for m in kept.finditer(text):
            said += ["\n" * text.count("\n", at, m.start()), m[0]]
            at = m.end()
        return " ".join(said)
    if suffix == ".sh" or text.startswith("#!") and suffix != ".py":
        return re.sub(r"(?m)^(?!\s*#).*?(?=\s# |$)", "", text)
    if suffix in (".md", ".rst"):
        # without commands and their output
        return re.sub(r"`[^`\n]*`", "", re.sub(r"(?m)^ {4,}(?![-*\d]).*$", "", text))
    return text


def findings(root):
    for name, text in files(root):
        for number, line in enumerate(prose(name, text).split("\n"), 1):
            for _ in WORDS.findall(PERSON.sub("", line)):
                yield "words", name, number, line.strip()
            for _ in WHOSE.findall(PERSON.sub("", line)):
                yield "whose", name, number, line.strip()
        for number, said in long_sentences(name, text):
            yield "sentences", name, number, said
        if pathlib.Path(name).suffix in CODE:
            for number, line, _ in comment_lines(text):
                if len(line.expandtabs(8)) > MOST_COLUMNS:
                    yield "columns", name, number, line.strip()


def density(root, area):
    comments = lines = 0
    for name, text in files(root):
        if name.startswith(area) and pathlib.Path(name).suffix in CODE:
            lines += sum(1 for line in text.split("\n") if line.strip())
            comments += sum(1 for _, line, whole in comment_lines(text) if whole and line.strip())
    return comments, lines


def area_of(name):
    return name.split("/")[0] if "/" in name else name


def main():
    root = pathlib.Path(sys.argv[1])
    what = sys.argv[2] if len(sys.argv) > 2 else ""
    found = list(findings(root))
    if what == "--list":
        for kind, name, number, line in found:
            if kind == sys.argv[3]:
                print("%s:%d: %s" % (name, number, line))
        return 0
    if what == "--check":
        wrong = [f for f in found for area, kinds in CLEAN.items()
                 if f[1].startswith(area) and f[0] in kinds and f[1] not in NOT_CLEAN]
        for kind, name, number, line in wrong:
            print("%s:%d: %s: %s" % (name, number, kind, line))
        print("%d findings in %d areas" % (len(wrong), len(CLEAN)))
        return 1 if wrong else 0
    for kind in ("words", "whose", "sentences", "columns"):
        by_area = collections.Counter(area_of(name) for k, name, _, _ in found if k == kind)
        print("%s %d: %s" % (kind, sum(by_area.values()), ", ".join("%s %d" % pair for pair in by_area.most_common())))
    for area in ("host/", "gate/"):
        comments, lines = density(root, area)
        print("comments %s %d of %d lines, %.1f %%" % (area, comments, lines, 100 * comments / lines))
    bodies = subprocess.run(["git", "-C", root, "log", "--format=%b%x00"], check=True, stdout=subprocess.PIPE)
    bodies = bodies.stdout.decode().split("\0")[:-1]
    print("commits %d of %d have a body" % (sum(1 for body in bodies if body.strip()), len(bodies)))
    return 0


sys.exit(main())
