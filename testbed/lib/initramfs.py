# SPDX-License-Identifier: Apache-2.0
"""The initramfs of the emulated host and that of its guests, in parts that are built once and parts
that belong to one run. Nothing is taken from the machine we run on but what is asked for, busybox,
and (if wanted) QEMU."""
import hashlib
import os
import subprocess

import cpio
import elf
import paths
from modules import Modules

QEMU = "/usr/bin/qemu-system-x86_64"
FIRMWARE = ("qboot.rom", "pvh.bin", "linuxboot_dma.bin")
BUSYBOX = "/bin/busybox"


def _stamp(*files):
    """A name part that changes when one of the files does."""
    stats = [os.stat(f) for f in files]
    text = repr([(f, s.st_size, s.st_mtime_ns) for f, s in zip(files, stats)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cached(name, sources, build):
    cache = os.path.join(paths.BUILD, f"{name}-{_stamp(*sources)}.cpio")
    if not os.path.exists(cache):
        paths.replace(cache, build().bytes())
    with open(cache, "rb") as f:
        return f.read()


def tools():
    """The static helper program of testbed/host/tools.c."""
    source = os.path.join(paths.TESTBED, "host", "tools.c")
    binary = os.path.join(paths.BUILD, f"tools-{_stamp(source)}")
    if not os.path.exists(binary):
        os.makedirs(paths.BUILD, exist_ok=True)
        tmp = f"{binary}.{os.getpid()}"
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s",
                        "-o", tmp, source], check=True)
        os.rename(tmp, binary)
    return binary


def program(archive, destination, source):
    """A file with the libraries it needs, which keep their places."""
    archive.file(destination, source)
    for library in elf.libraries(source) if os.path.isfile(source) else []:
        archive.file(library, library)


def _base():
    if not os.path.exists(BUSYBOX):
        paths.fail("no /bin/busybox: run testbed/install-deps")
    helper = tools()

    def build():
        archive = cpio.Archive()
        for folder in ("bin", "dev", "proc", "sys", "tmp", "run", "etc", "root"):
            archive.directory(folder)
        archive.node("/dev/console", 5, 1)
        archive.node("/dev/null", 1, 3, 0o666)
        archive.file("/bin/busybox", BUSYBOX)
        archive.file("/testbed/bin/e9cat", helper)
        for name in ("relay", "kmsg", "runas", "tsc"):
            archive.link(f"/testbed/bin/{name}", "e9cat")
        archive.data("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
        archive.data("/etc/group", "root:x:0:\n")
        return archive
    return _cached("base", [BUSYBOX, helper, __file__], build)


def qemu():
    if not os.path.exists(QEMU):
        paths.fail(f"no {QEMU}: run testbed/install-deps")
    firmware = [os.path.join("/usr/share/qemu", name) for name in FIRMWARE]

    def build():
        archive = cpio.Archive()
        program(archive, QEMU, QEMU)
        for file in firmware:
            archive.file(file, os.path.realpath(file))
        return archive
    return _cached("qemu", [QEMU, __file__, *firmware, *elf.libraries(QEMU)], build)


def _given(archive, files):
    """SRC or SRC:DST arguments; without DST a file goes to the root directory."""
    for each in files:
        source, _, destination = each.partition(":")
        if not os.path.exists(source):
            paths.fail(f"no file {source}")
        program(archive, destination or "/" + os.path.basename(source), source)


def _script(archive, name, *where):
    archive.file(name, os.path.join(paths.TESTBED, *where))


def guest(kernel, modules=(), roles=(), files=()):
    """The initramfs of the guests. roles are NAME=FILE; init runs the one on the command line."""
    archive = cpio.Archive()
    _script(archive, "/init", "guest", "init")
    _script(archive, "/testbed/lib.sh", "host", "lib.sh")
    available = Modules(kernel)
    names = ["virtio_mmio", "virtio_console"] + [available.add(m) for m in modules]
    available.pack(archive, names)
    for role in roles:
        name, _, source = role.partition("=")
        if not os.path.isfile(source):
            paths.fail(f"role '{role}' is not NAME=FILE with a file that exists")
        archive.file(f"/roles/{name}", source)
    _given(archive, files)
    return [_base(), archive.bytes()]


def host(kernel, job, settings, modules=(), files=(), kvm="", guests=None,
         btf=False):
    """The initramfs of the host. settings: files below /testbed, by name; kvm: parameters of
    kvm_intel, or None to load neither; guests: (kernel, initramfs) for QEMU, or None; btf: modules
    keep their types."""
    archive = cpio.Archive()
    _script(archive, "/init", "host", "init")
    _script(archive, "/testbed/lib.sh", "host", "lib.sh")
    _script(archive, "/testbed/guest.sh", "host", "guest.sh")
    archive.file("/testbed/job", job)
    for name, text in settings.items():
        archive.data(f"/testbed/{name}", text + "\n")
    if kvm is not None:
        archive.data("/testbed/kvm", kvm + "\n")
    available = Modules(kernel, btf)
    names = ["kvm", "kvm_intel"] + [available.add(m) for m in modules]
    available.pack(archive, names)
    _given(archive, files)
    parts = [_base()]
    if guests:
        guest_kernel, guest_initrd = guests
        archive.file("/guest/vmlinux", os.path.join(guest_kernel, "vmlinux"))
        archive.data("/guest/initrd", guest_initrd)
        parts.append(qemu())
    return parts + [archive.bytes()]
