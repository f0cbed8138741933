#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""elisa-vmnetctl over the daemon's socket: what it prints, as text and JSON, and what it says when there is no daemon, or
one that makes no sense.   test_vmnetctl.py SERVER ELISA_VMNETCTL COMPLETION [NAME]..."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../switch"))
from programs import LIMIT, eventually, main  # noqa: E402  pylint: disable=wrong-import-position

SERVER, CTL, COMPLETION = map(os.path.realpath, sys.argv[1:4])


@contextlib.contextmanager
def server(directory):
    path = directory + "/control"
    process = subprocess.Popen([SERVER, path])
    try:
        eventually(lambda: os.path.exists(path))
        yield path
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
        assert not os.path.exists(path)
    finally:
        process.kill()
        process.wait()


def ctl(path, *arguments, **options):
    return subprocess.run([CTL, "--socket", path, *arguments], capture_output=True, text=True, timeout=3 * LIMIT,
                          check=False, **options)


def good(path, *arguments):
    done = ctl(path, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def bad(path, message, *arguments):
    done = ctl(path, *arguments)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr == "elisa-vmnetctl: %s\n" % message, done


def test_text(directory):
    with server(directory) as path:
        lines = good(path, "ports").splitlines()
        assert lines[0].split() == ["port", "link", "sent", "received", "missed", "drops"], lines
        assert [line.split()[:2] for line in lines[1:]] == [["first", "up"], ["second", "up"], ["third", "down"]], lines
        lines = good(path, "counters", "second").splitlines()
        assert lines[0].split()[:3] == ["queue", "sent", "sent_bytes"], lines
        assert lines[1].split()[:3] == ["all", "1", "64"] and lines[2].split()[:3] == ["0", "1", "64"], lines
        lines = good(path, "table").splitlines()
        assert sorted(line.split()[0] for line in lines[1:]) == ["02:00:00:00:00:01", "02:00:00:00:00:02"], lines
        assert good(path, "drops").startswith("port"), lines


def test_json(directory):
    with server(directory) as path:
        report = json.loads(good(path, "--json", "ports"))
        assert report["export"] == "fake" and [port["name"] for port in report["ports"]] == ["first", "second", "third"]
        assert json.loads(good(path, "--json", "counters", "first"))["queues"][0]["received"] == 1
        assert {entry["port"] for entry in json.loads(good(path, "--json", "table"))} == {"first", "second"}
        assert json.loads(good(path, "--json", "drops")) == {"first": {}, "second": {}, "third": {}}


def test_changes(directory):
    with server(directory) as path:
        def link():
            return [port["closed"] for port in json.loads(good(path, "ports", "--json"))["ports"]]
        assert good(path, "down", "first") == ""
        assert link() == [True, False, False]
        assert good(path, "ports").splitlines()[1].split()[1] == "closed"
        good(path, "up", "first")
        assert link() == [False, False, False]
        good(path, "kick", "first")
        eventually(lambda: json.loads(good(path, "counters", "first", "--json"))["attachment"] == 0)
        assert json.loads(good(path, "counters", "second", "--json"))["attachment"] == 12
        bad(path, 'port "first": no VM has it', "kick", "first")
        bad(path, 'no port is called "fourth"', "down", "fourth")


def test_add_and_remove(directory):
    config = directory + "/port.json"

    def fill(text):
        with open(config, "w", encoding="ascii") as file:
            file.write(text)
    with server(directory) as path:
        def names():
            return [port["name"] for port in json.loads(good(path, "ports", "--json"))["ports"]]
        fill('{"name": "new", "open": true}')
        assert good(path, "add", config) == ""
        assert names() == ["first", "second", "third", "new"]
        bad(path, 'two ports are called "new"', "add", config)
        good(path, "remove", "second")
        assert names() == ["first", "third", "new"]
        bad(path, 'no port is called "second"', "remove", "second")
        ticket = directory + "/ticket"
        fill(json.dumps({"name": "second", "mac": "02:00:00:00:00:09", "ticket_file": ticket}))
        good(path, "add", config)
        assert names() == ["first", "second", "third", "new"]
        with open(ticket, encoding="ascii") as file:
            assert re.fullmatch("[0-9a-f]{64}\n", file.read())
        fill('{"name": ')
        bad(path, config + ": line 1, column 10: the end comes too early", "add", config)
        fill('{"name": "twice", "open": false, "open": true}')
        bad(path, config + ": line 1, column 34: a key that is there already", "add", config)
        fill('{"name": "more", "open": true} {}')
        bad(path, config + ": line 1, column 32: something behind the end", "add", config)
        bad(path, directory + "/none: No such file or directory", "add", directory + "/none")
        assert names() == ["first", "second", "third", "new"]


METRIC = re.compile(r'[a-z_]+\{port="[^"]+"(,[a-z]+="[^"]+")?\} \d+')


def test_metrics(directory):
    with server(directory) as path:
        text = good(path, "metrics")
        assert text == good(path, "metrics", "--json") or "rvs_sent_frames_total" in text
        lines = text.splitlines()
        assert lines[-1] == "# EOF"
        assert all(METRIC.fullmatch(line) for line in lines if not line.startswith("#")), lines


def test_top(directory):
    with server(directory) as path:
        views = [json.loads(line) for line in good(path, "top", "--json", "--interval", "0.2", "--count", "3").splitlines()]
        assert len(views) == 3
        assert all(view[0]["sent_per_second"] > 10 and view[1]["received_per_second"] > 10 for view in views), views
        assert all(view[0]["sent_bits_per_second"] > 5000 and view[2]["sent_per_second"] == 0 for view in views), views
        text = good(path, "top", "--interval", "0.2", "--count", "2")
        assert text.count("sent/s") == 2 and "\033" not in text, text


def test_no_daemon(directory):
    path = directory + "/none"
    bad(path, path + ": No such file or directory; does the daemon run, with --control?", "ports")
    path = directory + "/" + "x" * 200
    bad(path, path + ": File name too long", "ports")


def test_output_is_full(directory):
    with server(directory) as path, open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([CTL, "--socket", path, "ports"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1 and done.stderr == "elisa-vmnetctl: standard output: No space left on device\n", done


def test_capture(directory):
    file = directory + "/first.pcapng"
    with server(directory) as path:
        done = ctl(path, "capture", "first", "-w", file, "-c", "2", "ether", "src", "02:00:00:00:00:01")
        assert done.returncode == 0 and "2 of them passed the filter; 0 more were lost\n" in done.stderr, done
        with open(file, "rb") as written:
            assert written.read().count(b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5") == 2
        done = ctl(path, "capture", "second", "--count", "1")
        assert re.fullmatch(r"[\d:.]{15} (got|sent) 02:00:00:00:00:0[12] > 02:00:00:00:00:0[12], type 0x88b5, 64 bytes\n", done.stdout), done
        bad(path, "no port is called \"none\"", "capture", "none")
        done = ctl(path, "capture", "first", "nonsense")
        assert done.returncode == 2 and done.stderr.startswith("elisa-vmnetctl: filter 'nonsense': "), done
        done = ctl(path, "ports", "-w", file)
        assert done.returncode == 2 and done.stderr.startswith("elisa-vmnetctl: --write is for capture"), done
        done = ctl(path, "capture")
        assert done.returncode == 2 and done.stderr.startswith("elisa-vmnetctl: capture needs a port"), done


def replies(directory, *texts):
    """A daemon that gives these replies, one for each connection, and closes it."""
    path = directory + "/wrong"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve():
        for text in texts:
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(text)
            peer.close()
        listener.close()
    thread = threading.Thread(target=serve)
    thread.start()
    return path, thread


def test_top_of_long_intervals(directory):
    # the daemon has dropped the connection of the last view meanwhile
    path, thread = replies(directory, *3 * [b'{"result": {"ports": []}}\n'])
    assert good(path, "top", "--json", "--count", "2", "--interval", "0.1") == "[]\n[]\n"
    thread.join()


def test_daemon_makes_no_sense(directory):
    wrong = [b'{"result": {"ports": []}, "result": {"ports": []}}\n', b"\n", b"5\n", b"[]\n", b"{}\n", b'{"error": 5}\n', b'{"result": null}\n', b"\xff\n"]
    path, thread = replies(directory, *wrong, b'{"result": {}}\n', b'{"result": {"ports": [5]}}\n', b'{"result": "x"}\n',
                           b'{"res', b'{"result": {"ports": 5}}\n', b'{"result": {"ports": []}}\n')
    for _ in range(len(wrong) + 3):
        bad(path, "the reply is malformed", "ports")
    bad(path, "the daemon closed the connection", "ports")
    done = ctl(path, "top")
    assert done.returncode == 1, done
    done = ctl(path, "--count", "1", "--interval", "0.1", "top")
    assert done.returncode == 1, done
    thread.join()


def test_completion(directory):
    os.symlink(CTL, directory + "/elisa-vmnetctl")

    def offers(line):
        words = line.split(" ")
        script = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _elisa_vmnetctl; echo "${COMPREPLY[*]}"'
        return subprocess.run(["bash", "-c", script, "-", COMPLETION, *words], capture_output=True, text=True, check=True,
                              env={**os.environ, "PATH": directory + ":" + os.environ["PATH"]}).stdout.strip()
    with server(directory) as path:
        assert offers("elisa-vmnetctl ki") == "kick"
        assert offers("elisa-vmnetctl a") == "add"
        assert offers("elisa-vmnetctl --socket %s remove f" % path) == "first"
        assert offers("elisa-vmnetctl re") == "remove"
        assert offers("elisa-vmnetctl --j") == "--json"
        assert offers("elisa-vmnetctl --socket %s kick " % path) == "first second third"
        assert offers("elisa-vmnetctl --socket %s down s" % path) == "second"
        assert offers("elisa-vmnetctl --socket %s" % path[:-2]) == path


sys.exit(main(globals(), sys.argv[4:]))
