#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients of memcached on elisa-kv-proxy: test_clients.py PROXY
   Debian's libmemcached-tools and python3-pymemcache, where they are installed."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

SKIPPED = 77
# Debian's own Python has Debian's modules
PYTHON = "/usr/bin/python3"
PYMEMCACHE = """
import sys
from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient
from pymemcache import serde
for c in (Client(("127.0.0.1", int(sys.argv[1])), serde=serde.pickle_serde), Client(sys.argv[2], serde=serde.pickle_serde),
          HashClient([("127.0.0.1", int(sys.argv[1]))], serde=serde.pickle_serde)):
    c.flush_all()
    assert c.get("a") is None
    assert c.set("a", {"list": [1, 2, "three"]}) and c.get("a") == {"list": [1, 2, "three"]}
    assert c.set_many({"k%d" % i: "v%d" % i for i in range(500)}) == []
    assert c.get_many(["k%d" % i for i in range(510)]) == {"k%d" % i: "v%d" % i for i in range(500)}
    assert not c.add("a", 1, noreply=False) and c.replace("a", b"1", noreply=False)
    value, cas = c.gets("a")
    assert c.cas("a", "2", cas) is True and c.cas("a", "3", cas) is False and c.cas("missing", "3", cas) is None
    assert c.set("n", "10", noreply=False) and c.incr("n", 5) == 15 and c.decr("n", 100) == 0
    assert c.append("n", "1", noreply=False) and c.prepend("n", "2", noreply=False)
    assert c.touch("n", 100, noreply=False) and c.delete("n", noreply=False) and not c.delete("n", noreply=False)
    large = b"x" * 1000000
    assert c.set("large", large, noreply=False) and c.get("large") == large
    assert c.set("short", "x", expire=-1, noreply=False) and c.get("short") is None
c = Client(("127.0.0.1", int(sys.argv[1])))
assert c.stats()[b"curr_items"] > 0 and c.version().startswith(b"1.6")
print("fine")
"""


def run(*command, needs=""):
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    if ended.returncode or needs not in ended.stdout:
        raise AssertionError(f"{command[0]}: exit status {ended.returncode}: {ended.stdout[-1500:]}")
    return ended.stdout


def capable(port, _):
    """What of memccapable is about the text protocol: all of it."""
    out = run("memccapable", "-a", "-h", "127.0.0.1", "-p", str(port))
    assert "[FAIL]" not in out and out.count("[pass]") >= 27, out


def slap(port, _):
    """Many keys from several threads, one by one and in one command."""
    for test in ("set", "get", "mget"):
        out = run("memcslap", f"--servers=127.0.0.1:{port}", f"--test={test}", "--concurrency=4", "--execute-number=2000")
        assert "Took" in out or "Time" in out or "seconds" in out, out


def tools(port, _):
    servers = f"--servers=127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        with open(path, "wb") as file:
            file.write(bytes(range(256)) * 1000)
        run("memccp", servers, path)
        run("memcexist", servers, "file")
        run("memccat", servers, f"--file={path}.back", "file")
        with open(path, "rb") as one, open(path + ".back", "rb") as other:
            assert one.read() == other.read()
        run("memctouch", servers, "--expire=100", "file")
        run("memcstat", servers, needs="curr_items")
        run("memcping", servers)
        run("memcrm", servers, "file")
        run("memcflush", servers)


def pymemcache(port, path):
    run(PYTHON, "-c", PYMEMCACHE, str(port), path, needs="fine")


def has_pymemcache():
    return os.path.exists(PYTHON) and not subprocess.run([PYTHON, "-c", "import pymemcache"], check=False,
                                                         stderr=subprocess.DEVNULL).returncode


def main(program):
    tests = [(capable, shutil.which("memccapable")), (slap, shutil.which("memcslap")), (tools, shutil.which("memccp")),
             (pymemcache, has_pymemcache())]
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        path = os.path.join(folder, "socket")
        read, write = os.pipe()
        os.set_inheritable(write, True)
        server = subprocess.Popen([program, "--port", str(port), "--socket", path, "--ready-fd", str(write)], close_fds=False)
        os.close(write)
        try:
            with os.fdopen(read) as ready:
                assert ready.readline() == "READY=1\n"
            for test, is_there in tests:
                if not is_there:
                    skipped += 1
                    print(f"skipped {test.__name__}: not installed (testbed/install-deps installs it)")
                    continue
                try:
                    test(port, path)
                    passed += 1
                    print(f"ok {test.__name__}", flush=True)
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    failed += 1
                    print(f"FAILED {test.__name__}: {error}", flush=True)
        finally:
            server.terminate()
            server.wait(20)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0 if passed else SKIPPED


sys.exit(main(sys.argv[1]))
