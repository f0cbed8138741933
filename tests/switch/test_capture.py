#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rvs-capture beside rvs-fwd: what it shows and writes, filters, losses, and that whatever it does, or does not do, frames
go on.   test_capture.py RVS_FWD RVS_PKTGEN RVS_CAPTURE [NAME]..."""
import contextlib
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys

from programs import LIMIT, attached, eventually, main

FWD, PKTGEN, CAPTURE = map(os.path.realpath, sys.argv[1:4])
PCAP = ctypes.CDLL("libpcap.so.0.8")
PCAP.pcap_open_offline.restype = ctypes.c_void_p
PCAP.pcap_next.restype = ctypes.POINTER(ctypes.c_uint8)
PCAP.pcap_next.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
PCAP.pcap_close.argtypes = [ctypes.c_void_p]


def frames_of(file):
    """Lengths of the frames that libpcap finds in a file, and that were there."""
    error = ctypes.create_string_buffer(256)
    pcap = PCAP.pcap_open_offline(file.encode(), error)
    assert pcap, error.value
    header = (ctypes.c_uint32 * 8)()  # struct pcap_pkthdr
    frames = []
    while PCAP.pcap_next(pcap, header):
        frames.append((header[5], header[4]))
    PCAP.pcap_close(pcap)
    return frames


@contextlib.contextmanager
def running(*arguments, **options):
    process = subprocess.Popen(arguments, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, **options})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def switch(directory):
    """Two vNICs; the second one has a receiver."""
    a, b, control = directory + "/a.vnic", directory + "/b.vnic", directory + "/control"
    with running(FWD, "--quiet", "--control", control, a, b) as fwd, running(PKTGEN, "rx", "--interval", "0", b):
        eventually(lambda: attached(b) and os.path.exists(control))
        yield a, control
        fwd.send_signal(signal.SIGTERM)
        assert fwd.wait(LIMIT) == 0
        assert not os.path.exists(control)


def send(vnic, count, *more):
    done = subprocess.run([PKTGEN, "tx", "--json", "--interval", "0", "--count", str(count), "--wait", "5", *more, vnic],
                          stdout=subprocess.PIPE, timeout=3 * LIMIT, check=True)
    assert json.loads(done.stdout)["sent"] == count


def capture(control, *arguments, **options):
    return running(CAPTURE, "--socket", control, *arguments, **options)


def ended(process):
    """What it says at its end."""
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, said
    found = re.fullmatch(r"rvs-capture: (\d+) frames, (\d+) of them passed the filter; (\d+) more were lost\n", said)
    assert found, said
    return tuple(map(int, found.groups()))


def begun(file):
    """The head of the file is written when the port is captured."""
    eventually(lambda: os.path.exists(file) and os.path.getsize(file) > 0)


def stop(process):
    process.send_signal(signal.SIGINT)
    return ended(process)


def test_file(directory):
    file = directory + "/a.pcapng"
    with switch(directory) as (vnic, control), capture(control, "-w", file, vnic) as process:
        begun(file)
        send(vnic, 40, "--size", "100", "--rate", "1000")
        send(vnic, 2, "--size", "9000")
        eventually(lambda: len(frames_of(file)) == 42)
        assert stop(process) == (42, 42, 0)
    assert frames_of(file) == 40 * [(100, 100)] + 2 * [(9000, 2032)]


def test_filter_and_count(directory):
    file = directory + "/a.pcapng"
    with switch(directory) as (vnic, control):
        with capture(control, "-w", file, vnic, "greater", "600") as process:
            begun(file)
            send(vnic, 12, "--size", "imix", "--rate", "1000")
            eventually(lambda: frames_of(file))
            assert stop(process) == (12, 1, 0)
        assert frames_of(file) == [(1514, 1514)]
        with capture(control, "-c", "3", vnic, stdout=subprocess.PIPE) as process:
            send(vnic, 5)
            # frames from before the port was captured are not seen
            while not select.select([process.stdout], [], [], 0.2)[0]:
                send(vnic, 5)
            said = process.stdout.readlines()
            assert ended(process)[1] == 3
        assert len(said) == 3, said
        assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} sent 02:00:00:00:00:01 > 02:00:00:00:00:02, type 0x88b5, 64 bytes\n", line)
                   for line in said), said


def test_what_is_lost_is_counted(directory):
    """An observer that is stopped: frames go on, and what it could not read is lost."""
    file = directory + "/a.pcapng"
    with switch(directory) as (vnic, control), capture(control, "-w", file, vnic) as process:
        begun(file)
        process.send_signal(signal.SIGSTOP)
        send(vnic, 20000)
        process.send_signal(signal.SIGCONT)
        eventually(lambda: len(frames_of(file)) == 4096)
        assert stop(process) == (4096, 4096, 20000 - 4096)
        with open(file, "rb") as written:
            assert (20000 - 4096).to_bytes(8, "little") in written.read()[-120:]


def test_output_that_is_not_read(directory):
    reader, writer = os.pipe()
    with switch(directory) as (vnic, control), capture(control, "-w", "-", vnic, stdout=writer) as process:
        eventually(lambda: os.read(reader, 1))
        send(vnic, 20000)
        send(vnic, 20000)
        process.kill()
        send(vnic, 100)
    os.close(reader)
    os.close(writer)


def test_two_observers(directory):
    files = [directory + "/1.pcapng", directory + "/2.pcapng"]
    with switch(directory) as (vnic, control), capture(control, "-w", files[0], vnic) as one, \
            capture(control, "-w", files[1], directory + "/b.vnic") as two:
        begun(files[0])
        begun(files[1])
        send(vnic, 50, "--rate", "1000")
        eventually(lambda: [len(frames_of(file)) for file in files] == [50, 50])
        assert stop(one) == (50, 50, 0)
        send(vnic, 50, "--rate", "1000")
        eventually(lambda: len(frames_of(files[1])) == 100)
        assert stop(two) == (100, 100, 0)


def refused(arguments, status, message, **options):
    done = subprocess.run([CAPTURE, *arguments], capture_output=True, text=True, timeout=LIMIT, check=False, **options)
    assert (done.returncode, done.stdout) == (status, "") and message in done.stderr, done


def test_refused(directory):
    with switch(directory) as (vnic, control):
        socket = ["--socket", control]
        refused([*socket, "c.vnic"], 1, "rvs-capture: no vNIC is called \"c.vnic\"\n")
        refused([*socket, vnic, "tcp", "porrt", "1"], 2, "rvs-capture: filter 'tcp porrt 1': ")
        refused([*socket, vnic, "-w", "/dev/full", "-c", "1"], 1, "rvs-capture: /dev/full: No space left on device\n")
        refused([*socket], 2, "rvs-capture: the vNIC is missing; see rvs-capture --help\n")
        refused([vnic], 2, "rvs-capture: --socket is missing; see rvs-capture --help\n")
        refused(["--socket", directory + "/none", vnic], 1,
                "/none: No such file or directory; does the daemon run, with --control?\n")
        done = subprocess.run([FWD, "--control", control, directory + "/c.vnic"], capture_output=True, text=True, timeout=LIMIT,
                              check=False)
        assert (done.returncode, done.stderr) == (1, "rvs-fwd: --control: %s: another process serves it\n" % control), done
        if os.geteuid() == 0:  # the socket's mode, and, if that were wider, the kernel's word for the peer
            os.chmod(directory, 0o755)
            refused([*socket, vnic], 1, "Permission denied", user=65534)
            os.chmod(control, 0o666)
            refused([*socket, vnic], 1, "rvs-capture: user 65534 may not see what ports send\n", user=65534)


def test_switch_ends(directory):
    """What was captured until then is written, and said."""
    file = directory + "/a.pcapng"
    with switch(directory) as (vnic, control):
        process = subprocess.Popen([CAPTURE, "--socket", control, "-w", file, vnic], stderr=subprocess.PIPE, text=True)
        begun(file)
        send(vnic, 10, "--rate", "1000")
        eventually(lambda: len(frames_of(file)) == 10)
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 1 and "10 frames, 10 of them passed the filter; 0 more were lost\n" in said, said
    assert len(frames_of(file)) == 10


sys.exit(main(globals(), sys.argv[4:]))
