# SPDX-License-Identifier: Apache-2.0
"""The memory of an emulated machine as it is when the kernel starts: boot header, boot parameters,
command line, kernel, initramfs, as one file that Bochs loads at 1 MiB. It must never be larger than
the machine; testbed/boot/header.S explains the layout's constraints."""
import os
import struct
import subprocess

import elf
import paths

BLOCK = 0x20000          # Bochs hands out memory in blocks of this size
HEADER = 0x100000        # where the image is loaded
PADDING = 64             # blocks that the BIOS may take before the header runs
OPTION_ROM = 0xD0000
PARAMETERS, TABLES, BOOT_PARAMS, CMDLINE = 0x800, 0x1000, 0x8000, 0x9000
PAD, LAST_PAD, END = b"PADX", b"PADL", b"END!"


def _assemble(name, address):
    """Flat binary of a file in testbed/boot, linked to run at address."""
    source = os.path.join(paths.TESTBED, "boot", name + ".S")
    out = os.path.join(paths.BUILD, f"{name}.{os.getpid()}")
    os.makedirs(paths.BUILD, exist_ok=True)
    try:
        subprocess.run(["as", "--64", "-o", out + ".o", source], check=True)
        subprocess.run(["ld", "-m", "elf_x86_64", "--oformat", "binary", f"-Ttext={address:#x}",
                        "-o", out + ".bin", out + ".o"], check=True)
        with open(out + ".bin", "rb") as f:
            return f.read()
    finally:
        for suffix in (".o", ".bin"):
            if os.path.exists(out + suffix):
                os.unlink(out + suffix)


def option_rom():
    rom = bytearray(_assemble("option-rom", OPTION_ROM))
    if len(rom) != 512:
        paths.fail("the option ROM must have exactly 512 bytes")
    rom[511] = -sum(rom[:511]) & 0xFF
    return bytes(rom)


def _boot_params(memory, initrd, initrd_size):
    """struct boot_params (Documentation/x86/zero-page.rst)."""
    params = bytearray(0x1000)
    acpi = memory - 0x10000  # the BIOS puts its ACPI tables at the end of memory
    regions = [(0, 0x9F000, 1), (0x9F000, 0x1000, 2), (0xE8000, 0x18000, 2),
               (0x100000, acpi - 0x100000, 1), (acpi, 0x10000, 3), (0xFFFC0000, 0x40000, 2)]
    params[0x1E8] = len(regions)
    for i, region in enumerate(regions):
        struct.pack_into("<QQI", params, 0x2D0 + 20 * i, *region)
    struct.pack_into("<H", params, 0x1FE, 0xAA55)
    params[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", params, 0x206, 0x20F)
    params[0x210] = 0xFF                                  # type_of_loader: undefined
    params[0x211] = 1                                     # loadflags: LOADED_HIGH
    struct.pack_into("<II", params, 0x218, initrd, initrd_size)
    struct.pack_into("<I", params, 0x228, HEADER + CMDLINE)
    struct.pack_into("<I", params, 0x238, 2047)           # cmdline_size
    return params


def _header(kernel_start, blocks, entry, memory, initrd, initrd_size, cmdline):
    block = bytearray(BLOCK)
    code = _assemble("header", HEADER)
    block[:len(code)] = code
    # The blocks the header may spend on finding the end of the padding: below the ACPI tables.
    struct.pack_into("<IIII", block, PARAMETERS, memory - 0x400000, kernel_start, blocks, entry)
    # Identity map of 4 GiB in 2 MiB pages: one PML4, one PDPT, four PDs.
    struct.pack_into("<Q", block, TABLES, HEADER + TABLES + 0x1000 | 3)
    for i in range(4):
        struct.pack_into("<Q", block, TABLES + 0x1000 + 8 * i,
                         HEADER + TABLES + 0x2000 + 0x1000 * i | 3)
    for i in range(2048):
        struct.pack_into("<Q", block, TABLES + 0x2000 + 8 * i, i << 21 | 0x83)
    block[BOOT_PARAMS:BOOT_PARAMS + 0x1000] = _boot_params(memory, initrd, initrd_size)
    line = cmdline.encode() + b"\0"
    if len(line) > 2048:
        paths.fail(f"the kernel command line has {len(line)} characters, 2047 are possible")
    block[CMDLINE:CMDLINE + len(line)] = line
    return block


def write(path, vmlinux, initrd, cmdline, megabytes):
    """initrd is a list of archives; the kernel sees them as one."""
    with open(vmlinux, "rb") as f:
        kernel = f.read()
    loads = [s for s in elf.segments(kernel) if s.type == elf.PT_LOAD]
    start = min(s.paddr for s in loads)
    initrd_at = (max(s.paddr + s.memsz for s in loads) + 0x1FFFFF) & ~0x1FFFFF
    initrd_size = sum(map(len, initrd))
    memory = megabytes << 20
    blocks = (initrd_at + initrd_size + len(END) + BLOCK - 1 - start) // BLOCK + 1
    end = start + blocks * BLOCK
    if end > memory - 0x1000000:
        paths.fail(f"kernel and initramfs end at {end >> 20} MiB: --mem must be at least "
                   f"{(end >> 20) * 2 - 16} so that the initramfs can be unpacked")

    with open(path, "wb") as f:
        f.write(_header(start, blocks, elf.entry(kernel), memory, initrd_at, initrd_size, cmdline))
        for i in range(PADDING):
            f.write((LAST_PAD if i == PADDING - 1 else PAD).ljust(BLOCK, b"\0"))
        base = f.tell() - start
        for s in loads:
            f.seek(base + s.paddr)
            f.write(kernel[s.offset:s.offset + s.filesz])
        f.seek(base + initrd_at)
        for part in initrd:
            f.write(part)
        f.seek(base + end - BLOCK)
        f.write(END)
        f.truncate(base + end)
