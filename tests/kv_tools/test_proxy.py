#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""elisa-kv-proxy as a process, on a store of its own: test_proxy.py PROXY [TEST...]
   Sockets, many clients, clients that read nothing, and its end in order."""
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from program import running

PROXY = sys.argv[1]
FOLDER = tempfile.TemporaryDirectory()
PATH = os.path.join(FOLDER.name, "socket")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def proxy(*arguments, status=0, limit=None):
    return running([PROXY, "--socket", PATH, *arguments], status, limit)


def client(address=None):
    made = socket.socket(socket.AF_UNIX if address is None else
                         socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    made.settimeout(30)
    made.connect(PATH if address is None else address)
    return made


def hear(of, length):
    heard = b""
    while len(heard) < length:
        part = of.recv(length - len(heard))
        if not part:
            break
        heard += part
    return heard


def ask(of, text, answer):
    of.sendall(text)
    heard = hear(of, len(answer))
    assert heard == answer, (text[:100], heard[:200], answer[:200])


def end_of(of):
    """The other side has closed."""
    try:
        return of.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_path():
    with proxy("--mode", "0640"):
        assert stat.S_IMODE(os.stat(PATH).st_mode) == 0o640
        with client() as c:
            ask(c, b"set a 1 0 3\r\none\r\nget a\r\n", b"STORED\r\nVALUE a 1 3\r\none\r\nEND\r\n")
            ask(c, b"quit\r\n", b"")
            assert end_of(c)
    assert not os.path.exists(PATH)


def test_a_port():
    port = free_port()
    with proxy("--port", str(port)):
        for address in ("127.0.0.1", "::1"):
            if address == "::1" and not os.path.exists("/proc/net/if_inet6"):
                continue
            with client((address, port)) as c:
                ask(c, b"mn\r\n", b"MN\r\n")


def test_a_path_in_use():
    with proxy():
        second = subprocess.run([PROXY, "--socket", PATH], capture_output=True, text=True, timeout=20, check=False)
        assert second.returncode == 1 and "listens there" in second.stderr, second
        with client() as c:
            ask(c, b"mn\r\n", b"MN\r\n")


def test_a_path_left_over():
    with proxy(status=-signal.SIGKILL) as process:
        process.kill()
        process.wait()
    assert os.path.exists(PATH)
    with proxy():
        with client() as c:
            ask(c, b"mn\r\n", b"MN\r\n")
    # what is no socket stays
    with open(PATH, "w", encoding="ascii") as file:
        file.write("mine")
    with proxy(status=1) as process:
        assert not process.is_ready
    with open(PATH, encoding="ascii") as file:
        assert file.read() == "mine"
    os.unlink(PATH)


def test_a_path_that_is_too_long():
    ended = subprocess.run([PROXY, "--socket", "x" * 200], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1 and "107 bytes" in ended.stderr, ended


def test_many_clients():
    with proxy():
        clients = [client() for _ in range(200)]
        for i, c in enumerate(clients):
            c.sendall(b"set key%d 0 0 4\r\n%04d\r\n" % (i, i))
        for c in clients:
            assert hear(c, 8) == b"STORED\r\n"
        for i, c in enumerate(clients):
            ask(c, b"get key%d\r\n" % i, b"VALUE key%d 0 4\r\n%04d\r\nEND\r\n" % (i, i))
            c.close()


def test_too_many_clients():
    with proxy("--connections", "3"):
        clients = [client() for _ in range(3)]
        for c in clients:
            ask(c, b"mn\r\n", b"MN\r\n")
        with client() as c:
            assert hear(c, 100) == b"SERVER_ERROR too many open connections\r\n"
        clients.pop().close()
        for _ in range(100):
            with client() as c:
                c.sendall(b"mn\r\n")
                if hear(c, 4) == b"MN\r\n":
                    break
            time.sleep(0.05)
        else:
            raise AssertionError("no client is taken any more")


def test_too_few_files():
    with proxy("--connections", "1000", limit=100, status=1) as process:
        pass
    assert "1032 open files" in process.err, process.err


def test_a_pipeline():
    with proxy():
        with client() as c:
            text = b"".join(b"set k%d 0 0 1\r\nx\r\nget k%d\r\n" % (i, i) for i in range(2000))
            answer = b"".join(b"STORED\r\nVALUE k%d 0 1\r\nx\r\nEND\r\n" % i for i in range(2000))
            ask(c, text, answer)


def test_a_line_of_many_keys():
    """It takes several turns, and all of its bytes came in the first one."""
    with proxy():
        with client() as c:
            ask(c, b"get" + b" k" * 1000 + b"\r\n", b"END\r\n")
            c.sendall(b"get" + b" k" * 1000 + b"\r\n")
            c.shutdown(socket.SHUT_WR)
            assert hear(c, 100) == b"END\r\n"


def test_the_last_answers_after_shutdown():
    with proxy():
        with client() as c:
            c.sendall(b"set a 0 0 1\r\nx\r\nget a\r\nset b 0 0 100\r\nhalf of it")
            c.shutdown(socket.SHUT_WR)
            assert hear(c, 1000) == b"STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"


def memory_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_clients_that_read_nothing():
    """They take bounded memory, and others are served."""
    value = b"v" * (1 << 20)
    with proxy() as process:
        with client() as c:
            ask(c, b"set a 0 0 1048576\r\n" + value + b"\r\n", b"STORED\r\n")
        before = memory_of(process)
        silent = []
        for _ in range(8):
            c = client()
            c.setblocking(False)
            silent.append(c)
            with contextlib.suppress(BlockingIOError):
                while True:
                    c.send(b"get a a a a a a a a\r\n" * 100)
        with client() as c:
            ask(c, b"mn\r\n", b"MN\r\n")
        grown = memory_of(process) - before
        assert grown < 8 * 3072, grown
        # one of them goes on
        silent[0].setblocking(True)
        heard = hear(silent[0], (len(value) + 21) * 20)
        assert heard.count(b"VALUE a 0 1048576\r\n") >= 19
        for c in silent:
            c.close()


def test_values_that_never_end():
    """Memory is taken for what has come, not for what was announced."""
    with proxy() as process:
        before = memory_of(process)
        clients = [client() for _ in range(100)]
        for c in clients:
            c.sendall(b"set a 0 0 1000000\r\nx")
        with client() as c:
            ask(c, b"mn\r\n", b"MN\r\n")
        grown = memory_of(process) - before
        assert grown < 100 * 64, grown
        for c in clients:
            c.close()


def test_idle_clients():
    with proxy("--idle", "4"):
        with client() as quiet, client() as busy:
            for _ in range(10):
                ask(busy, b"mn\r\n", b"MN\r\n")
                time.sleep(0.5)
            assert end_of(quiet)
            ask(busy, b"mn\r\n", b"MN\r\n")


def test_a_flush_later():
    with proxy():
        with client() as c:
            ask(c, b"set a 0 0 1\r\nx\r\nflush_all 1\r\nget a\r\n", b"STORED\r\nOK\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
            for _ in range(100):
                c.sendall(b"get a\r\n")
                if hear(c, 5) == b"END\r\n":
                    return
                hear(c, 16)
                time.sleep(0.1)
            raise AssertionError("never flushed")


def test_its_end_in_order():
    """What was answered reaches its client, and then the connection ends."""
    value = b"v" * 1000000
    with proxy() as process:
        with client() as c, client() as quiet:
            ask(c, b"set a 0 0 1000000\r\n" + value + b"\r\n", b"STORED\r\n")
            ask(quiet, b"mn\r\n", b"MN\r\n")
            c.sendall(b"get a\r\n")
            heard = hear(c, 1)  # its answer has begun
            process.send_signal(signal.SIGTERM)
            heard += hear(c, 3000000)
            assert heard[-9:] == b"vv\r\nEND\r\n" and len(heard) == 1000000 + 19 + 2 + 5, len(heard)
            assert end_of(quiet)


def test_nonsense():
    with proxy():
        for seed in range(50):
            with client() as c:
                c.settimeout(0.05)
                with contextlib.suppress(OSError):
                    c.sendall(bytes((seed * 7919 + i * i * 31 + i // 7) % 256 for i in range(5000)))
                    c.recv(10000)
        with client() as c:
            ask(c, b"mn\r\n", b"MN\r\n")


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    wanted, failed = sys.argv[2:], 0
    for name, test in tests:
        if wanted and name not in wanted:
            continue
        try:
            test()
            print(f"ok {name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {name}: {type(error).__name__} {error}", flush=True)
        if os.path.exists(PATH):
            os.unlink(PATH)
    print(f"{len(wanted or tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
