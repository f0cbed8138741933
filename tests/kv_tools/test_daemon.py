#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""elisa-kv as a process, with a host that is none: test_daemon.py DAEMON
   Its report, a reload, snapshots, and what it says of failures."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from program import running

DAEMON = sys.argv[1]
FOLDER = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(FOLDER.name, name)


def configure(**changes):
    config = {"export": "kv", "snapshot": path("snapshot"), "spaces": [{"name": "main", "mib": 1}],
              "places": [{"name": "a", "ticket_file": path("ticket"),
                          "spaces": {"main": {"rights": ["read", "write"], "mib": 1}}}], **changes}
    with open(path("config"), "w", encoding="utf-8") as file:
        json.dump({key: value for key, value in config.items() if value is not None}, file)


def daemon(*arguments, status=0):
    return running([DAEMON, "--config", path("config"), *arguments], status)


def wait_until(what, look):
    for _ in range(300):
        with contextlib.suppress(OSError, ValueError):
            if look():
                return
        time.sleep(0.1)
    raise AssertionError(what)


def report():
    with open(path("report"), encoding="utf-8") as file:
        return json.load(file)


def test_report():
    configure()
    with daemon("--report", path("report"), "--metrics", path("metrics")) as process:
        wait_until("report", report)
        wait_until("an item expired", lambda: report()["spaces"][0]["curr_items"] == 1)
        wait_until("attached", lambda: report()["places"][0]["attachment"] == 7)
        shown = subprocess.run([DAEMON, "--show", path("report")], capture_output=True, text=True, check=True).stdout
        assert "main " in shown and " up " in shown, shown
        with open(path("metrics"), encoding="utf-8") as file:
            text = file.read()
        assert text.endswith("# EOF\n") and 'kv_curr_items{space="main"} 1\n' in text, text
        assert 'kv_cmd_get_total{place="a"} 0\n' in text and 'kv_own_items{place="a",space="main"} 1\n' in text, text
    assert process.err == "elisa-kv: place a: vCPU 3: what it did\n", process.err
    assert stat.S_IMODE(os.stat(path("ticket")).st_mode) == 0o600
    with open(path("ticket"), encoding="ascii") as file:
        assert len(file.read()) == 65
    with open(path("report"), encoding="utf-8") as file:
        assert not os.path.exists(file.name + ".new")


def test_a_long_path():
    """Its new version's name is as long, and no file whose name is a part of it is touched."""
    configure()
    folder = path("d" * 200)
    os.mkdir(folder)
    long = os.path.join(folder, "r" * 200)
    others = [long[:length] for length in range(len(folder) + 2, len(long))]
    for other in others:
        with open(other, "w", encoding="ascii") as file:
            file.write("precious")
    try:
        with daemon("--report", long, "--metrics", long + "m"):
            wait_until("report", lambda: os.path.exists(long) and os.path.exists(long + "m"))
        for other in others:
            with open(other, encoding="ascii") as file:
                assert file.read() == "precious", len(other)
    finally:
        shutil.rmtree(folder)
    with daemon("--report", "x" * 4093) as process:
        time.sleep(1.5)
    assert "File name too long" in process.err, process.err


def test_time_limits():
    """systemd hears that a start with a snapshot, and an end with one, go on."""
    configure()
    with daemon():
        pass
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path("notify"))
        systemd.settimeout(20)
        os.environ["NOTIFY_SOCKET"] = path("notify")
        try:
            with daemon():
                assert systemd.recv(100) == b"EXTEND_TIMEOUT_USEC=90000000\n"
                assert systemd.recv(100) == b"READY=1\n"
        finally:
            del os.environ["NOTIFY_SOCKET"]


def test_snapshot():
    configure()
    with daemon():
        pass
    with daemon() as process:
        pass
    assert re.search("snapshot: [12] items, [12] of them stored", process.out), process.out
    configure(snapshot_s=1)
    os.unlink(path("snapshot"))
    with daemon():
        wait_until("snapshot", lambda: os.path.exists(path("snapshot")))
    with open(path("snapshot"), "r+b") as file:
        file.write(b"x")
    with daemon() as process:
        pass
    assert "it is no whole snapshot of elisa-kv; the store begins empty" in process.err, process.err
    configure(snapshot="/no/folder/snapshot")
    with daemon(status=1) as process:
        assert process.is_ready
    assert "/no/folder/snapshot: No such file" in process.err, process.err


def test_reload():
    configure()
    with daemon("--report", path("report")) as process:
        wait_until("report", lambda: report()["places"][0]["spaces"]["main"]["own_items_limit"] == 4096)
        configure(places=[{"name": "a", "ticket_file": path("ticket"),
                           "spaces": {"main": {"rights": ["read", "write"], "items": 10}}}])
        process.send_signal(signal.SIGHUP)
        wait_until("new quota", lambda: report()["places"][0]["spaces"]["main"]["own_items_limit"] == 10)
        configure(export="other", vcpus=9, spaces=[{"name": "main", "mib": 2}])
        process.send_signal(signal.SIGHUP)
        time.sleep(1.5)
        with open(path("config"), "w", encoding="ascii") as file:
            file.write("{")
        process.send_signal(signal.SIGHUP)
        time.sleep(1.5)
        assert report()["places"][0]["spaces"]["main"]["own_items_limit"] == 10
    for text in ('"export" needs a restart to become other; it is kv', '"vcpus" needs a restart to become 9; it is 8',
                 'space main: "mib" needs a restart to become 2; it is 1', "nothing of it was taken",
                 "the end comes too early"):
        assert text in process.err, (text, process.err)


def test_failures():
    configure(export="refused")
    with daemon(status=1) as process:
        assert not process.is_ready
    assert "elisa-kv: refused: refused" in process.err, process.err
    configure()
    with daemon("--code", "refused", status=1) as process:
        pass
    assert "refused" in process.err, process.err
    with open(path("ticket"), "w", encoding="ascii") as file:
        file.write("12")
    with daemon(status=1) as process:
        pass
    assert "does not hold 64 hexadecimal digits" in process.err, process.err


def main():
    failed = 0
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    for name, test in tests:
        for left in os.listdir(FOLDER.name):
            os.unlink(path(left))
        try:
            test()
            print(f"ok {name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {name}: {type(error).__name__} {error}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
