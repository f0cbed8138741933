# SPDX-License-Identifier: Apache-2.0
"""A switch that writes what it likes into a vNIC's file; see include/rvif/rvif.h."""
import ctypes
import mmap
import struct

FUTEX_WAKE, SYS_FUTEX = 1, 202
NEED_NOTIFY, COMPLETED, KICK_WANTED = 4, 128, 132  # in a control block
EPOCH, SWITCH = 132, 256           # in the header
MORE = 1


class FakeSwitch:
    def __init__(self, path):
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        tx_queues, rx_queues, tx_ring, self.ring = struct.unpack_from("<HHII", self.map, 20)
        self.tx = 4096
        self.rx = self.tx + 256 * tx_queues
        self.rx_ring = self.rx + 256 * rx_queues + tx_queues * tx_ring * 16
        self.next = 0  # receive descriptor

    def word(self, at, value=None):
        if value is not None:
            struct.pack_into("<I", self.map, at, value & 0xffffffff)
        return struct.unpack_from("<I", self.map, at)[0]

    def attach(self, features):
        struct.pack_into("<7I", self.map, SWITCH, 0, self.word(EPOCH), 1, 0, features, 1, 0)
        self.word(SWITCH, 1)

    def give(self, length, flags=0, data=b"", offload=(0, 0, 0, 0)):
        """Fills in the next descriptor, but for the offset."""
        at = self.rx_ring + self.next % self.ring * 16
        offset = self.word(at)
        self.map[offset:offset + len(data)] = data
        struct.pack_into("<6H", self.map, at + 4, length, flags, *offload)
        self.next += 1

    def complete(self, ahead=0, wake=True):
        self.word(self.rx + COMPLETED, self.next + ahead)
        if not wake:
            return
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.map, self.rx + COMPLETED))
        ctypes.CDLL(None).syscall(SYS_FUTEX, ctypes.c_void_p(address), FUTEX_WAKE, 1000, None, None, 0)
