#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the proxy answers is what memcached answers, byte for byte: same_as_memcached.py CONVERSE
   Each conversation is held with Debian's memcached and with CONVERSE. Without memcached the test is skipped."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
LONG = "k" * 250
SAME = [
    "get a\r\nset a 5 0 3\r\none\r\nget a\r\nget a b a\r\ngets a\r\nget a \r\nget  a\r\n",
    "set a 5 0 3\none\r\nget a\n",
    "set a 4294967295 0 0\r\n\r\nget a\r\n",
    "set a 1 0 1 noreply\r\nx\r\nget a\r\n",
    "add a 1 0 1\r\nx\r\nadd a 1 0 1\r\ny\r\nreplace b 0 0 1\r\nx\r\nreplace a 2 0 1\r\nz\r\nget a\r\n",
    "append a 0 0 1\r\nx\r\nset a 3 0 1\r\nb\r\nappend a 9 0 1\r\nc\r\nprepend a 9 0 1\r\na\r\nget a\r\n",
    "set a 0 0 1\r\nx\r\ncas a 0 0 1 1\r\ny\r\ncas a 0 0 1 1\r\nz\r\ncas b 0 0 1 1\r\nz\r\ngets a\r\n",
    "set a 0 0 1\r\nx\r\ncas a 0 0 1 1 noreply\r\ny\r\ngets a\r\ncas a 0 0 1 x\r\n",
    "set a 0 0 2\r\n10\r\nincr a 5\r\ndecr a 20\r\nincr a 18446744073709551615\r\nincr a 1\r\nincr b 1\r\n",
    "incr a x\r\nincr a -1\r\nset a 0 0 1\r\nx\r\nincr a 1\r\nincr a 1 noreply\r\nincr a\r\nincr\r\n",
    "set a 0 0 1\r\nx\r\ndelete a\r\ndelete a\r\ndelete a 0\r\ndelete a 1\r\ndelete a noreply\r\ndelete a 0 noreply\r\n"
    "delete\r\ndelete a 0 1\r\n",
    "set a 0 0 1\r\nx\r\ntouch a 10\r\ntouch b 10\r\ntouch a x\r\ntouch a\r\nmg a t\r\n",
    "set a 0 0 1\r\nx\r\ngat 100 a\r\ngats 0 a b\r\nmg a t\r\ngat x a\r\ngat\r\ngat 1\r\n",
    "set a 0 0 1\r\nx\r\nflush_all noreply\r\nflush_all x\r\nflush_all 0\r\n",
    "verbosity 1\r\nverbosity 1 noreply\r\nverbosity\r\nverbosity noreply\r\nverbosity a b c\r\nnonsense\r\n\r\nGET a\r\nget\r\n",
    "set a\r\nset a 0 0\r\nset a 0 0 -1\r\nset a 0 0 1 2 3\r\n",
    "set a 0 -1 1\r\nx\r\nget a\r\nset a 0 1 1\r\nx\r\nmg a t\r\n",
    f"set {LONG} 0 0 1\r\nx\r\nget {LONG}\r\nget {LONG}x\r\ndelete {LONG}x\r\nincr {LONG}x 1\r\ntouch {LONG}x 1\r\n",
    "quit\r\nversion\r\n",
    "ms a 3 F7 T100\r\none\r\nmg a v\r\nmg a\r\nmg a k f s t c v Oq1\r\nmg b\r\nmg b q\r\nmg b v k O9\r\nmn\r\n",
    "ms a 0\r\n\r\nmg a v q\r\nmg a T30 t\r\nmg a t\r\nmg a q\r\nmg a q k\r\nmn\r\n",
    "ms Zm9v 1 b\r\nx\r\nget foo\r\nmg Zm9v b v\r\nmg Zm9v b k\r\nmg Zm9 b\r\n",
    "ms a 1 ME c\r\nx\r\nms a 1 ME\r\ny\r\nms b 1 MR\r\ny\r\nms b 1 MA\r\ny\r\nms a 1 MA\r\ny\r\nms a 1 MP q\r\nw\r\nmg a v c\r\n",
    "ms a 1\r\nx\r\nms a 1 C1 c k O1\r\ny\r\nms a 1 C1 k\r\nz\r\nms b 1 C1 k q\r\nz\r\nms a 1 c C2\r\nz\r\n",
    "ms a 1\r\nx\r\nms a 1 MX\r\ny\r\nmn\r\n",
    "ms a 7 !\r\nversion\r\nms a 1 T1 T2\r\nx\r\nmn\r\n",
    "ms a x\r\nmn\r\n",
    "ms a 1 Cx\r\nx\r\nmn\r\n",
    "stats items\r\nstats foo\r\n",
    "ms a 1\r\nx\r\nms a 1 C0\r\ny\r\nmg a v\r\nms b 1 C0\r\nz\r\nmg b v\r\nmd a C0\r\nmd b C0\r\nmg a v\r\nmn\r\n",
    "ms a 1\r\nx\r\nms a 1 MR C0\r\ny\r\nms b 1 MR C0\r\ny\r\nms b 1 MR C5\r\ny\r\nms a 1 MA C0\r\ny\r\nms b 1 MA C0\r\ny\r\n"
    "ms a 1 MP C0\r\nz\r\nmg a v\r\nms a 1 ME C0\r\nz\r\nms b 1 ME C0\r\nz\r\nmg b v\r\nmn\r\n",
    "set a 0 0 1\r\nx\r\ncas a 0 0 2000000 0\r\n" + "v" * 2000000 + "\r\nget a\r\n",
    "flush_all -1\r\nverbosity x\r\ntouch a x noreply\r\nmg a T\r\nms a v\r\nme a\r\nmn\r\n",
    "ms a 1 T\r\nx\r\nmn\r\n",
    "ms a 1 Pany Lthing\r\nx\r\nmn\r\n",
    "ms a 1\r\nx\r\nmd a C9 k\r\nmd a C1 k O5\r\nmd a\r\nmd a q\r\nmn\r\n",
    "ms a 1\r\nx\r\nmd a q\r\nmg a\r\nmd a q\r\nmn\r\n",
    "ma a\r\nma a N0 J5 v\r\nma a v\r\nma a D10 v\r\nma a MD D100 v t\r\nma b q\r\n",
    "ma a N0 J5\r\nma a q\r\nma a q v\r\nma a k O1\r\nma a k O1 v\r\nma b k O1\r\nmn\r\n",
    "ms a 2 F3 T50\r\n10\r\nma a C9\r\nma a C1 v c\r\nma a T70 v t\r\nmg a f t v\r\n",
    "ms a 1\r\nx\r\nma a\r\nma a Mx\r\nma a MI v\r\nma a M+ v\r\nmn\r\n",
    "mg\r\n", "ms\r\n", "md\r\n", "ma\r\n", "mn\r\n", "mg a a\r\n", "mg a v v\r\n",
    f"mg {LONG}x\r\nmn\r\n",
    "mg a O" + "o" * 32 + "\r\nmn\r\n",
    "mg a O" + "o" * 31 + "\r\nmn\r\n",
]


def converse_with_memcached(text, folder):
    path = os.path.join(folder, "socket")
    server = subprocess.Popen(["memcached", "-u", "nobody", "-s", path, "-a", "0666", "-m", "64"])
    try:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        for _ in range(3000):
            with contextlib.suppress(OSError):
                client.connect(path)
                break
            time.sleep(0.01)
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        heard = b""
        while part := client.recv(65536):
            heard += part
        return heard
    finally:
        server.terminate()
        server.wait()
        if os.path.exists(path):
            os.unlink(path)


def main(converse):
    different = 0
    if not shutil.which("memcached"):
        print("skipped: no memcached (testbed/install-deps installs it)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        for text in SAME:
            sent = text.encode()
            theirs = converse_with_memcached(sent, folder)
            ours = subprocess.run([converse], input=sent, stdout=subprocess.PIPE, check=True, timeout=20).stdout
            if ours != theirs:
                different += 1
                print(f"FAILED: {sent[:300]!r}\n  memcached: {theirs!r}\n  proxy:     {ours!r}")
    print(f"{len(SAME) - different} passed, {different} failed")
    return 1 if different else 0


sys.exit(main(sys.argv[1]))
