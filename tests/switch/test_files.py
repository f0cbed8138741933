#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A vNIC's file has one driver and one switch, the second one is told; files that cannot be used; permissions.
   test_files.py RVS_FWD RVS_PKTGEN [NAME]..."""
import grp
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

from programs import LIMIT, attached, eventually, main, switch_line

NOBODY = 65534
FWD, PKTGEN = map(os.path.realpath, sys.argv[1:3])


class Program:
    """Its messages go to a file."""

    def __init__(self, directory, *arguments, **options):
        self.messages = os.path.join(directory, "messages.%d" % time.monotonic_ns())
        with open(self.messages, "wb") as errors:
            self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def said(self):
        with open(self.messages, encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        out = self.process.communicate(timeout=LIMIT)[0]
        assert self.process.returncode == 0, (self.process.returncode, self.said())
        return out


def exchange(directory, sender, receiver):
    """What a receiver gets of 1000 frames: it may lose some if it does not get a processor for a while."""
    with Program(directory, PKTGEN, "rx", "--json", "--interval", "0", receiver) as rx:
        eventually(lambda: attached(receiver))
        subprocess.run([PKTGEN, "tx", "--interval", "0", "--rate", "20000", "--count", "1000", sender],
                       stdout=subprocess.DEVNULL, timeout=LIMIT, check=True)
        time.sleep(0.2)
        report = json.loads(rx.end(signal.SIGINT))
    return report["received"], report["lost"], report["disordered"]


def exchange_of_a_ring(directory, sender, receiver):
    """What a receiver gets of 300 frames, which its ring holds, however long it waits for a processor."""
    rx = [PKTGEN, "rx", "--json", "--interval", "0", "--count", "300", "--time", str(LIMIT), receiver]
    with Program(directory, *rx) as receiving:
        eventually(lambda: attached(receiver))
        subprocess.run([PKTGEN, "tx", "--interval", "0", "--count", "300", sender], stdout=subprocess.DEVNULL,
                       timeout=LIMIT, check=True)
        report = json.loads(receiving.process.communicate(timeout=2 * LIMIT)[0])
    return report["received"], report["lost"], report["disordered"]


def sent_to(directory, settings):
    """What a receiver gets of frames from a port, with these settings of the two."""
    a, b = directory + "/a.vnic", directory + "/b.vnic"
    with Program(directory, FWD, "--quiet", a + settings[0], b + settings[1]):
        return exchange(directory, a, b)[0]


def test_settings(directory):
    assert sent_to(directory, (",vlan=10", ",vlan=10")) > 0
    assert sent_to(directory, (",vlan=10", ",vlan=20")) == 0
    assert sent_to(directory, ("", ",vlan=20")) == 0
    assert sent_to(directory, (",isolated", "")) > 0
    assert sent_to(directory, (",isolated", ",share,isolated")) == 0
    assert sent_to(directory, (",ip=10.0.0.1+::1", "")) == 0
    assert 1 <= sent_to(directory, (",frames=100,bytes=100000,floods=5", "")) <= 200
    assert sent_to(directory, (",trunk=7,vlan=10", ",vlan=10,trunk=20+30-40")) > 0
    # a comma may be a part of a name, and a setting's name its beginning
    for name in directory + "/a,b.vnic", directory + "/a,shared.vnic":
        with Program(directory, FWD, "--quiet", name + ",vlan=3", directory + "/b.vnic,vlan=3"):
            assert exchange(directory, name, directory + "/b.vnic")[0] > 0


def test_wrong_settings(directory):
    """What is said names the vNIC, the setting and its value."""
    vlans, addresses = "a list of VLANs, as 10+20-29", \
        "a list of IP addresses, as 10.0.0.1+2001:db8::1, of at most 8 of each version"
    for settings, message in {
            ",vlan=0": ",vlan: '0' is not from 1 to 4094", ",vlan=4095": ",vlan: '4095' is not from 1 to 4094",
            ",vlan=1x": ",vlan: '1x' is not a VLAN", ",trunk=": ",trunk: '' is not " + vlans,
            ",trunk=5-4": ",trunk: '5-4' is not " + vlans, ",vlan=1,trunk=x": ",vlan=1,trunk: 'x' is not " + vlans,
            ",ip=": ",ip: '' is not " + addresses, ",ip=1.2.3": ",ip: '1.2.3' is not " + addresses,
            ",ip=::1" + "+::1" * 8: ",ip: '::1" + "+::1" * 8 + "' is not " + addresses,
            ",frames=0": ",frames: '0' is not from 1 to 1099511627776",
            ",bytes=1k": ",bytes: '1k' is not a number of bytes a second",
            ",isolated=1": ",isolated takes no value",
            ",share,floods=-1": ",share,floods: '-1' is not from 1 to 1099511627776",
            ",floods=x,share": ",floods: 'x' is not a number of frames a second"}.items():
        port = directory + "/a.vnic"
        tried = subprocess.run([FWD, port + settings], capture_output=True, timeout=LIMIT, check=False, text=True)
        assert tried.returncode == 2, (settings, tried)
        assert tried.stderr == "rvs-fwd: %s%s; see rvs-fwd --help\n" % (port, message), (settings, tried)


def test_what_is_seen(directory):
    """Queues, the table and OpenMetrics, which Prometheus' own parser would take: names, labels, numbers, an end."""
    a, b, metrics = directory + '/a"\\b.vnic', directory + "/b.vnic", directory + "/metrics"
    with Program(directory, FWD, "--json", "--interval", "0", "--metrics", metrics, a + ",vlan=10,trunk=30-32+20",
                 b + ",vlan=10") as fwd:
        assert exchange(directory, a, b)[0] > 0
        report = json.loads(fwd.end())
    sender, receiver = report["ports"]
    assert (sender["vlan"], sender["trunk"], receiver["vlan"]) == (10, "20,30-32", 10) and "trunk" not in receiver, report
    # its driver has gone: counters stay, queues and addresses do not
    assert sender["sent"] == 1000 and sender["queues"] == [] and report["table"] == [], report
    with open(metrics, encoding="utf-8") as file:
        lines = file.read().split("\n")
    assert lines[-2:] == ["# EOF", ""]
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    for line in lines[:-2]:
        if not line.startswith("#"):
            match = re.fullmatch(r'(\w+){port="(?:[^"\\\n]|\\["\\n])*"(?:,(?:queue="\d+"|reason="\w+"))?} (\d+)', line)
            assert match and (match[1] in names or match[1].removesuffix("_total") in names), line
    assert any('port="%s/a\\"\\\\b.vnic",reason="full"} ' % directory in line for line in lines), lines


def test_what_is_seen_while_it_runs(directory):
    """Two drivers with the same address, in two VLANs."""
    a, b, metrics = directory + "/a.vnic", directory + "/b.vnic", directory + "/metrics"
    with Program(directory, FWD, "--json", "--interval", "0.2", "--metrics", metrics, a + ",vlan=10", b + ",vlan=20") as fwd, \
         Program(directory, PKTGEN, "rx", "--interval", "0", b), Program(directory, PKTGEN, "rx", "--interval", "0", a):
        eventually(lambda: attached(a) and attached(b))
        time.sleep(1)
        fwd.process.send_signal(signal.SIGTERM)
        lines = fwd.process.communicate(timeout=LIMIT)[0].decode().splitlines()
        assert fwd.process.returncode == 0
    last = json.loads(lines[-1])
    assert [len(port["queues"]) for port in last["ports"]] == [1, 1], last
    assert {entry["port"]: (entry["vlan"], entry["static"]) for entry in last["table"]} == {a: (10, True), b: (20, True)}, last
    with open(metrics, encoding="utf-8") as file:
        assert 'rvs_port_up{port="%s"} 1\n' % a in file.read()


def test_second_switch(directory):
    a, b = directory + "/a.vnic", directory + "/b.vnic"
    with Program(directory, FWD, "--quiet", a, b) as first, \
            Program(directory, PKTGEN, "rx", "--interval", "0", b) as receiver:
        eventually(lambda: attached(b))
        with Program(directory, FWD, "--quiet", a, b) as second:
            eventually(lambda: "another switch" in second.said())
            time.sleep(0.1)
            assert second.said().count(b) == 1 and attached(b)
            # the second one takes over
            generation = switch_line(b).generation
            first.process.kill()
            first.process.wait()
            eventually(lambda: switch_line(b).generation == generation + 1 and attached(b))
            receiver.end()
            second.end()


def test_named_twice(directory):
    """By the same path, links, or another way to the folder."""
    a, b = directory + "/a.vnic", directory + "/b.vnic"
    os.symlink(b, directory + "/symlink")
    os.symlink(directory, directory + "/folder")
    with Program(directory, FWD, "--quiet", a, b, b, directory + "/symlink", directory + "/folder/b.vnic") as switch:
        assert exchange_of_a_ring(directory, a, b) == (300, 0, 0)
        assert switch.said().count("in use") >= 3, switch.said()
        assert "REFUSED" not in switch.said() and "MAC address" not in switch.said()
        switch.end()
    with Program(directory, PKTGEN, "rx", "--interval", "0", b) as receiver:
        eventually(lambda: os.path.exists(b))
        os.link(b, directory + "/hard")
        with Program(directory, FWD, "--quiet", b, directory + "/hard") as switch:
            eventually(lambda: "hard: in use" in switch.said())
            assert attached(b)
        receiver.end()


def test_drivers_race(directory):
    """Of several that start at once one gets the file: if there is none, and if one was left behind."""
    vnic = directory + "/a.vnic"
    for left_behind in (False, True) * 5:
        if left_behind:
            with Program(directory, PKTGEN, "rx", vnic):
                eventually(lambda: os.path.exists(vnic))
        assert os.path.exists(vnic) == left_behind
        drivers = [subprocess.Popen([PKTGEN, "rx", "--interval", "0", vnic], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE) for _ in range(6)]
        try:
            eventually(lambda: sum(driver.poll() is None for driver in drivers) == 1)
            time.sleep(0.05)
            alive = [driver for driver in drivers if driver.poll() is None]
            assert len(alive) == 1 and os.path.exists(vnic)
            alive[0].terminate()
            assert alive[0].wait(LIMIT) == 0
            for driver in drivers:
                said = driver.communicate(timeout=LIMIT)[1].decode()
                assert driver is alive[0] or "another driver uses it" in said, said
        finally:
            for driver in drivers:
                driver.kill()
                driver.wait()
        assert [name for name in os.listdir(directory) if "vnic" in name] == []


def test_file_of_another(directory):
    """A driver whose file was replaced leaves the other one alone."""
    vnic = directory + "/a.vnic"
    with Program(directory, PKTGEN, "rx", "--interval", "0", vnic) as first:
        eventually(lambda: os.path.exists(vnic))
        os.unlink(vnic)
        with Program(directory, PKTGEN, "rx", "--interval", "0", vnic) as second:
            eventually(lambda: os.path.exists(vnic))
            first.end()
            assert os.path.exists(vnic)
            second.end()
            assert not os.path.exists(vnic)


def test_files_that_are_none(directory):
    os.mkdir(directory + "/folder")
    os.mkfifo(directory + "/fifo")
    for name, size in (("short", 100), ("huge", (1 << 32) + 1)):
        with open(directory + "/" + name, "wb") as file:
            file.truncate(size)
    expected = {"folder": "Is a directory", "fifo": "no regular file", "short": "shorter than", "huge": "longer than",
                "missing": None, "nowhere/x": "no such folder"}
    with Program(directory, FWD, "--quiet", *(directory + "/" + name for name in expected)) as switch:
        eventually(lambda: all(not text or text in switch.said() for text in expected.values()))
        for name, text in expected.items():
            lines = [said for said in switch.said().splitlines() if "/%s: " % name in said]
            assert len(lines) == (text is not None) and (not text or text in lines[0]), (name, lines)
        # and again if it is another fault
        os.unlink(directory + "/short")
        os.mkdir(directory + "/short")
        eventually(lambda: switch.said().count("/short: ") == 2)
        switch.end()


def test_log_has_a_limit(directory):
    """An owner that changes its file all the time does not fill the log; what is left out is counted."""
    path = directory + "/a.vnic"
    with Program(directory, FWD, "--quiet", path) as fwd:
        for size in range(600):  # an idle switch looks every 20 ms
            with open(path + ".new", "wb") as file:
                file.truncate(size % 2 * (1 << 41))
            os.rename(path + ".new", path)
            time.sleep(0.004)
        eventually(lambda: "messages were left out" in fwd.said())
        time.sleep(1.5)
        fwd.end()
        lines = fwd.said().splitlines()
        left_out = sum(int(line.split()[2]) for line in lines if line.endswith("messages were left out"))
        assert 20 <= len(lines) < 100 and left_out > 20, (len(lines), left_out)
        assert all(path in line for line in lines), lines


def mode_of(path):
    found = os.stat(path)
    return stat.S_IMODE(found.st_mode), found.st_gid


def test_permissions(directory):
    os.chmod(directory, 0o777)
    vnic = directory + "/a.vnic"

    def nobody():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with Program(directory, FWD, "--quiet", vnic, preexec_fn=nobody) as switch:
        with Program(directory, PKTGEN, "rx", "--interval", "0", vnic) as driver:
            eventually(lambda: "Permission denied" in switch.said())
            assert mode_of(vnic) == (0o600, 0)
            driver.end()
        for options in (("--mode", "0666"), ("--mode", "660", "--group", str(NOBODY)),
                        ("--group", grp.getgrgid(NOBODY).gr_name, "--mode", "0060")):
            with Program(directory, PKTGEN, "rx", "--interval", "0", *options, vnic) as driver:
                eventually(lambda: attached(vnic))
                assert mode_of(vnic) == (int(options[options.index("--mode") + 1], 8),
                                         NOBODY if "--group" in options else 0)
                driver.end()
        assert switch.said().count("Permission denied") == 1
        switch.end()
    for options in (("--mode", "0888"), ("--mode", "1777"), ("--mode", "0"), ("--mode", "rw"), ("--group", "no such group"),
                    ("--group", "-1"), ("--group", "4294967295")):
        assert subprocess.run([PKTGEN, "rx", *options, vnic], stderr=subprocess.DEVNULL, timeout=LIMIT,
                              check=False).returncode == 2, options
    refused = subprocess.run([PKTGEN, "rx", "--mode", "0600", "elisa:vmnet"], stderr=subprocess.PIPE, timeout=LIMIT,
                             check=False)
    assert refused.returncode == 2 and b"elisa:vmnet" in refused.stderr, refused.stderr
    refused = subprocess.run([PKTGEN, "rx", "elisa:vmnet"], stderr=subprocess.PIPE, timeout=LIMIT, check=False)
    assert refused.returncode == 1 and b"modprobe elisa-guest" in refused.stderr, refused.stderr


def test_large_group(directory):
    """A group whose members' names take more room than others: looked up in a group file of its own."""
    vnic, groups = directory + "/a.vnic", directory + "/groups"
    with open(groups, "w", encoding="ascii") as file:
        file.write("crowd:x:4711:" + ",".join("member%d" % i for i in range(20000)) + "\n")
    with Program(directory, "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"', groups,
                 PKTGEN, "rx", "--interval", "0", "--group", "crowd", vnic) as driver:
        eventually(lambda: os.path.exists(vnic) or driver.process.poll() is not None)
        assert driver.process.poll() is None and mode_of(vnic) == (0o600, 4711), driver.said()
        driver.end()


sys.exit(main(globals(), sys.argv[3:]))
