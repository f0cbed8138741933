# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, a switch, and rvif-tap in each of them; traffic between them by sockets of this
process. Namespaces have no names, so nothing is left behind however this ends."""
import ctypes
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import traceback

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
LOOK = 8  # seconds: a daemon with a carrier looks every five whether its switch is there
home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def eventually(what, seconds=5):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("not within %g seconds" % seconds)
        time.sleep(0.02)


def effort(pid):
    """Context switches and ticks of the CPU so far, of all threads."""
    switches = ticks = 0
    tasks = "/proc/%d/task/" % pid
    for task in os.listdir(tasks):
        with open(tasks + task + "/status", encoding="ascii") as status:
            switches += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
        with open(tasks + task + "/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return switches, ticks


class Namespace:
    def __init__(self):
        checked(libc.unshare(CLONE_NEWNET))
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        checked(libc.setns(home, CLONE_NEWNET))

    def enter(self):
        checked(libc.setns(self.fd, CLONE_NEWNET))

    def socket(self, *arguments):
        self.enter()
        try:
            return socket.socket(*arguments)
        finally:
            checked(libc.setns(home, CLONE_NEWNET))

    def ip(self, command):
        return subprocess.run(["ip"] + command.split(), preexec_fn=self.enter, check=True, timeout=10,
                              stdout=subprocess.PIPE).stdout


class Host:
    """An rvif-tap in a namespace of its own, with addresses 10.9.0.N and fd00::N."""

    def __init__(self, net, number, options=()):
        self.net, self.number = net, number
        self.name = "tap%d" % number
        self.vnic = os.path.join(net.directory, "%d.vnic" % number)
        self.addresses = {socket.AF_INET: "10.9.0.%d" % number, socket.AF_INET6: "fd00::%d" % number}
        self.namespace = Namespace()
        self.output = os.path.join(net.directory, "%d.out" % number)
        with open(self.output, "w", encoding="ascii") as output:
            self.process = subprocess.Popen([net.programs["tap"], "--name", self.name, "--json", *options, self.vnic],
                                            stdout=output, preexec_fn=self.namespace.enter)
        eventually(lambda: os.path.exists(self.vnic))
        self.namespace.ip("address add 10.9.0.%d/24 dev %s" % (number, self.name))
        self.namespace.ip("address add fd00::%d/64 dev %s nodad" % (number, self.name))
        self.namespace.ip("link set lo up")
        self.namespace.ip("link set %s up" % self.name)

    def link(self):
        return json.loads(self.namespace.ip("-j link show dev " + self.name))[0]

    def dropped(self):
        """Frames that the kernel could not give to the device."""
        return json.loads(self.namespace.ip("-j -s link show dev " + self.name))[0]["stats64"]["tx"]["dropped"]

    def carrier(self):
        return "NO-CARRIER" not in self.link()["flags"]

    def lines(self):
        with open(self.output, encoding="ascii") as output:
            return [line for line in output.read().splitlines(True) if line.endswith("\n")]

    def report(self):
        before = len(self.lines())
        self.process.send_signal(signal.SIGUSR1)
        eventually(lambda: len(self.lines()) > before)
        return json.loads(self.lines()[-1])

    def count(self, direction, key):
        return sum(queue[direction][key] for queue in self.report()["queues"])

    def effort(self):
        return effort(self.process.pid)

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        status = self.process.wait(5)
        assert status == 0, "rvif-tap ended with %d" % status
        assert not os.path.exists(self.vnic), "the vNIC is left behind"


class Net:
    first_number = 1  # of the hosts

    def __init__(self, programs, directory, options, ready=True, switch=""):
        """A host for each element of options."""
        self.programs, self.directory = programs, directory
        self.hosts, self.switch = [], None
        self.vnics = [os.path.join(directory, "%d.vnic" % (self.first_number + i)) for i in range(len(options))]
        self.start_switch(*switch.split())
        for number, its in enumerate(options, self.first_number):
            self.hosts.append(Host(self, number, its.split()))
        if ready:
            self.wait_for_carriers()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            for host in self.hosts:
                for line in host.lines()[-1:]:
                    print(line, end="")
                host.process.kill()
                host.process.wait()
                if os.path.exists(host.vnic):
                    os.unlink(host.vnic)
        else:
            for host in self.hosts:
                host.end()
        if self.switch.poll() is None:
            self.stop_switch(signal.SIGKILL)

    def start_switch(self, *options):
        self.switch = subprocess.Popen([self.programs["fwd"], "--quiet", *options, *self.vnics])

    def stop_switch(self, how):
        self.switch.send_signal(signal.SIGCONT)
        self.switch.send_signal(how)
        self.switch.wait(5)

    def wait_for_carriers(self, on=True):
        for host in self.hosts:
            eventually(lambda: host.carrier() == on, LOOK)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ping(source, target, family=socket.AF_INET, seconds=5):
    """An echo request until it is answered."""
    v4 = family == socket.AF_INET
    end = time.monotonic() + seconds
    sequence = 0
    with source.namespace.socket(family, socket.SOCK_RAW,
                                 socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6) as s:
        s.settimeout(0.3)
        while time.monotonic() < end:
            sequence += 1
            rest = struct.pack("!HH", 77, sequence) + b"rvif-tap" * 7
            request = struct.pack("!BBH", 8 if v4 else 128, 0, 0) + rest
            if v4:
                request = request[:2] + struct.pack("!H", checksum(request)) + rest
            try:
                s.sendto(request, (target.addresses[family], 0))
                while True:
                    answer = s.recv(2048)[20 if v4 else 0:]
                    if answer[0] == (0 if v4 else 129) and answer[4:] == rest:
                        return
            except OSError:
                continue
    raise AssertionError("no answer from " + target.addresses[family])


def cross(source, target, size, family=socket.AF_INET, port=5000, streams=1, seconds=20, middle=None):
    """TCP streams of so many bytes; both ends must agree on their SHA-256. Calls middle when it has begun."""
    listener = target.namespace.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.settimeout(seconds)
    listener.bind((target.addresses[family], port))
    listener.listen(streams)
    block = os.urandom(1 << 16)
    digests = []

    def take():
        connection = listener.accept()[0]
        connection.settimeout(seconds)
        digest = hashlib.sha256()
        with connection:
            while data := connection.recv(1 << 18):
                digest.update(data)
        digests.append(digest.hexdigest())

    def give():
        with source.namespace.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(seconds)
            s.connect((target.addresses[family], port))
            for at in range(0, size, len(block)):
                s.sendall(block)
                if middle and at == size // 4 // len(block) * len(block):
                    middle()

    # listen and accept are per namespace; sockets keep theirs, so any thread may use them
    takers = [threading.Thread(target=take, daemon=True) for _ in range(streams)]
    givers = [threading.Thread(target=give, daemon=True) for _ in range(streams)]
    for thread in takers + givers:
        thread.start()
    for thread in givers + takers:
        thread.join(seconds)
        assert not thread.is_alive(), "a stream hangs"
    listener.close()
    expected = hashlib.sha256(block * (size // len(block))).hexdigest()
    assert digests == [expected] * streams, "%d of %d streams arrived" % (digests.count(expected), streams)


def datagrams(source, target, lengths, family=socket.AF_INET):
    """Each one must come back the same."""
    with target.namespace.socket(family, socket.SOCK_DGRAM) as there, \
            source.namespace.socket(family, socket.SOCK_DGRAM) as here:
        there.bind((target.addresses[family], 5001))
        there.settimeout(5)
        here.settimeout(5)
        for length in lengths:
            data = os.urandom(length)
            here.sendto(data, (target.addresses[family], 5001))
            received, sender = there.recvfrom(65536)
            there.sendto(received, sender)
            assert received == data and here.recv(65536) == data, "a datagram of %d bytes" % length


def run_tests(names, wanted, world, limit):
    """All test_NAME of a module, or those that are wanted, each within so many seconds and with the world that its
    directory makes. The exit status."""
    def overtime(*_):
        raise TimeoutError("more than %d seconds" % limit)

    def passes(name):
        began = time.monotonic()
        signal.alarm(limit)
        try:
            with tempfile.TemporaryDirectory() as directory:
                names["test_" + name](world(directory))
            verdict = "ok"
        except Exception:  # pylint: disable=broad-except
            verdict = "FAILED"
            traceback.print_exc()
        finally:
            signal.alarm(0)
        print("%s: %s (%.1f s)" % (verdict, name, time.monotonic() - began), flush=True)
        return verdict == "ok"

    signal.signal(signal.SIGALRM, overtime)
    results = [passes(name) for name in wanted or [name[5:] for name in names if name.startswith("test_")]]
    print("%d of %d passed" % (sum(results), len(results)))
    return 0 if all(results) else 1
