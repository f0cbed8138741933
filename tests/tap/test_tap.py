#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rvif-tap between network namespaces over rvs-fwd. As root; without TUN or namespaces it fails.
   test_tap.py RVIF_TAP RVS_FWD [NAME]..."""
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial

from fakeswitch import KICK_WANTED, COMPLETED, MORE, NEED_NOTIFY, FakeSwitch
from tapnet import (LOOK, Host, Namespace, Net, cross, datagrams, effort, eventually, ping,
                    run_tests)

V4, V6 = socket.AF_INET, socket.AF_INET6
SO_RCVBUFFORCE = 33
MB = 1 << 20
LIMIT = 25  # seconds of a test
programs = {}


def both_ways(a, b, size, family=V4, **more):
    cross(a, b, size, family, **more)
    cross(b, a, size, family, **more)


def matrix(net_at, options, csum, tso):
    """TCP in both directions by IPv4 and IPv6; what the reports must say of the offloads."""
    for mtu in (1500, 9000):
        with net_at([options + " --mtu %d" % mtu] * 2) as net:
            a, b = net.hosts
            assert a.link()["mtu"] == mtu
            ping(a, b)
            ping(b, a, V6)
            for family, feature in ((V4, "tso4"), (V6, "tso6")):
                before = a.count("sent", "gso"), b.count("received", "gso")
                both_ways(a, b, 4 * MB, family)
                sent, received = a.count("sent", "gso") - before[0], b.count("received", "gso") - before[1]
                report = a.report()
                assert report["csum"] == csum and report[feature] == tso, report
                assert (sent > 0) == tso and (received > 0) == tso, (sent, received)
            datagrams(a, b, (1, 1400, 8000))
            datagrams(b, a, (1, 1400, 8000), V6)
            if tso:  # larger than any segment, on the average of many acknowledgements and data
                assert b.count("received", "bytes") / b.count("received", "frames") > mtu
            for host in net.hosts:
                for drop in ("dropped_bad", "dropped_refused"):
                    assert host.count("received", drop) == 0, drop
                for drop in ("dropped_length", "dropped_offload"):
                    assert host.count("sent", drop) == 0, drop


def test_all_offloads(net_at):
    matrix(net_at, "", True, True)


def test_no_tso(net_at):
    matrix(net_at, "--no-tso", True, False)


def test_no_csum(net_at):
    matrix(net_at, "--no-csum", False, False)


def test_one_without_csum(net_at):
    """The switch fills in sums for it."""
    with net_at(["--no-tso", "--no-csum"]) as net:
        both_ways(*net.hosts, 4 * MB)
        datagrams(*net.hosts, (1, 1400, 8000), V6)


def test_drops(net_at):
    with net_at(["--no-tso --drop 10"] * 2) as net:
        both_ways(*net.hosts, 4 * MB)
        for host in net.hosts:
            frames, dropped = (host.count("received", key) for key in ("frames", "dropped_on_purpose"))
            assert 0.003 < dropped / frames < 0.03, (frames, dropped)


def test_down_and_up(net_at):
    with net_at([""] * 2) as net:
        a, b = net.hosts
        for host in net.hosts:
            def down_and_up(its=host):
                its.namespace.ip("link set %s down" % its.name)
                time.sleep(0.3)
                its.namespace.ip("link set %s up" % its.name)
            cross(a, b, 4 * MB, middle=down_and_up)
        ping(a, b)


def test_queues(net_at):
    with net_at(["--queues 4"] * 2) as net:
        a, b = net.hosts
        workers = [threading.Thread(target=cross, args=(a, b, 2 * MB), kwargs={"streams": 8}),
                   threading.Thread(target=cross, args=(b, a, 2 * MB), kwargs={"streams": 8, "port": 5002})]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for host in net.hosts:
            for direction in ("sent", "received"):
                used = [queue[direction]["frames"] > 10 for queue in host.report()["queues"]]
                assert sum(used) >= 2, (direction, used)
        cross(a, b, MB)


def test_idle(net_at):
    """The main threads look once a second, the switch each 20 ms; else only frames (the kernels' own multicasts) wake a
    thread."""
    with net_at(["--queues 2"] * 2) as net:
        both_ways(*net.hosts, 4 * MB)
        time.sleep(1)
        frames = [host.count("sent", "frames") + host.count("received", "frames") for host in net.hosts]
        before = [host.effort() for host in net.hosts]
        switch = effort(net.switch.pid)
        time.sleep(2)
        after = [host.effort() for host in net.hosts]
        switches, ticks = (now - then for now, then in zip(effort(net.switch.pid), switch))
        print("   the switch: %d context switches, %d ticks" % (switches, ticks))
        assert switches < 250 and ticks <= 4
        for i, host in enumerate(net.hosts):
            switches, ticks = (now - then for now, then in zip(after[i], before[i]))
            moved = host.count("sent", "frames") + host.count("received", "frames") - frames[i]
            print("   idle for 2 s: %d context switches, %d ticks, %d frames" % (switches, ticks, moved))
            assert moved < 10 and switches <= 6 + 3 * moved and ticks <= 1


def test_wakes_the_switch(net_at):
    """A frame wakes a switch that sleeps, which would look 20 ms later."""
    with net_at([""] * 2) as net:
        a, b = net.hosts
        ping(a, b)
        took = []
        with b.namespace.socket(V4, socket.SOCK_DGRAM) as there, a.namespace.socket(V4, socket.SOCK_DGRAM) as here:
            there.bind((b.addresses[V4], 5004))
            for _ in range(40):
                time.sleep(0.03)
                began = time.monotonic()
                here.sendto(b"there", (b.addresses[V4], 5004))
                there.sendto(b"back", there.recvfrom(100)[1])
                here.recv(100)
                took.append(time.monotonic() - began)
        assert sorted(took)[10] < 0.005, took


def test_switch_again(net_at):
    """Ended and killed, in the middle of a stream."""
    with net_at([""] * 2) as net:
        a, b = net.hosts

        def ended():
            net.stop_switch(signal.SIGTERM)
            net.wait_for_carriers(False)
            net.start_switch()
            net.wait_for_carriers()

        def killed():
            net.stop_switch(signal.SIGKILL)
            time.sleep(0.2)
            net.start_switch()

        cross(a, b, 4 * MB, middle=ended)
        cross(b, a, 4 * MB, middle=killed)
        ping(a, b)
        # and one that grants less
        net.stop_switch(signal.SIGTERM)
        net.wait_for_carriers(False)
        net.start_switch("--no-offload")
        net.wait_for_carriers()
        before = a.count("sent", "gso")
        cross(a, b, 4 * MB)
        assert a.count("sent", "gso") == before and not a.report()["csum"]


def test_killed_before_waking(net_at):
    """A switch gave a sleeping receiver all that its ring holds, and was killed before it woke it: the next switch
    does, although it can give that receiver nothing more."""
    with net_at([""], ready=False) as net:
        host = net.hosts[0]
        net.stop_switch(signal.SIGTERM)
        eventually(lambda: not host.carrier(), LOOK)
        switch = FakeSwitch(host.vnic)
        switch.next = switch.word(switch.rx + COMPLETED)
        switch.attach(8)
        eventually(host.carrier)
        eventually(lambda: switch.word(switch.rx + NEED_NOTIFY))
        before = host.count("received", "frames")
        frame = b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 9, 0x88, 0xb5]) + bytes(50)
        for _ in range(switch.ring):
            switch.give(len(frame), 0, frame)
        switch.complete(wake=False)
        time.sleep(0.2)
        assert host.count("received", "frames") == before, "it does not sleep"
        net.start_switch()
        eventually(lambda: host.count("received", "frames") == before + switch.ring, 2)


def flood(source, target, frames):
    with source.namespace.socket(V4, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        for _ in range(frames):
            try:
                s.sendto(bytes(1000), (target.addresses[V4], 9))
            except BlockingIOError:
                time.sleep(0.001)


def test_stopped_receiver(net_at):
    with net_at([""] * 3) as net:
        a, b, c = net.hosts
        ping(a, c)
        c.process.send_signal(signal.SIGSTOP)
        before = a.count("sent", "frames")
        while a.count("sent", "frames") < before + 2000:  # the interface loses what comes too fast
            flood(a, c, 100)
        began = time.monotonic()
        both_ways(a, b, 4 * MB)
        flood(a, c, 100)
        ping(a, b)
        assert time.monotonic() - began < 5
        c.process.send_signal(signal.SIGCONT)
        ping(a, c)
        assert c.count("received", "missed") > 1000


def numbered(source, target, count):
    """Datagrams with these numbers; returns a function that receives them."""
    there = target.namespace.socket(V4, socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, count * 8192)
    there.bind((target.addresses[V4], 5003))
    there.settimeout(2)
    with source.namespace.socket(V4, socket.SOCK_DGRAM) as here:
        for number in range(count):
            here.sendto(number.to_bytes(4, "big") + bytes(1000), (target.addresses[V4], 5003))

    def received():
        with there:
            return [int.from_bytes(there.recv(2048)[:4], "big") for _ in range(count)]
    return received


def test_receiver_without_room(net_at):
    """Holds its only sender: what comes meanwhile waits, in order, and the interface counts what it cannot keep."""
    with net_at(["--ring 64", "--ring 256"], switch="--hold 10000") as net:
        a, b = net.hosts
        ping(a, b)
        b.process.send_signal(signal.SIGSTOP)
        received = numbered(a, b, 600)
        eventually(lambda: a.count("sent", "full") > 10)
        before = a.dropped()
        flood(a, b, 2000)
        assert a.dropped() > before
        b.process.send_signal(signal.SIGCONT)
        assert received() == list(range(600))
        assert b.count("received", "missed") == 0
        ping(a, b)


def test_receiver_without_room_for_long(net_at):
    """It is given up: its sender goes on, and what is lost is counted."""
    with net_at(["--ring 64", "--ring 256", ""], switch="--hold 50") as net:
        a, b, c = net.hosts
        ping(a, b)
        b.process.send_signal(signal.SIGSTOP)
        stop = threading.Event()

        def keep_on():
            while not stop.is_set():
                flood(a, b, 100)
                time.sleep(0.01)
        flooder = threading.Thread(target=keep_on)
        flooder.start()
        try:
            before = a.count("sent", "frames")
            eventually(lambda: a.count("sent", "frames") > before + 1000)
            cross(a, c, 4 * MB)
            ping(a, c)
        finally:
            stop.set()
            flooder.join()
        b.process.send_signal(signal.SIGCONT)
        ping(a, b)
        assert b.count("received", "missed") > 100


def test_stopped_switch(net_at):
    """Senders with a full ring wait without working, and go on."""
    with net_at([""] * 2) as net:
        a, b = net.hosts
        ping(a, b)
        net.switch.send_signal(signal.SIGSTOP)
        flood(a, b, 2000)
        time.sleep(0.3)
        before = a.effort()
        time.sleep(1)
        now = a.effort()
        assert now[0] - before[0] < 40 and now[1] - before[1] <= 2, (before, now)
        assert a.count("sent", "full") > 0
        net.switch.send_signal(signal.SIGCONT)
        ping(a, b)
        both_ways(a, b, 4 * MB)


def test_addresses(net_at):
    mac = "02:00:00:00:00:%02x"
    with net_at(["--mac " + mac % 1, "--promiscuous", "--mac " + mac % 3]) as net:
        a, b, c = net.hosts
        assert a.link()["address"] == mac % 1 and c.link()["address"] == mac % 3
        ping(a, b)
        ping(b, c)
        # no port has this address: only ports that asked for such frames get them
        a.namespace.ip("neigh add 10.9.0.9 lladdr 02:00:00:00:00:99 dev tap1")
        before = [host.count("received", "bytes") for host in net.hosts]
        a.addresses["nobody"] = "10.9.0.9"
        with a.namespace.socket(V4, socket.SOCK_DGRAM) as s:
            for _ in range(100):
                s.sendto(bytes(1000), ("10.9.0.9", 9))
        eventually(lambda: b.count("received", "bytes") - before[1] > 100000)
        assert c.count("received", "bytes") - before[2] < 50000


def test_checked_sources(net_at):
    """The interface has, without being told, an address that the switch knows: what it sends is its own."""
    with net_at(["", ""], switch="--check-source") as net:
        a, b = net.hosts
        ping(a, b)
        both_ways(a, b, MB)


def test_longest(net_at):
    """With two VLANs' tags, the longest; and longer ones when the MTU is raised."""
    with net_at(["--no-tso"] * 2) as net:
        a, b = net.hosts
        ping(a, b)
        before = b.count("received", "bytes")
        a.namespace.ip("link set tap1 mtu 1504")  # else a packet socket takes one tag only
        with a.namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
            s.bind((a.name, 0))
            s.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 9, 0x81, 0, 0, 7, 0x81, 0, 0, 5, 0x88, 0xb5]) + bytes(1500))
        eventually(lambda: b.count("received", "bytes") - before >= 1522)
        assert a.count("sent", "dropped_length") == 0
        for mtu in (9000, 65513):
            for host in net.hosts:
                host.namespace.ip("link set %s mtu %d" % (host.name, mtu))
            datagrams(a, b, (mtu - 28,))
            datagrams(b, a, (mtu - 48,), V6)
        assert a.count("sent", "dropped_length") == 0 and b.count("received", "dropped_bad") == 0


def test_no_switch(net_at):
    """Not any more, or never: the interface is there, without a carrier; the daemon ends at once."""
    with net_at([""], ready=False) as net:
        host = net.hosts[0]
        eventually(host.carrier)
        net.stop_switch(signal.SIGTERM)
        eventually(lambda: not host.carrier(), LOOK)
        began = time.monotonic()
        host.end()
        assert time.monotonic() - began < 1
        assert host.name.encode() not in host.namespace.ip("link"), "the interface is left behind"
        net.hosts[0] = Host(net, 1)
        assert not net.hosts[0].carrier() and not net.hosts[0].report()["carrier"]


def outcome(arguments, prepare=None):
    done = subprocess.run([programs["tap"], *arguments], preexec_fn=prepare, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE, timeout=10, check=False)
    return done.returncode, done.stderr.decode()


def test_removed(net_at):
    with net_at([""]) as net:
        host = net.hosts[0]
        host.namespace.ip("link delete " + host.name)
        assert host.process.wait(5) == 1 and not os.path.exists(host.vnic)
        net.hosts.clear()


class Outside:
    """A host behind a bridge of another one: 10.9.0.9."""
    addresses = {V4: "10.9.0.9"}

    def __init__(self, gate):
        self.namespace = Namespace()
        gate.namespace.ip("link add bridge type bridge")
        gate.namespace.ip("link add out type veth peer name eth0 netns /proc/%d/fd/%d" % (os.getpid(), self.namespace.fd))
        for port in gate.name, "out":
            gate.namespace.ip("link set %s up master bridge" % port)
        gate.namespace.ip("link set bridge up")
        self.namespace.ip("address add 10.9.0.9/24 dev eth0")
        self.namespace.ip("link set eth0 up")


def test_uplink(net_at):
    """Through a guest that bridges, as docs/vmnet.md says: its port may send from others' addresses, which the switch
    learns, and it gets what the switch knows no port for."""
    with net_at(["", "--promiscuous"]) as net:
        inside, gate = net.hosts
        outside = Outside(gate)
        ping(inside, outside)
        ping(outside, inside)


def test_ready(net_at):
    """Said when the interface can be given an address, although there is no switch."""
    with net_at([""]) as net:
        namespace = net.hosts[0].namespace
        ready, theirs = os.pipe()
        with subprocess.Popen([programs["tap"], "--name", "early", "--ready-fd", str(theirs),
                               os.path.join(net.directory, "early.vnic")],
                              pass_fds=[theirs], preexec_fn=namespace.enter) as process:
            os.close(theirs)
            said = os.read(ready, 100)
            namespace.ip("address add 10.8.0.1/24 dev early")
            process.terminate()
        os.close(ready)
        assert said == b"READY=1\n" and process.returncode == 0, (said, process.returncode)


def test_failures(net_at):
    with net_at(["", ""]) as net:
        a, b = net.hosts
        status, error = outcome(["--name", a.name, "x.vnic"], a.namespace.enter)
        assert status == 1 and "already" in error and a.name in error, error
        status, error = outcome(["--name", "other", a.vnic], a.namespace.enter)
        assert status == 1 and "another driver" in error, error
        status, error = outcome(["--name", "other", "/nowhere/x.vnic"], a.namespace.enter)
        assert status == 1 and "No such file" in error, error
        status, error = outcome(["--name", "other", "elisa:nowhere"], a.namespace.enter)
        assert status == 1 and "elisa:nowhere" in error and "modprobe elisa-guest" in error, error
        ping(a, b)
    apart = Namespace()

    def nobody():
        apart.enter()
        os.setgid(65534)
        os.setuid(65534)
    status, error = outcome(["x.vnic"], nobody)
    assert status == 1 and "CAP_NET_ADMIN" in error, error


def test_refused(net_at):
    """An address that another port has: says so, and ends."""
    mac = "--mac 02:00:00:00:00:01"
    with net_at([mac, ""]) as net:
        host = net.hosts.pop()
        host.end()
        status, error = outcome(["--name", host.name, *mac.split(), host.vnic], host.namespace.enter)
        assert status == 1 and "another port has this MAC address" in error, error
        assert not os.path.exists(host.vnic)


def test_hostile_switch(net_at):
    """Wrong lengths, flags, chains and indexes: counted, never believed, and not a reason to spin."""
    with net_at(["--ring 512 --buffer 4096"], ready=False) as net:
        host = net.hosts[0]
        net.stop_switch(signal.SIGTERM)
        eventually(lambda: not host.carrier(), LOOK)
        switch = FakeSwitch(host.vnic)
        switch.next = switch.word(switch.rx + COMPLETED)
        switch.attach(15)
        eventually(host.carrier)
        frames, bad = host.count("received", "frames"), host.count("received", "dropped_bad")
        for length, flags in (*((4096, MORE),) * 15, (4096, 0), (0, 0), (13, 0), (4097, 0), (65535, 0), (100, 0x8000), (100, 2), (100, 8)):
            switch.give(length, flags)
        switch.complete()
        eventually(lambda: host.count("received", "dropped_bad") == bad + 8)
        # a chain of 64 that does not end, and one that ends nowhere
        for _ in range(70):
            switch.give(100, MORE)
        switch.complete()
        eventually(lambda: host.count("received", "dropped_bad") == bad + 10)
        assert host.count("received", "frames") == frames
        # indexes that cannot be
        switch.word(switch.tx + COMPLETED, 0x80000000)
        for ahead in (-1, 513, 0x7fffffff):
            switch.complete(ahead)
            time.sleep(0.1)
            before = host.effort()
            time.sleep(0.5)
            now = host.effort()
            assert now[0] - before[0] < 50 and now[1] - before[1] <= 2, (ahead, before, now)
        # what is right still arrives, also in parts
        frame = b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 9, 0x88, 0xb5]) + bytes(86)
        switch.give(100, 0, frame)
        switch.give(50, MORE, frame[:50])
        switch.give(50, 0, frame[50:])
        switch.complete()
        eventually(lambda: host.count("received", "frames") == frames + 2)
        assert host.count("received", "dropped_bad") == bad + 10
        # a ring that no reader empties, and kicks that change nothing
        switch.word(switch.tx + KICK_WANTED, 1)
        host.namespace.ip("neigh add 10.9.0.9 lladdr 02:00:00:00:00:99 dev tap1")
        host.addresses[V4] = "10.9.0.9"
        flood(host, host, 1000)
        eventually(lambda: host.count("sent", "full") > 0 and host.count("sent", "kicks") > 0)


def test_usage(_):
    for line in ("", "a b", "--what a", "--queues 0 a", "--queues 129 a", "--queues x a", "--ring 32 a", "--ring 100 a", "--ring 65536 a",
                 "--buffer 1023 a", "--buffer 65536 a", "--hold 10001 a", "--mtu 67 a",
                 "--mtu 65514 a", "--mtu 15OO a", "--mac 1:2 a", "--mac 01:00:00:00:00:01 a",
                 "--mac 00:00:00:00:00:00 a", "--mac 02:00:00:00:00:011 a", "--drop 1001 a", "--drop -1 a",
                 "--name 0123456789abcdef a", "--name a/b a", "--name .. a", "--mode 0 a", "--mode 0660 elisa:a",
                 "--group 0 elisa:a"):
        status, error = outcome(line.split())
        assert status == 2 and "rvif-tap: " in error, (line, status, error)
    assert outcome(["--help"])[0] == 0


programs["tap"], programs["fwd"] = map(os.path.realpath, sys.argv[1:3])
sys.exit(run_tests(globals(), sys.argv[3:], lambda directory: partial(Net, programs, directory), LIMIT))
