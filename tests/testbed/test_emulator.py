#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which emulator runs the machines: the fetched Bochs before the installed one, and the installed one
where none can be fetched. Which kernels need their types on a machine. Shell scripts play the emulators and the machine's package tools."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "testbed", "lib"))

import emulators
import paths


def script(path, body):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + body + "\n")
    os.chmod(path, 0o755)
    return path


class Choice(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.fetched = os.path.join(self.folder, "build", "bochs")
        self.installed = script(os.path.join(self.folder, "bin", "bochs"), "exit 0")
        self.enterContext(mock.patch.object(emulators, "FETCHED", self.fetched))
        self.enterContext(mock.patch.object(emulators, "nested_kvm", lambda: False))
        self.enterContext(mock.patch.dict(os.environ, PATH=os.path.dirname(self.installed)))
        os.environ.pop("ELISA_EMULATOR", None)

    def test_fetched_first(self):
        self.assertEqual(emulators.choose(), self.installed)
        script(self.fetched, "exit 0")
        self.assertEqual(emulators.choose(), self.fetched)

    def test_asked_for(self):
        script(self.fetched, "exit 0")
        for asked, chosen in (("bochs", self.installed), ("qemu", "qemu")):
            os.environ["ELISA_EMULATOR"] = asked
            self.assertEqual(emulators.choose(), chosen)
        os.environ["ELISA_EMULATOR"] = "bochs-4"
        with self.assertRaisesRegex(SystemExit, "no emulator 'bochs-4'"):
            emulators.choose()

    def test_version(self):
        script(self.fetched, "echo noise; echo '  Bochs x86 Emulator 2.7'; exit 1")
        self.assertEqual(emulators.version(self.fetched), (2, 7))
        script(self.fetched, "echo '  Bochs x86 Emulator 3.0' >&2")
        self.assertEqual(emulators.version(self.fetched), (3, 0))
        with self.assertRaisesRegex(SystemExit, "does not say which version"):
            emulators.version(self.installed)


class Fetching(unittest.TestCase):
    """testbed/fetch-emulator on a machine whose apt and dpkg are scripts."""

    def fetch(self, version, apt):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("archive", "fetch-emulator"):
                os.makedirs(os.path.join(folder, "testbed"), exist_ok=True)
                shutil.copy(os.path.join(ROOT, "testbed", name), os.path.join(folder, "testbed"))
            script(os.path.join(folder, "bin", "dpkg-query"), f"printf '{version}'")
            script(os.path.join(folder, "bin", "apt-get"), apt)
            path = os.path.join(folder, "bin") + ":" + os.environ["PATH"]
            done = subprocess.run([os.path.join(folder, "testbed", "fetch-emulator")],
                                  env={**os.environ, "PATH": path}, capture_output=True,
                                  text=True, check=False)
            left = os.listdir(os.path.join(folder, "build")) \
                if os.path.exists(os.path.join(folder, "build")) else []
            self.assertEqual([name for name in left if name.startswith(".emulator")], [])
            self.assertNotIn("emulator", left)
            return done

    def runs_the_installed(self, reason, apt):
        done = self.fetch("2.7+dfsg-4", apt)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"no Bochs 3.0: {reason}", done.stderr)
        self.assertIn("the installed Bochs 2.7+dfsg-4 runs instead", done.stderr)

    def test_no_mirror(self):
        self.runs_the_installed("Debian 13's packages cannot be read", "exit 0")

    def test_no_network(self):
        self.runs_the_installed("Debian 13's packages cannot be read",
                                "[ $1 != indextargets ] && exit 100\n"
                                ". /etc/os-release; echo $VERSION_CODENAME x http://127.0.0.1:9/")

    def test_nothing_to_download(self):
        self.runs_the_installed("it cannot be downloaded",
                                "case \"$*\" in indextargets*) . /etc/os-release\n"
                                "echo $VERSION_CODENAME x http://127.0.0.1:9/;;\n"
                                "*install*) echo 'Inst bochs (3.0)';; *download*) exit 100;; esac")

    def test_broken_package(self):
        self.runs_the_installed("it cannot be unpacked",
                                "case \"$*\" in indextargets*) . /etc/os-release\n"
                                "echo $VERSION_CODENAME x http://127.0.0.1:9/;;\n"
                                "*install*) echo 'Inst bochs (3.0)';;\n"
                                "*download*) echo no package >bochs.deb;; esac")

    def test_installed_is_new(self):
        done = self.fetch("3.0+dfsg-1", "exit 100")
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class Types(unittest.TestCase):
    def test_of_kernels_that_were_not_tested(self):
        self.assertTrue(paths.is_tested("6.12-trixie-amd64"))
        self.assertFalse(paths.is_tested("5.15"))


unittest.main()
