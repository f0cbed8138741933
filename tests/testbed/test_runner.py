#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The test machine's verdict, without a machine: a run that did not do what it should, or whose
kernels complained, must never pass. A shell script plays the emulator."""
import os
import sys
import tempfile
import types
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "testbed", "lib"))

import kernellog
from run import Run

BOOT = "[    0.000000] Linux version 6.1.0"
SPLAT = "[    9.000000] WARNING: CPU: 0 PID: 1 at mm/slab.c:1 kfree+0x1/0x2"


def said(kernel=(BOOT,), status=0, guest=()):
    """What a machine prints: its start, its guest's lines, its kernel's log, its end."""
    return ["T-start", *(f"[g] {line}" for line in guest), "T-dmesg", *kernel, f"T-end {status}"]


def guest(kernel=(BOOT,)):
    return ["hello", "G-dmesg", *kernel, "G-end 0"]


class Verdict(unittest.TestCase):
    def run_machine(self, lines, after="", allow=(), timeout=10):
        with tempfile.TemporaryDirectory() as logs:
            args = types.SimpleNamespace(name="test", verbose=False, timeout=timeout,
                                         allow_log=list(allow), kernel="none")
            run = Run(args, logs, "T", "G")
            out = os.path.join(logs, "said")
            with open(out, "w", encoding="utf-8") as f:
                f.write("".join(line + "\n" for line in lines))
            ended = run.execute(["sh", "-c", f"cat {out}; {after}"])
            return [ended] if ended else run.judge()

    def fails(self, reason, *args, **how):
        reasons = self.run_machine(*args, **how)
        self.assertTrue(any(reason in r for r in reasons), f"'{reason}' is not in {reasons}")

    def passes(self, *args, **how):
        self.assertEqual(self.run_machine(*args, **how), [])

    def test_passes(self):
        self.passes(said())
        self.passes(said(guest=guest()))

    def test_status(self):
        self.fails("the job ended with status 3", said(status=3))

    def test_hangs(self):
        self.fails("time limit of 0.3 s", said()[:-1], after="exec sleep 20", timeout=0.3)

    def test_ends_early(self):
        self.fails("without its job's end", said()[:-1], after="exit 1")

    def test_end_of_another_run(self):
        self.fails("without its job's end", [*said()[:-1], "X-end 0"])

    def test_warning_of_the_host(self):
        self.fails("kernel log of host: " + SPLAT, said([BOOT, SPLAT]))
        self.passes(said([BOOT, SPLAT]), allow=["kfree"])

    def test_warning_of_a_guest(self):
        self.fails("kernel log of g: " + SPLAT, said(guest=guest([BOOT, SPLAT])))
        self.fails("kernel log of g: serial: Oops", said(guest=[*guest(), "serial: Oops"]))

    def test_logs_are_there(self):
        self.fails("no kernel log of host", said(kernel=()))
        self.fails("no kernel log of g", said(guest=["hello"]))
        self.fails("no kernel log of g", said(guest=guest(())))
        self.fails("no kernel log of g", said(guest=["hello", "serial: early"]))
        self.passes(said(guest=["hello", "G-killed"]))

    def test_logs_are_whole(self):
        self.fails("log of host overflowed", said(["[    5.000000] late"]))
        self.fails("log of g overflowed", said(guest=guest(["[    5.000000] late"])))


class Complaints(unittest.TestCase):
    def test_what_fails_a_run(self):
        for line in ("BUG: unable to handle page fault", "Oops: 0000 [#1]", "Call Trace:",
                     "cat: page allocation failure: order:4", "Out of memory: Killed process 7",
                     "irq 11: nobody cared", "INFO: task sh blocked for more than 20 seconds",
                     "rcu: INFO: rcu_preempt self-detected stall on CPU",
                     "watchdog: BUG: soft lockup - CPU#0 stuck", "elisa: Unknown symbol kfree"):
            self.assertEqual(kernellog.complaints([line]), [line])

    def test_what_a_kernel_with_checks_says(self):
        for line in ("BUG: KASAN: use-after-free in elisa_exit+0x10/0x20 [elisa]",
                     "BUG kmalloc-64 (Tainted: G    B   O     ): Poison overwritten",
                     "BUG: KCSAN: data-race in elisa_enter [elisa] / elisa_exit [elisa]",
                     "UBSAN: array-index-out-of-bounds in host/path/list.c:12:3",
                     "WARNING: possible circular locking dependency detected",
                     "INFO: trying to register non-static key.",
                     "turning off the locking correctness validator.",
                     "ODEBUG: Out of memory. ODEBUG disabled",
                     "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
                     "kmemleak: Cannot allocate a kmemleak_object structure",
                     "pagealloc: memory corruption", "page dumped because: VM_BUG_ON_PAGE(1)"):
            self.assertEqual(kernellog.complaints([line]), [line])
        for line in ("kasan: KernelAddressSanitizer initialized", "kcsan: enabled early",
                     "kmemleak: Kernel memory leak detector disabled",
                     "kmemleak: Cannot allocate a scan area, scanning the full object"):
            self.assertEqual(kernellog.complaints([line]), [])

    def test_what_does_not(self):
        self.assertEqual(kernellog.complaints([BOOT, "elisa: loaded", "warning: old option"]), [])

    def test_one_complaint_for_a_warning(self):
        lines = ["[ cut here ]", SPLAT, "Call Trace:", "[ end trace 0 ]"]
        self.assertEqual(kernellog.complaints(lines), [SPLAT])
        self.assertEqual(kernellog.complaints(lines, ["kfree"]), [])
        self.assertEqual(kernellog.complaints([*lines, "Oops"], ["kfree"]), ["Oops"])


unittest.main()
