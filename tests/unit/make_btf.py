#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types of a made-up kernel, as Linux shows them: make_btf.py DIRECTORY [FUNCTION[=ARGUMENTS]]...

Writes vmlinux, kvm and kvm_intel with the functions of <elisa/kvm_hooks.h>. A function that is named
has other arguments, or is missing if none follow."""
import os
import re
import struct
import sys

HOOKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../include/elisa/kvm_hooks.h")
INT, PTR, STRUCT, TYPEDEF, CONST, FUNC, PROTO = 1, 2, 4, 8, 10, 12, 13


class Types:
    def __init__(self, base=None):
        self.base, self.types, self.known = base, b"", {}
        self.strings = b"" if base else b"\0"
        self.first = base.first + base.count if base else 1
        self.count = 0

    def string(self, text):
        at = len(self.strings) + (len(self.base.strings) if self.base else 0)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, name, kind, third, more=b"", members=0):
        self.types += struct.pack("<III", self.string(name) if name else 0, kind << 24 | members,
                                  third) + more
        self.count += 1
        return self.first + self.count - 1

    def of(self, text):
        """The number of a type, which is made if there is none."""
        if text == "void":
            return 0
        if self.base and text in self.base.known:
            return self.base.known[text]
        if text not in self.known:
            if text.endswith(" *"):
                number = self.add("", PTR, self.add("", CONST, self.of(text[:-2])))
            elif text.startswith("struct "):
                number = self.add(text[7:], STRUCT, 8, struct.pack("<III", 0, 0, 0), 1)
            elif text in ("int", "unsigned int", "long unsigned int"):
                number = self.add(text, INT, 8, struct.pack("<I", 64))
            else:
                number = self.add(text, TYPEDEF, self.of("int"))
            self.known[text] = number
        return self.known[text]

    def function(self, name, prototype):
        result, arguments = re.fullmatch(r"(.*?) \((.*)\)", prototype).groups()
        numbers = [self.of(a) for a in arguments.split(", ")]
        more = b"".join(struct.pack("<II", 0, n) for n in numbers)
        self.add(name, FUNC, self.add("", PROTO, self.of(result), more, len(numbers)))

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(self.types),
                                   len(self.types), len(self.strings)) + self.types + self.strings)


def main():
    directory, changed = sys.argv[1], dict(a.partition("=")[::2] for a in sys.argv[2:])
    with open(HOOKS, encoding="utf-8") as file:
        entries = re.findall(r'\(\w+, "(\w+)", "(\w+)",\s*(?:\\\s*)?"([^"]+)"\)', file.read())
    kernel = Types()
    kernel.of("struct kvm_vcpu *")
    modules = {"kvm": Types(kernel), "kvm_intel": Types(kernel)}
    for module, function, prototype in entries:
        if function in changed:
            if not changed[function]:
                continue
            prototype = prototype.split("(")[0] + f"({changed[function]})"
        modules[module].function(function, prototype.replace("...", "u64"))
    for name, types in {"vmlinux": kernel, **modules}.items():
        types.write(os.path.join(directory, name))
    assert len(entries) == 20, len(entries)


main()
