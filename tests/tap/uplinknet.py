# SPDX-License-Identifier: Apache-2.0
"""A switch with an uplink into a Linux bridge, in a namespace of their own, and a host behind the bridge."""
import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
import tempfile
import time

from tapnet import Namespace, Net, eventually

V4, V6 = socket.AF_INET, socket.AF_INET6
SIOCETHTOOL, ETHTOOL_GSTRINGS, ETHTOOL_GSSET_INFO, ETHTOOL_SFEATURES, ETH_SS_FEATURES = 0x8946, 0x1b, 0x37, 0x3b, 4


class Station:
    """A host behind the bridge: 10.9.0.9 and fd00::9."""
    number = 9

    def __init__(self, gate):
        self.gate = gate
        self.addresses = {V4: "10.9.0.9", V6: "fd00::9"}
        self.namespace = Namespace()
        gate.ip("link add bridge type bridge")
        gate.ip("link add out type veth peer name eth0 netns /proc/%d/fd/%d" % (os.getpid(), self.namespace.fd))
        gate.ip("link set out up master bridge")
        gate.ip("link set bridge up")
        self.namespace.ip("address add 10.9.0.9/24 dev eth0")
        self.namespace.ip("address add fd00::9/64 dev eth0 nodad")
        self.namespace.ip("link set eth0 up")


class Uplinked(Net):
    """A switch with an uplink, up0, whose peer is a port of the bridge. beyond: another such network, on whose bridge
    it is, too, with hosts of other addresses."""

    def __init__(self, programs, directory, options=("", ""), settings="", of_vnics=("", ""), plugged=True, beyond=None):
        if beyond:
            directory = tempfile.mkdtemp(dir=directory)
            self.first_number = 101
        self.uplink = "up1" if beyond else "up0"
        self.gate = beyond.gate if beyond else Namespace()
        self.station = None if beyond else Station(self.gate)
        self.settings, self.of_vnics = settings, of_vnics
        self.metrics, self.errors = directory + "/metrics", directory + "/errors"
        if plugged:
            self.plug()
        super().__init__(programs, directory, list(options))

    def plug(self):
        port = "port-" + self.uplink
        self.gate.ip("link add %s type veth peer name %s" % (self.uplink, port))
        self.gate.ip("link set %s up master bridge" % port)
        self.gate.ip("link set %s up" % self.uplink)

    def start_switch(self, *options):
        vnics = [vnic + its for vnic, its in zip(self.vnics, self.of_vnics)]
        with open(self.errors, "a", encoding="ascii") as errors:
            self.switch = subprocess.Popen(
                [self.programs["fwd"], "--quiet", "--interval", "0.1", "--metrics", self.metrics, *options,
                 "--uplink", self.uplink + self.settings, *vnics], stderr=errors, preexec_fn=self.gate.enter)

    def count(self, name, port="up0"):
        """Of the metrics, as they are from now on."""
        if os.path.exists(self.metrics):
            os.unlink(self.metrics)
        eventually(lambda: os.path.exists(self.metrics))
        with open(self.metrics, encoding="ascii") as text:
            found = re.findall(r'^%s\{port="%s"[^}]*\} (\d+)$' % (name, port), text.read(), re.M)
        assert found, name
        return sum(map(int, found))

    def dropped(self):
        """Of what came and went through the uplink, by its reasons."""
        with open(self.metrics, encoding="ascii") as text:
            found = re.findall(r"^uplink_(\w+_dropped_\w+|in_missed)_total\{.*\} (\d+)$", text.read(), re.M)
        return {name: int(number) for name, number in found if int(number)}

    def said(self, text):
        with open(self.errors, encoding="ascii") as errors:
            return errors.read().count(text)

    def ends_in_order(self, within=2):
        began = time.monotonic()
        self.switch.terminate()
        assert self.switch.wait(within) == 0
        print("   ended within %.2f s" % (time.monotonic() - began))


def feature_off(namespace, interface, feature):
    """As ethtool -K INTERFACE FEATURE off."""
    def request(data):
        room = ctypes.create_string_buffer(bytes(data))
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", interface.encode(), ctypes.addressof(room)))
        return room.raw

    with namespace.socket(V4, socket.SOCK_DGRAM) as s:
        known = struct.unpack("IIQI", request(struct.pack("IIQI", ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0))[:20])[3]
        names = request(struct.pack("III", ETHTOOL_GSTRINGS, ETH_SS_FEATURES, known) + bytes(32 * known))[12:]
        index = [names[32 * i:32 * i + 32].split(b"\0")[0].decode() for i in range(known)].index(feature)
        words = [0] * (2 * ((known + 31) // 32))
        words[index // 32 * 2] = 1 << index % 32  # which are meant; what they are to be stays 0
        request(struct.pack("II%dI" % len(words), ETHTOOL_SFEATURES, len(words) // 2, *words))
