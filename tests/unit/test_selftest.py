#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""elisactl selftest over programs that this test makes: verdicts, the file, programs that hang or print without end,
   a signal, and what keeps it from running. test_selftest.py ELISACTL-WITH-A-FAKE-MODULE"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ELISACTL = sys.argv[1]
VMX = "flags\t: vmx\nvmx flags\t: ept\nmodel name\t: a CPU: fast\nmicrocode\t: 0x2f\nbogomips\t: 1\n\nmodel name\t: other\n"


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def program(folder, name, text):
    write(os.path.join(folder, "programs", name), "#!/bin/sh\n" + text, 0o755)


def parameter(folder, name):
    with open(os.path.join(folder, "sys/module/elisa/parameters", name), encoding="utf-8") as file:
        return file.readline().strip()


def host(folder):
    """A host on which it can run."""
    write(folder + "/proc/cpuinfo", VMX)
    write(folder + "/sys/module/kvm_intel/parameters/pml", "N\n")
    for name in ("max_limit_us", "max_suspend_us"):
        write(folder + "/sys/module/elisa/parameters/" + name, "1234\n")
    program(folder, "machine/good", "echo first; echo the last; echo")
    program(folder, "machine/long", "sleep 1000 & yes 'a long line' | head -n 3000; printf 'end\\001'")
    program(folder, "attack/bad", "echo reason; exit 1")
    program(folder, "attack/killed", "kill -9 $$")
    program(folder, "probe", "echo not available: nothing; exit 77")
    program(folder, "bench", "echo figure call_strict cycles=300.5 ns=100.25; echo figure half cycles=1")
    os.makedirs(folder + "/out", exist_ok=True)


def command(folder, *names, vms=0):
    environment = dict(os.environ, ELISA_FAKE_VMS="0") if vms == 0 else os.environ
    arguments = [ELISACTL, "--device", "/dev/null", "--root", folder, "--programs", folder + "/programs",
                 "-o", folder + "/out/file.json", "selftest", *names]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def run(folder, status, *names, vms=0):
    child = command(folder, *names, vms=vms)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == status, (child.returncode, said)
    return said


def report(folder):
    with open(folder + "/out/file.json", encoding="utf-8") as file:
        return json.load(file)


def test_verdicts(folder):
    run(folder, 1, "machine", "attack", "bench", "hardware/call", "hardware/page-modification-log")
    whole = report(folder)
    results = {(result["group"], result["name"]): result for result in whole["results"]}
    assert len(results) == 7, results
    assert results["machine", "good"]["verdict"] == "ok" and results["machine", "good"]["said"] == "the last"
    assert results["machine", "long"]["said"] == "end?" and results["machine", "long"]["seconds"] < 30
    assert results["attack", "bad"]["verdict"] == "FAILED" and "reason" in results["attack", "bad"]["output"]
    assert results["attack", "killed"]["status"] == 128 + 9
    assert results["hardware", "call"]["verdict"] == "not available"
    assert results["hardware", "page-modification-log"]["said"] == "kvm_intel's pml is 'N'"
    assert (whole["ok"], whole["failed"], whole["not_available"]) == (3, 2, 2) and not whole["stopped"]
    assert whole["figures"] == [{"name": "call_strict", "cycles": 300.5, "ns": 100.25}], whole["figures"]
    machine = whole["machine"]
    assert machine["cpu"]["model name"] == "a CPU: fast" and machine["cpu"]["microcode"] == "0x2f", machine
    assert machine["tsc_counts"] == "time" and machine["kernel"] == os.uname().release, machine
    assert parameter(folder, "max_limit_us") == parameter(folder, "max_suspend_us") == "1234"
    assert run(folder, 0, "machine/good").endswith("1 ok, 0 failed, 0 not available\n")


def test_stops(folder):
    """The program and what it started end, the parameters are set back, the file says so."""
    mark = folder + "/started"
    program(folder, "machine/hangs", "echo $$ >%s.new; mv %s.new %s; trap '' TERM; sleep 1000; sleep 1000" % (mark, mark, mark))
    child = command(folder, "machine/hangs", "machine/long")
    while not os.path.exists(mark):
        time.sleep(0.01)
    assert parameter(folder, "max_limit_us") == "60000000"
    child.send_signal(signal.SIGTERM)
    said, _ = child.communicate(timeout=20)
    assert child.returncode == 1, (child.returncode, said)
    assert report(folder)["stopped"] and not report(folder)["results"], report(folder)
    assert parameter(folder, "max_limit_us") == "1234"
    with open(mark, encoding="utf-8") as file:
        assert not os.path.exists("/proc/" + file.read().strip())
    os.unlink(folder + "/programs/machine/hangs")


def test_refusals(folder):
    os.unlink(folder + "/out/file.json")
    assert "VM 1 of process 4001 uses ELISA" in run(folder, 3, vms=2)
    assert "there is no test 'machine/none'" in run(folder, 2, "machine/none")
    write(folder + "/proc/cpuinfo", "flags\t: vmx\n\n")
    assert "no VT-x" in run(folder, 3)
    write(folder + "/proc/cpuinfo", VMX)
    os.rename(folder + "/programs/attack", folder + "/programs/gone")
    assert "install the package elisa-selftest" in run(folder, 3)
    os.rename(folder + "/programs/gone", folder + "/programs/attack")
    assert not os.path.exists(folder + "/out/file.json")
    os.unlink(folder + "/sys/module/elisa/parameters/max_limit_us")
    assert "max_limit_us" in run(folder, 1, "machine/good") and not report(folder)["results"]


def main():
    if os.geteuid():
        print("it needs root")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        host(folder)
        test_verdicts(folder)
        test_stops(folder)
        test_refusals(folder)
    return 0


sys.exit(main())
