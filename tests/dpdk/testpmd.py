# SPDX-License-Identifier: Apache-2.0
# dpdk-testpmd and rvs-fwd as processes that a test talks to. Every wait has a limit; whatever was started
# is stopped at the end, also after a failure.
import json
import os
import re
import select
import subprocess
import tempfile
import time

PROMPT = b'testpmd> '
LIMIT = 60


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


def mac(number):
    return f'02:00:00:00:01:{number:02x}'


class Bench:
    """A folder for the files, the plugin, and the processes of one test."""

    def __init__(self, plugin, switch):
        self.plugin, self.switch = plugin, switch
        self.folder = tempfile.TemporaryDirectory(prefix='rvif-testpmd-', dir='/dev/shm')
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for process in self.running:
            process.kill()
            process.wait()
        self.folder.cleanup()

    def path(self, number):
        return f'{self.folder.name}/vnic{number}'

    def start(self, arguments, **options):
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   **options)
        self.running.append(process)
        return process


class Switch:
    """rvs-fwd over the vNICs 0 to count - 1."""

    def __init__(self, bench, count):
        self.process = bench.start([bench.switch, '--json', '--interval', '0']
                                   + [bench.path(i) for i in range(count)])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Its last words: one object a port."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=LIMIT)
        expect(self.process.returncode == 0, f'rvs-fwd: {self.process.returncode}: {out}')
        lines = [line for line in out.decode().splitlines() if line.startswith('{')]
        return json.loads(lines[-1])['ports']


class Testpmd:
    """One process with some of the vNICs; commands go in, what it says comes back. Without link events:
    their text would come in the middle of the prompt."""

    def __init__(self, bench, vnics, devargs='', options=(), eal=()):
        cpus = sorted(os.sched_getaffinity(0))
        self.out = b''
        devices = []
        for i in vnics:
            more = f',{devargs}' if devargs else ''
            devices += ['--vdev', f'net_rvif{i},path={bench.path(i)},mac={mac(i)}{more}']
        self.process = bench.start(
            ['stdbuf', '-o0', 'dpdk-testpmd', f'--lcores=0@{cpus[0]},1@{cpus[-1]}', '--no-huge', '-m', '256',
             '--no-pci', '--no-telemetry', '--no-shconf', '-d', bench.plugin, *eal, *devices,
             '--', '-i', '--total-num-mbufs=8192', '--no-mlockall', '--no-lsc-interrupt', *options],
            stdin=subprocess.PIPE)
        self.wait_prompt()

    def read(self, deadline):
        left = deadline - time.monotonic()
        expect(left > 0, f'dpdk-testpmd says nothing more after: {self.out[-300:]}')
        if select.select([self.process.stdout], [], [], left)[0]:
            data = os.read(self.process.stdout.fileno(), 65536)
            expect(data, f'dpdk-testpmd ended: {self.out[-2000:].decode()}')
            self.out += data

    def wait_prompt(self):
        deadline = time.monotonic() + LIMIT
        while PROMPT not in self.out:
            self.read(deadline)
        said, self.out = self.out.split(PROMPT, 1)
        return said.decode(errors='replace')

    def do(self, *commands):
        said = ''
        for command in commands:
            self.process.stdin.write(command.encode() + b'\n')
            self.process.stdin.flush()
            said = self.wait_prompt()
        return said

    def stats(self, port):
        said = self.do(f'show port stats {port}')
        found = dict(re.findall(r'([RT]X-[a-z]+): +(\d+)', said))
        return {key: int(value) for key, value in found.items()}

    def xstats(self, port):
        said = self.do(f'show port xstats {port}')
        return {key: int(value) for key, value in re.findall(r'(\w+): (\d+)', said)}

    def link_up(self, port):
        return 'Link status: up' in self.do(f'show port info {port}')

    def wait_link(self, port, up=True):
        deadline = time.monotonic() + LIMIT
        while self.link_up(port) != up:
            expect(time.monotonic() < deadline, f'port {port}: the link does not change')
            time.sleep(0.05)

    def quit(self):
        self.process.stdin.write(b'quit\n')
        self.process.stdin.flush()
        out, _ = self.process.communicate(timeout=LIMIT)
        expect(self.process.returncode == 0,
               f'dpdk-testpmd: {self.process.returncode}: {out[-2000:].decode()}')


def wait_quiet(testpmd, port):
    """Until all that is on its way has arrived: the counters stand still."""
    before = None
    deadline = time.monotonic() + LIMIT
    while True:
        stats = testpmd.stats(port)
        if stats == before:
            return stats
        expect(time.monotonic() < deadline, f'port {port} does not become quiet')
        before = stats
        time.sleep(0.3)
