#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What machines leave behind of their tests, and the table of it: nothing that failed or did not
run may look as if it had passed."""
import os
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "testbed", "lib"))

import results

ARGS = types.SimpleNamespace(job=os.path.join(ROOT, "tests/machine/run.sh"), name="m", cpus=1,
                             cpu_model="arrow_lake", cmdline="quiet preempt=full")


class Table(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        results.FILE = self.path("results")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def machine(self, console, is_good=True, args=ARGS, kernel="6.1.0"):
        with open(self.path("console"), "w", encoding="utf-8") as f:
            f.write(console)
        results.record(args, kernel, "Bochs 3.0", self.path("console"), is_good)

    def table(self, *options):
        return subprocess.run([os.path.join(ROOT, "testbed/results"), *options, results.FILE],
                              capture_output=True, text=True, check=False)

    def row(self):
        return [cell.strip() for cell in self.table().stdout.splitlines()[2].split("|")[1:-1]]

    def test_each_verdict_is_counted(self):
        self.machine(">> ok a\n>> ok b\n>> FAILED c\n>> SKIPPED d\n")
        self.assertEqual(self.row()[:8], ["6.1.0", "Bochs 3.0", "`arrow_lake`", "1",
                                          "`tests/machine`, `preempt=full`", "2", "1: c", "1"])

    def test_the_last_run_counts(self):
        self.machine(">> FAILED a\n>> ok b\n")
        self.machine(">> ok a\n")
        self.assertEqual(self.row()[5:8], ["2", "0", "0"])
        self.machine(">> FAILED b\n", is_good=False)
        self.assertEqual(self.row()[5:8], ["1", "1: b", "0"])

    def test_a_machine_that_fails_behind_its_tests(self):
        self.machine(">> ok a\n", is_good=False)
        self.assertEqual(self.row()[6], "1: machine")

    def test_a_machine_without_tests(self):
        self.machine("", is_good=False)
        self.assertEqual(self.row()[5:7], ["0", "1: m"])
        self.machine("")
        self.assertEqual(self.row()[5:7], ["1", "0"])

    def test_a_machine_that_is_mended(self):
        self.machine(">> ok a\n>> ok b\n", is_good=False)
        self.assertEqual(self.row()[5:7], ["2", "1: machine"])
        self.machine(">> ok a\n")
        self.assertEqual(self.row()[5:7], ["2", "1: machine"])
        self.machine(">> ok a\n>> ok b\n")
        self.assertEqual(self.row()[5:7], ["2", "0"])

    def test_other_machines_are_other_rows(self):
        self.machine(">> ok a\n")
        self.machine(">> ok a\n", kernel="7.3.4")
        self.assertEqual(len(self.table().stdout.splitlines()), 4)

    def test_into_a_page(self):
        page = self.path("page.md")
        with open(page, "w", encoding="utf-8") as f:
            f.write("before\n<!-- testbed/results -->\nold\n<!-- end -->\nafter\n")
        self.machine(">> ok a\n")
        self.assertEqual(self.table("--write", page).returncode, 0)
        with open(page, encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.assertEqual((lines[0], lines[-1]), ("before", "after"))
        self.assertNotIn("old", lines)
        self.assertTrue(any("arrow_lake" in line for line in lines))

    def test_rows_without_a_record_stay(self):
        page = self.path("page.md")
        self.machine(">> ok a\n")
        here = self.table().stdout.splitlines(True)
        elsewhere = here[2].replace("arrow_lake", "broadwell_ult")
        with open(page, "w", encoding="utf-8") as f:
            f.write("<!-- testbed/results -->\n" + "".join(here[:2]) + elsewhere +
                    here[2].replace("| 1 | 0 | 0 |", "| 0 | 1: a | 0 |") + "<!-- end -->\n")
        self.assertEqual(self.table("--write", page).returncode, 0)
        with open(page, encoding="utf-8") as f:
            self.assertEqual(f.read().splitlines(True)[1:-1], here[:2] + [here[2], elsewhere])

    def test_what_is_no_record(self):
        with open(results.FILE, "w", encoding="utf-8") as f:
            f.write("{}\n")
        said = self.table()
        self.assertEqual(said.returncode, 1)
        self.assertIn("results:1 is no record", said.stderr)


unittest.main()
