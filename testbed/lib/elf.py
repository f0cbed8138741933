# SPDX-License-Identifier: Apache-2.0
"""The little that the testbed must know of ELF files. Never guesses: what is no ELF file has no
segments and no libraries."""
import collections
import re
import struct
import subprocess

PT_LOAD, PT_INTERP = 1, 3
Segment = collections.namedtuple("Segment", "type offset paddr filesz memsz")


def is_elf(data):
    return data[:5] == b"\x7fELF\x02"


def entry(data):
    return struct.unpack_from("<Q", data, 24)[0]


def segments(data):
    if not is_elf(data):
        return []
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = []
    for i in range(count):
        kind, _, offset, _, paddr, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", data, table + i * size)
        found.append(Segment(kind, offset, paddr, filesz, memsz))
    return found


def libraries(path):
    """The shared libraries (and the loader) that a program needs, as the loader finds them here."""
    with open(path, "rb") as f:
        head = f.read(4096)
    if not is_elf(head):
        return []
    listing = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, check=False).stdout
    missing = re.findall(r"(\S+) => not found", listing)
    if missing:
        raise FileNotFoundError(f"{path} needs {', '.join(missing)}")
    return re.findall(r"(?:=> |^\t)(/\S+) \(0x", listing, re.M)
