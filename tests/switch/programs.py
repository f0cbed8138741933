# SPDX-License-Identifier: Apache-2.0
"""What the tests of the network's programs share: waiting, the switch's words in a vNIC's file, and running tests."""
import collections
import functools
import os
import struct
import sys
import tempfile
import traceback

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tap"))
import tapnet  # noqa: E402  pylint: disable=wrong-import-position

LIMIT = 10  # seconds that anything may take
DETACHED, ATTACHED = 0, 1

eventually = functools.partial(tapnet.eventually, seconds=LIMIT)

SwitchLine = collections.namedtuple("SwitchLine", "state epoch generation reason")


def switch_line(vnic):
    """What the switch says in the header of a file."""
    with open(vnic, "rb") as file:
        return SwitchLine._make(struct.unpack_from("<4I", file.read(4096), 256))


def attached(vnic):
    if not os.path.exists(vnic):
        return False
    line = switch_line(vnic)
    return (line.state, line.reason) == (ATTACHED, 0)


def attempt(name, test):
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            test(directory)
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print("FAILED: " + name, flush=True)
        return False
    print("ok: " + name, flush=True)
    return True


def main(functions, names):
    """Runs the functions called test_*, each with a directory of its own, or those of the names."""
    tests = {name[5:]: test for name, test in functions.items() if name.startswith("test_")}
    results = [attempt(name, tests[name]) for name in names or tests]
    return 0 if all(results) else 1
