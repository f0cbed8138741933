# SPDX-License-Identifier: Apache-2.0
"""Where things are. Generated files go below build/; nothing may be written anywhere else."""
import os
import re
import sys

TESTBED = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(TESTBED)
BUILD = os.path.join(ROOT, "build", "testbed")


def fail(message):
    """The one way in which the testbed's tools give up before a machine runs."""
    sys.exit(f"{os.path.basename(sys.argv[0])}: {message}")


def kernel(series):
    """The unpacked tree of a kernel series, its links resolved so that an update cannot mix two."""
    path = os.path.join(ROOT, "build", "kernels", series)
    if not os.path.exists(os.path.join(path, "vmlinux")):
        fail(f"kernel {series} is not unpacked: run testbed/fetch-kernel {series}")
    return os.path.realpath(path)


def release(kernel_tree):
    """What uname -r says on it."""
    with open(os.path.join(kernel_tree, "release"), encoding="ascii") as f:
        return f.read().strip()


def is_tested(series):
    """Whether the host's module loads on this kernel without the kernel's types (BTF)."""
    with open(os.path.join(ROOT, "include", "elisa", "kvm_hooks.h"), encoding="utf-8") as f:
        return series.split("-")[0] in re.findall(r'SERIES\("([\d.]+)"\)', f.read())


def weight(kernel_tree):
    """How many instructions a kernel needs where a stock one needs one; testbed/build-kernel leaves it."""
    try:
        with open(os.path.join(kernel_tree, "weight"), encoding="ascii") as f:
            return int(f.read())
    except FileNotFoundError:
        return 1


def replace(path, data):
    """Write a file so that others see the old or the new content, never a part."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tmp = f"{path}.{os.getpid()}.tmp"
    with open(tmp, "wb") as f:
        f.write(data)
    os.rename(tmp, path)
