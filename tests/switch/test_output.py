#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs say must never stop what they do: readers that stop reading or go away, full disks, signals; and what
they say is what it is called.   test_output.py RVS_FWD RVS_PKTGEN RVIF_TAP ELISA_VMNET [NAME]..."""
import contextlib
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import time

from programs import DETACHED, LIMIT, attached, eventually, main, switch_line, tapnet

FWD, PKTGEN, TAP, VMNET = map(os.path.realpath, sys.argv[1:5])


def run(*arguments, **options):
    return subprocess.Popen(arguments, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options})


@contextlib.contextmanager
def ending(*processes):
    try:
        yield processes[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def end(process, how=signal.SIGTERM):
    process.send_signal(how)
    return process.wait(LIMIT)


class Blocked:
    """A pipe that holds a page and that no process reads."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)

    def is_full(self):
        os.set_blocking(self.writer, False)
        try:
            os.write(self.writer, b"x")
            return False
        except BlockingIOError:
            return True
        finally:
            os.set_blocking(self.writer, True)

    def close_reader(self):
        os.close(self.reader)


def unread():
    """Both standard files go to the same blocked pipe."""
    pipe = Blocked()
    return pipe, {"stdout": pipe.writer, "stderr": pipe.writer}


def stopped_terminal():
    """A terminal whose user pressed Ctrl-S."""
    master, slave = pty.openpty()
    os.write(master, b"\x13")
    return master, {"stdout": slave, "stderr": slave}


def frames_pass(directory):
    done = subprocess.run([PKTGEN, "tx", "--json", "--interval", "0", "--count", "1000", "--wait", "5",
                           directory + "/a.vnic"], stdout=subprocess.PIPE, timeout=2 * LIMIT, check=True)
    return json.loads(done.stdout)["sent"] == 1000


def test_switch_without_a_reader(directory):
    for kind in (unread, stopped_terminal):
        where, files = kind()
        vnic = directory + "/b.vnic"
        switch = run(FWD, "--interval", "0.005", directory + "/a.vnic", vnic, **files)
        receiver = run(PKTGEN, "rx", "--interval", "0", vnic)
        with ending(switch, receiver):
            eventually(lambda: attached(vnic))
            if kind is unread:
                eventually(where.is_full)
            time.sleep(0.3)
            assert frames_pass(directory)
            assert end(switch) == 0
            assert switch_line(vnic).state == DETACHED
            assert end(receiver) == 0 and not os.path.exists(vnic)


def test_generator_without_a_reader(directory):
    for kind in (unread, stopped_terminal):
        _, files = kind()
        vnic = directory + "/a.vnic"
        switch = run(FWD, "--quiet", vnic)
        with ending(switch):
            generator = run(PKTGEN, "rx", "--interval", "0.005", vnic, **files)
            with ending(generator):
                eventually(lambda: attached(vnic))
                time.sleep(0.7)
                assert end(generator) == 0
            assert not os.path.exists(vnic)


def apart():
    """In a network namespace of its own."""
    tapnet.checked(tapnet.libc.unshare(tapnet.CLONE_NEWNET))


def test_interface_without_a_reader(directory):
    for kind in (unread, stopped_terminal):
        _, files = kind()
        vnic = directory + "/t.vnic"
        switch = run(FWD, "--quiet", vnic)
        with ending(switch):
            tap = run(TAP, "--json", "--name", "net9", vnic, preexec_fn=apart, **files)
            with ending(tap):
                eventually(lambda: attached(vnic))
                for _ in range(40):
                    tap.send_signal(signal.SIGUSR1)
                    time.sleep(0.01)
                assert end(tap) == 0 and not os.path.exists(vnic)
            assert end(switch) == 0


def test_readers_that_go(directory):
    vnic = directory + "/b.vnic"
    for arguments, status in (((FWD, "--interval", "0.01", vnic), 0),
                              ((PKTGEN, "rx", "--interval", "0.01", vnic), 1),
                              ((TAP, "--stats", "--name", "net9", vnic), 0)):
        pipe = Blocked()
        other = run(FWD, "--quiet", vnic) if arguments[0] != FWD else run(PKTGEN, "rx", "--interval", "0", vnic)
        with ending(other):
            process = run(*arguments, stdout=pipe.writer, preexec_fn=apart)
            pipe.close_reader()
            with ending(process):
                eventually(lambda: attached(vnic))
                process.send_signal(signal.SIGWINCH if arguments[0] != TAP else signal.SIGUSR1)
                time.sleep(0.5)
                assert process.poll() is None, arguments
                assert end(process) == status, arguments
            end(other)
            assert not os.path.exists(vnic)


def test_signals(directory):
    vnic = directory + "/b.vnic"
    signals = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR2, signal.SIGALRM,
               signal.SIGPOLL, signal.SIGXCPU, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPWR, signal.SIGRTMIN + 3]
    for number in signals:
        switch, generator = run(FWD, "--quiet", vnic), run(PKTGEN, "rx", "--interval", "0", vnic)
        with ending(switch, generator):
            eventually(lambda: attached(vnic))
            assert end(switch, number) == 0, number
            assert switch_line(vnic).state == DETACHED, number
            assert end(generator, number) == 0, number
            assert not os.path.exists(vnic), number
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM):
        tap = run(TAP, "--name", "net9", vnic, preexec_fn=apart)
        eventually(lambda: os.path.exists(vnic))
        assert end(tap, number) == 0 and not os.path.exists(vnic), number
    # nohup
    switch = run(FWD, "--quiet", vnic, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    with ending(switch):
        time.sleep(0.2)
        switch.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert switch.poll() is None
        assert end(switch) == 0


def status_of(*arguments, stdout, **options):
    return subprocess.run(arguments, stdout=stdout, stderr=subprocess.DEVNULL, timeout=LIMIT, check=False,
                          **options).returncode


def test_output_that_cannot_be(directory):
    vnic = directory + "/a.vnic"
    with open("/dev/full", "wb") as full:
        for program in (FWD, PKTGEN, TAP, VMNET):
            assert status_of(program, "--help", stdout=subprocess.DEVNULL) == 0
            done = subprocess.run([program, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=LIMIT, check=False)
            said = "%s: standard output: No space left on device\n" % os.path.basename(program)
            assert (done.returncode, done.stderr.decode()) == (1, said), (program, done)
            assert status_of(program, "--help", stdout=None, preexec_fn=lambda: os.close(1)) == 1, program
        switch = run(FWD, "--interval", "0.01", vnic, stdout=full)
        with ending(switch):
            assert status_of(PKTGEN, "tx", "--count", "10", "--json", "--interval", "0", vnic, stdout=full) == 1
            assert end(switch) == 1
        report = directory + "/report"
        with open(report, "w", encoding="ascii") as file:
            file.write('{"ports": []}')
        assert status_of(VMNET, "--show", report, stdout=subprocess.DEVNULL) == 0
        assert status_of(VMNET, "--show", report, stdout=full) == 1


def test_closed_output_is_no_vnic(directory):
    """The first file that is opened would become the standard output."""
    vnic = directory + "/a.vnic"
    generator = run(PKTGEN, "rx", "--interval", "0", vnic)
    with ending(generator):
        eventually(lambda: os.path.exists(vnic))
        switch = run(FWD, "--interval", "0.01", vnic, stdout=None, preexec_fn=lambda: os.close(1))
        with ending(switch):
            eventually(lambda: attached(vnic))
            time.sleep(0.2)
            assert end(switch) == 1
        with open(vnic, "rb") as file:
            assert file.read(8) == b"eelrvif1"
        assert end(generator) == 0


def test_names(directory):
    """JSON is UTF-8, whatever a path is."""
    for name in (b"plain", b'quo"te', b"new\nline", "ü€😀".encode(), b"latin1-\xfc", b"cut-\xe2\x82", b"\xff", b"\xc0\xaf",
                 b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
        path = directory.encode() + b"/" + name
        switch = run(FWD, "--json", "--interval", "0.01", path, stdout=subprocess.PIPE)
        said = json.loads(switch.stdout.readline().decode("utf-8"))["ports"][0]["vnic"]
        switch.terminate()
        switch.communicate(timeout=LIMIT)
        assert said == path.decode("utf-8", "replace") or "\ufffd" in said, (name, said)
        try:
            assert said == path.decode("utf-8")
        except UnicodeDecodeError:
            pass


def test_interface_that_is_renamed(directory):
    vnic = directory + "/t.vnic"
    script = ('"$@" & sleep 0.3; ip link set net8 down; ip link set net8 name net9; kill -USR1 $!; sleep 0.3; '
              'kill $!; wait $!')
    done = subprocess.run(["sh", "-c", script, "sh", TAP, "--json", "--name", "net8", vnic], preexec_fn=apart,
                          stdout=subprocess.PIPE, timeout=LIMIT, check=True)
    names = [json.loads(line)["interface"] for line in done.stdout.decode().splitlines()]
    assert names == ["net9", "net9"], names
    name = b"\xfcnet"
    done = subprocess.run(["timeout", "0.5", TAP, "--json", "--name", name, vnic], preexec_fn=apart,
                          stdout=subprocess.PIPE, timeout=LIMIT, check=False)
    assert json.loads(done.stdout.decode("utf-8"))["interface"] == "\ufffdnet"


def test_rates(directory):
    vnic = directory + "/a.vnic"
    switch = run(FWD, "--quiet", vnic)
    with ending(switch):
        for rate, seconds, expected in ((1, 1.5, 2), (10, 1.5, 15), (100, 0.5, 50), (1000, 0.5, 500), (100000, 0.5, 50000)):
            done = subprocess.run([PKTGEN, "tx", "--json", "--interval", "0", "--rate", str(rate), "--time", str(seconds),
                                   vnic], stdout=subprocess.PIPE, timeout=LIMIT, check=True)
            sent = json.loads(done.stdout)["sent"]
            assert sent == expected or (rate > 10 and 0.8 * expected <= sent <= expected), (rate, sent)
        done = subprocess.run([PKTGEN, "tx", "--json", "--interval", "0", "--rate", "10", "--count", "3", vnic],
                              stdout=subprocess.PIPE, timeout=LIMIT, check=True)
        report = json.loads(done.stdout)
        assert report["sent"] == 3 and 0.2 <= report["seconds"] < 1, report


sys.exit(main(globals(), sys.argv[5:]))
