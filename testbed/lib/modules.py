# SPDX-License-Identifier: Apache-2.0
"""Kernel modules for an initramfs: found, ordered by what they need, stripped. A stripped module
loads several times faster under emulation; its code and its version checks are never touched."""
import lzma
import os
import re
import subprocess

import paths


def _read(path):
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def _name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


class Modules:
    """The modules of one kernel, and modules built for it that are given as files."""

    def __init__(self, kernel, btf=False):
        self.kernel = kernel
        self.btf = btf
        self.files = {}
        for folder, _, names in os.walk(os.path.realpath(os.path.join(kernel, "modules", "kernel"))):
            for name in names:
                if ".ko" in name:
                    self.files[_name(name)] = os.path.join(folder, name)
        with open(os.path.join(kernel, "modules", "modules.builtin"), encoding="ascii") as f:
            self.builtin = {_name(line.strip()) for line in f}

    def add(self, wanted):
        """Make NAME or FILE.ko known; returns its module name."""
        name = _name(wanted)
        if wanted.endswith(".ko"):
            if not os.path.exists(wanted):
                paths.fail(f"no module file {wanted}")
            self.files[name] = wanted
        return name

    def stripped(self, name):
        source = self.files[name]
        stat = os.stat(source)
        cache = os.path.join(paths.BUILD, "modules", os.path.basename(self.kernel),
                             f"{name}-symbols-{'btf-' if self.btf else ''}{stat.st_size}-{stat.st_mtime_ns}.ko")
        if not os.path.exists(cache):
            plain = f"{cache}.{os.getpid()}.plain"
            paths.replace(plain, _read(source))
            subprocess.run(["strip", "--strip-debug", *([] if self.btf else ["-R", ".BTF"]), plain],
                           check=True)
            os.rename(plain, cache)
        return _read(cache)

    def order(self, name):
        """name and all that it depends on, in loading order."""
        if name in self.builtin:
            return []
        if name not in self.files:
            paths.fail(f"{os.path.basename(self.kernel)} has no module {name}")
        found = re.search(rb"\0depends=([^\0]*)\0", _read(self.files[name]))
        result = []
        for need in (found.group(1).decode().split(",") if found and found.group(1) else []):
            result += [n for n in self.order(need.replace("-", "_")) if n not in result]
        return result + [name]

    def pack(self, archive, names):
        """Put modules below /modules, with the loading order that the shell's modload reads."""
        wanted = []
        for name in names:
            if name in self.builtin and name not in wanted:
                wanted.append(name)
            wanted += [n for n in self.order(name) if n not in wanted]
        for name in wanted:
            if name in self.builtin:
                continue
            archive.data(f"/modules/{name}.ko", self.stripped(name))
        archive.data("/modules/order",
                     "".join(f"{name}: {' '.join(self.order(name))}\n" for name in wanted))
