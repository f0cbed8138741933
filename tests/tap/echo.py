#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An ICMP echo request each second until one is answered, ten at most.   echo.py ADDRESS"""
import socket
import struct
import sys

from tapnet import checksum

with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
    s.settimeout(1)
    for sequence in range(10):
        rest = struct.pack("!HH", 77, sequence) + b"recipe" * 8
        packet = struct.pack("!BBH", 8, 0, checksum(struct.pack("!BBH", 8, 0, 0) + rest)) + rest
        s.sendto(packet, (sys.argv[1], 0))
        try:
            while (answer := s.recv(2048)[20:])[4:] != rest or answer[0]:
                pass
        except TimeoutError:
            continue
        print("answer from " + sys.argv[1])
        sys.exit(0)
sys.exit(1)
