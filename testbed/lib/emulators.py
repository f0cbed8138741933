# SPDX-License-Identifier: Apache-2.0
"""How the two kinds of machine are started: Bochs, and QEMU on a host with nested KVM. Each returns a
command line; its standard output is the debug port (0xe9), SERIAL gets the serial port."""
import os
import re
import shutil
import subprocess

import paths
import ramimage

FETCHED = os.path.join(paths.ROOT, "build", "emulator", "bochs")  # by testbed/fetch-emulator
# What no Bochs does right, for tests that would end the machine by it. One that was mended (by
# testbed/build-emulator) says of what in a file beside it.
BROKEN = ("la57",)
BOCHSRC = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model={cpu_model}, count={cpus}, ips={ips}, reset_on_triple_fault=0{quantum}
memory: guest={mem}, host={host_mem}
romimage: file=$BXSHARE/BIOS-bochs-latest
vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest
optromimage1: file="{work}/option.rom", address=0xd0000
optramimage1: file="{work}/ram.img", address=0x100000
boot: cdrom
port_e9_hack: enabled=1
com1: enabled=1, mode=file, dev="{serial}"
log: "{log}"
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
clock: sync=none, time0=1700000000
sound: driver=dummy, waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
"""


def nested_kvm():
    """True on an Intel machine where KVM can run here and can itself run KVM."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            if " vmx" not in f.read():
                return False
        with open("/sys/module/kvm_intel/parameters/nested", encoding="ascii") as f:
            if f.read().strip() not in ("Y", "1"):
                return False
        os.close(os.open("/dev/kvm", os.O_RDWR))
        return True
    except OSError:
        return False


def choose():
    """The emulator to use: "qemu", or a Bochs binary. ELISA_EMULATOR decides if it is set."""
    asked = os.environ.get("ELISA_EMULATOR")
    if asked == "qemu" or (not asked and nested_kvm()):
        return "qemu"
    binary = asked or (FETCHED if os.access(FETCHED, os.X_OK) else "bochs")
    bochs = shutil.which(binary)
    if not bochs:
        paths.fail(f"no emulator '{binary}': run testbed/install-deps")
    return bochs


def version(bochs):
    """The version, as (3, 0), that a Bochs says it has."""
    said = subprocess.run([bochs, "--help", "cpu"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", check=False)
    found = re.search(r"Bochs x86 Emulator (\d+)\.(\d+)", said.stdout + said.stderr)
    if not found:
        paths.fail(f"'{bochs}' does not say which version of Bochs it is")
    return int(found.group(1)), int(found.group(2))


def lacks(emulator):
    """Those words of BROKEN that are true of this emulator."""
    if emulator == "qemu":
        return []
    try:
        with open(os.path.join(os.path.dirname(emulator), "mended"), encoding="ascii") as f:
            mended = f.read().split()
    except OSError:
        mended = []
    return [word for word in BROKEN if word not in mended]


def _no_network(command):
    """Bochs insists on a display, here a VNC server: give it a network of its own, if we may."""
    wrapped = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    try:
        allowed = subprocess.run([*wrapped, "true"], stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return command
    return [*wrapped, *command] if allowed.returncode == 0 else command


def bochs(binary, work, logs, args, vmlinux, initrd, cmdline):
    ramimage.write(os.path.join(work, "ram.img"), vmlinux, initrd, cmdline, args.mem)
    paths.replace(os.path.join(work, "option.rom"), ramimage.option_rom())
    config = BOCHSRC.format(
        cpu_model=args.cpu_model, cpus=args.cpus, mem=args.mem,
        # Bochs has no more than 2 GiB at once; what the machine touches beyond that it puts in a file
        host_mem=min(args.mem, 2048), work=work,
        # A kernel with checks is as far as a stock one when a timer fires.
        ips=100000000 * args.weight,
        # With the default quantum the processors see each other's interrupts too late.
        quantum=", quantum=32" if args.cpus > 1 else "",
        serial=os.path.join(logs, "serial.log"), log=os.path.join(logs, "bochs.log"))
    paths.replace(os.path.join(work, "bochsrc"), config.encode())
    return _no_network([binary, "-q", "-f", os.path.join(work, "bochsrc")])


def qemu(work, logs, args, vmlinux, initrd, cmdline):
    image = os.path.join(work, "initrd.img")
    paths.replace(image, b"".join(initrd))
    # Without nested KVM, QEMU was asked for by name: its own emulation has no VMX (--no-kvm).
    accel = ["-accel", "kvm", "-cpu", "host"] if nested_kvm() else ["-accel", "tcg", "-cpu", "max"]
    return ["qemu-system-x86_64", "-M", "q35", *accel, "-smp", str(args.cpus),
            "-m", str(args.mem), "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-kernel", vmlinux, "-initrd", image, "-append", cmdline,
            "-serial", "file:" + os.path.join(logs, "serial.log"),
            "-chardev", "stdio,id=debug,signal=off",
            "-device", "isa-debugcon,iobase=0xe9,chardev=debug"]
