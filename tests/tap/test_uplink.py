#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rvs-fwd with an uplink into a Linux bridge, in a namespace of their own: rvif-taps on one side, and a namespace
behind the bridge on the other. As root.   test_uplink.py RVIF_TAP RVS_FWD [NAME]..."""
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

from tapnet import Namespace, cross, datagrams, eventually, libc, ping, run_tests
from uplinknet import Uplinked, feature_off

V4, V6 = socket.AF_INET, socket.AF_INET6
MB = 1 << 20
LIMIT = 60  # seconds of a test
CAPABILITY_DROP, CAP_NET_RAW = 24, 13
UDP_SEGMENT = 103
programs = {}


def both_ways(a, b, size, family=V4, **more):
    cross(a, b, size, family, **more)
    cross(b, a, size, family, **more)


def test_reach(uplinked):
    """Frames of many segments pass in one piece, both ways."""
    with uplinked() as net:
        host, other = net.hosts
        ping(host, net.station)
        ping(net.station, other, V6)
        for family in V4, V6:
            both_ways(host, net.station, 8 * MB, family)
        both_ways(host, other, 4 * MB)
        datagrams(host, net.station, (1, 1400, 8000))
        datagrams(net.station, host, (1, 1400, 8000), V6)
        assert net.count("uplink_in_gso_total") > 0 and net.count("uplink_out_gso_total") > 0
        assert not net.dropped(), net.dropped()
        # what is for others must come, too, on an interface that could leave it out
        assert json.loads(net.gate.ip("-d -j link show dev up0"))[0]["promiscuity"] == 1
        assert net.count("rvs_learned_addresses") >= 1 and net.count("uplink_up") == 1
        net.ends_in_order()


def unreachable(host, peer):
    try:
        ping(host, peer, seconds=1)
    except AssertionError:
        return
    raise AssertionError("%s reaches %s" % (host.addresses[V4], peer.addresses[V4]))


def test_wakes_the_switch(uplinked):
    """A switch that sleeps looks at its queues every 20 ms, or when a driver kicks: a frame from outside does."""
    def seconds():
        time.sleep(0.05)
        began = time.monotonic()
        ping(net.station, net.hosts[0])
        return time.monotonic() - began

    with uplinked() as net:
        ping(net.station, net.hosts[0])
        median = sorted(seconds() for _ in range(31))[15]
        print("   an answer after %.1f ms" % (1000 * median))
        assert median < 0.006


def without_offload(uplinked, options):
    """What comes in one piece is cut by the switch, with its checksums, which this host's kernel looks at."""
    with uplinked([options, ""]) as net:
        plain, other = net.hosts
        for peer in net.station, other:
            for family in V4, V6:
                both_ways(plain, peer, 4 * MB, family)
        assert plain.count("received", "gso") == 0 and plain.count("received", "dropped_bad") == 0
        assert net.count("rvs_copied_frames_total") > 1000 and net.count("uplink_in_gso_total") > 0
        assert not net.dropped(), net.dropped()
        assert plain.namespace.ip("-s -j link show dev " + plain.name)
        counters = subprocess.run(["cat", "/proc/net/snmp"], preexec_fn=plain.namespace.enter, check=True,
                                  stdout=subprocess.PIPE).stdout.decode().splitlines()
        tcp = dict(zip(*(line.split() for line in counters if line.startswith("Tcp:"))))
        assert tcp["InCsumErrors"] == "0", tcp


def test_without_tso(uplinked):
    without_offload(uplinked, "--no-tso")


def test_without_checksums(uplinked):
    without_offload(uplinked, "--no-csum")


def test_vlans(uplinked):
    """A trunk between two switches, through the bridge: hosts without tags, of the same VLANs on both sides."""
    vlans = ",vlan=10", ",vlan=20", ",vlan=1"
    with uplinked(["--no-tso", "", ""], ",vlan=1,trunk=10+20", vlans) as net, \
            uplinked(["", "--no-csum", ""], ",vlan=1,trunk=10+20", vlans, beyond=net) as far:
        for host, peer in zip(net.hosts, far.hosts):
            ping(host, peer)
            for family in V4, V6:
                both_ways(host, peer, 4 * MB, family)
        for switch in net, far:
            assert switch.count("uplink_in_gso_total", switch.uplink) > 0
            assert switch.count("uplink_out_gso_total", switch.uplink) > 0
            assert not switch.dropped(), switch.dropped()
        for host, peer in (net.hosts[0], far.hosts[1]), (net.hosts[2], far.hosts[0]), (net.hosts[1], net.hosts[0]):
            unreachable(host, peer)


def test_rules(uplinked):
    """What holds for ports holds for an uplink: here, what addresses may be sent from, and how many floods."""
    with uplinked(settings=",ip=10.9.0.8,floods=5") as net:
        host = net.hosts[0]
        unreachable(host, net.station)
        assert net.count("rvs_dropped_frames_total") > 0
        net.station.namespace.ip("address flush dev eth0")
        net.station.namespace.ip("address add 10.9.0.8/24 dev eth0")
        net.station.addresses[V4] = "10.9.0.8"
        ping(host, net.station)


def test_removed(uplinked):
    """The interface goes in the middle of a stream and comes back: the stream goes on, and each is said once."""
    with uplinked() as net:
        def again():
            net.gate.ip("link del up0")
            eventually(lambda: net.said("no such interface"))
            time.sleep(0.5)
            net.plug()
            eventually(lambda: net.said("interface is up") == 2)
        cross(net.hosts[0], net.station, 8 * MB, middle=again)
        cross(net.station, net.hosts[0], 4 * MB)
        cross(net.hosts[0], net.hosts[1], 4 * MB)
        assert net.said("no such interface") == 1
        net.gate.ip("link set up0 down")
        eventually(lambda: not net.count("uplink_up"))
        ping(net.hosts[0], net.hosts[1])
        net.gate.ip("link set up0 up")
        ping(net.hosts[0], net.station)
        # under another name it is still the same
        net.gate.ip("link set up0 name up1")
        ping(net.hosts[0], net.station)
        net.ends_in_order()


def test_comes_later(uplinked):
    with uplinked(plugged=False) as net:
        ping(*net.hosts)
        assert net.said("no such interface") == 1
        net.gate.ip("link add up0 type bridge")
        net.gate.ip("link set up0 up")
        eventually(lambda: net.said("interface is up"))
        net.gate.ip("link del up0")
        net.gate.ip("tuntap add up0 mode tun")
        eventually(lambda: net.said("no Ethernet interface"))
        net.gate.ip("link del up0")
        net.plug()
        ping(net.hosts[0], net.station)
        for what, most in ("no such interface", 3), ("interface is up", 2), ("no Ethernet", 1), ("interface is down", 2):
            assert net.said(what) <= most, what


def test_namespace_removed(uplinked):
    """The other end of the uplink is in a namespace that goes: with it the interface, and nothing else."""
    with uplinked(plugged=False) as net:
        other = Namespace()
        net.gate.ip("link add up0 type veth peer name far netns /proc/%d/fd/%d" % (os.getpid(), other.fd))
        net.gate.ip("link set up0 up")
        other.ip("link set far up")
        eventually(lambda: net.said("interface is up"))
        os.close(other.fd)
        eventually(lambda: net.said("no such interface") == 2)
        ping(*net.hosts)
        net.plug()
        ping(net.hosts[0], net.station)


def burst(source, target, stop):
    with source.namespace.socket(V4, socket.SOCK_DGRAM) as s:
        while not stop():
            for _ in range(500):
                try:
                    s.sendto(bytes(1000), (target.addresses[V4], 9))
                except OSError:
                    pass


def test_under_load(uplinked):
    """A flood from outside, to where it is not taken as fast: the hosts still reach each other, and a signal ends
    the switch."""
    with uplinked(settings=",bytes=1000000") as net:
        end = time.monotonic() + 4
        pid = os.fork()
        if not pid:
            burst(net.station, net.hosts[0], lambda: time.monotonic() > end)
            os._exit(0)
        cross(net.hosts[0], net.hosts[1], 4 * MB)
        ping(*net.hosts)
        net.ends_in_order()
        os.waitpid(pid, 0)


def test_datagrams_in_one_piece(uplinked):
    """What a program sends by one call as many datagrams is lost, counted and said, unless the other end cuts it."""
    with uplinked() as net:
        ping(net.hosts[0], net.station)
        with net.hosts[0].namespace.socket(V4, socket.SOCK_DGRAM) as there, \
                net.station.namespace.socket(V4, socket.SOCK_DGRAM) as here:
            there.bind((net.hosts[0].addresses[V4], 5001))
            there.settimeout(5)
            here.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
            sent = [bytes([i]) * 1000 for i in range(10)]
            here.sendto(b"".join(sent), (net.hosts[0].addresses[V4], 5001))
            eventually(lambda: net.said("tx-udp-segmentation off"))
            assert net.count("uplink_in_dropped_offload_total") == 1
            feature_off(net.gate, "port-up0", "tx-udp-segmentation")
            here.sendto(b"".join(sent), (net.hosts[0].addresses[V4], 5001))
            assert [there.recv(2000) for _ in range(10)] == sent
        assert net.said("tx-udp-segmentation off") == 1


def outcome(arguments, prepare=None):
    done = subprocess.run([programs["fwd"], *arguments], preexec_fn=prepare, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE, timeout=10, check=False)
    return done.returncode, done.stderr.decode()


def test_report(uplinked):
    """As JSON and as text."""
    with uplinked() as net:
        ping(net.hosts[0], net.station)
        net.stop_switch(signal.SIGTERM)
        for options in ["--json"], []:
            process = subprocess.Popen([programs["fwd"], "--interval", "0", *options, "--uplink", "up0,vlan=7",
                                        os.path.join(net.directory, "x.vnic")],
                                       preexec_fn=net.gate.enter, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            process.terminate()
            output = process.communicate(timeout=5)[0].decode()
            assert process.returncode == 0
            if options:
                port = json.loads(output)["ports"][1]
                assert port["vnic"] == port["uplink"]["interface"] == "up0" and port["vlan"] == 7, port
                assert port["uplink"]["state"] == "up" and port["uplink"]["out"]["frames"] == 0, port
            else:
                assert "uplink up0: up in_frames=" in output, output
        net.start_switch()


def test_usage(_):
    for uplink in "", "a/b", "0123456789abcdef", ".", "up 0", "up0,vlan=0", "up0,trunk=x", "up0,nothing",\
            "up0,isolated=1":
        status, error = outcome(["--uplink", uplink, "a.vnic"])
        assert status == 2 and "rvs-fwd: " in error and uplink.partition("=")[0] in error, (uplink, status, error)
    status, error = outcome(["--uplink", "a"] * 9 + ["a.vnic"])
    assert status == 2 and "at most 8" in error, error

    def without_right():
        assert not libc.prctl(ctypes.c_int(CAPABILITY_DROP), ctypes.c_ulong(CAP_NET_RAW), 0, 0, 0)
    status, error = outcome(["--uplink", "up0", "a.vnic"], without_right)
    assert status == 1 and "CAP_NET_RAW" in error, (status, error)


programs["tap"], programs["fwd"] = map(os.path.realpath, sys.argv[1:3])
sys.exit(run_tests(globals(), sys.argv[3:],
                   lambda directory: partial(Uplinked, programs, directory), LIMIT))
