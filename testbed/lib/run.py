# SPDX-License-Identifier: Apache-2.0
"""One run of an emulated machine: starts it, follows its output, stops it at its time limit, judges
it. A run succeeds only if the machine itself said so; whatever is missing is a failure."""
import ctypes
import os
import re
import signal
import subprocess
import sys
import time

import kernellog

TICK = 0.05
# A machine that waits, or gets no processor at all, ends after so many times its limit of wall time.
WALL = 4
MARK = ">> "
SERIAL = "serial: "  # before a line that a guest wrote to its serial port
# Bochs with its debugger shows the instruction of every triple fault, a guest's included.
NOISE = re.compile(r"\(\d+\)\.\[\d+\] \[0x[0-9a-f]+\] ")


def _processor_time(process):
    """Seconds that a running process has had a processor: proc(5), stat, utime and stime."""
    try:
        with open(f"/proc/{process.pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Log:
    """Lines of one kernel and what it ran: the host, or a guest."""

    def __init__(self, path, token):
        self._file = open(path, "w", encoding="utf-8")
        self.path = path
        self._token = token
        self.kernel = []
        self.tail = []
        self.started = False
        self.status = None
        self.killed = False
        self._in_kernel_log = False

    def close(self):
        self._file.close()

    def line(self, text):
        """Take a line; returns it unless it is for the machine only."""
        print(text, file=self._file, flush=True)
        if text == f"{self._token}-start":
            # What came before is the emulator's greeting: of interest only if nothing follows.
            self.started = True
            self.tail = []
            return None
        if text == f"{self._token}-dmesg":
            self._in_kernel_log = True
            return None
        if text == f"{self._token}-killed":
            self.killed = True
            return None
        end = re.fullmatch(f"{self._token}-end ([0-9]+)", text)
        if end:
            self.status = int(end.group(1))
            self._in_kernel_log = False
            return None
        if self._in_kernel_log:
            self.kernel.append(text)
            return None
        self.tail = self.tail[-29:] + [text]
        return text


class Run:
    def __init__(self, args, logs, token, guest_token):
        self.args = args
        self.logs = logs
        self.guest_token = guest_token
        self.host = Log(os.path.join(logs, "console.log"), token)
        self.guests = {}
        self.started = time.monotonic()
        self.terminal = sys.stdout.isatty()

    def elapsed(self):
        return time.monotonic() - self.started

    def show(self, text):
        print(f"{self.args.name} {self.elapsed():6.1f} s  {text}" + "\033[K" * self.terminal,
              flush=True)

    def _line(self, raw):
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if NOISE.match(text):
            return
        log = self.host
        guest = re.match(r"\[([\w.-]+)\] (.*)", text)
        if guest:
            name, content = guest.groups()
            if name not in self.guests:
                self.guests[name] = Log(os.path.join(self.logs, f"guest-{name}.log"),
                                        self.guest_token)
            log = self.guests[name]
            # The serial port shows what a guest's kernel said when nothing else worked.
            if content.startswith(SERIAL):
                log.kernel.append(content)
        shown = log.line(content if guest else text)
        if shown is None:
            return
        if not self.host.started:
            return
        if self.args.verbose or text.startswith(MARK) or (guest and shown.startswith(MARK)):
            self.show(text)
        elif self.terminal:
            print(f"{self.args.name} {self.elapsed():6.1f} s  {text[:100]}\033[K", end="\r",
                  flush=True)

    def execute(self, command):
        """Run the machine to its end; returns the reason for failure, or None."""
        path = os.path.join(self.logs, "debug-port.raw")
        with open(path, "wb") as out:
            # "c": a Bochs built with its debugger waits for this before it starts.
            machine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out,
                                       stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        try:
            machine.stdin.write(b"c\n")
            machine.stdin.close()
        except BrokenPipeError:
            pass
        try:
            with open(path, "rb") as f:
                return self._follow(machine, f)
        finally:
            machine.kill()
            machine.wait()
            for log in (self.host, *self.guests.values()):
                log.close()

    def _follow(self, machine, f):
        partial = b""
        while True:
            ended = machine.poll() is not None
            *lines, partial = (partial + f.read()).split(b"\n")
            for line in lines:
                self._line(line)
            if self.host.status is not None:
                # The power-off tells nothing more, and an emulator may fail to do it.
                return None
            if ended:
                if partial:
                    self._line(partial)
                return "it ended without its job's end (emulator's status " \
                       f"{machine.returncode}; see serial.log and bochs.log)"
            # Other work on the machine takes processors from the emulator. It must not take time
            # from a test. Nor must the threads of an emulator that has several.
            spent = min(_processor_time(machine), self.elapsed())
            if max(spent, self.elapsed() / WALL) > self.args.timeout:
                if partial:
                    self._line(partial)
                return f"time limit of {self.args.timeout} s"
            time.sleep(TICK)

    def judge(self):
        """Reasons to fail a machine that reached its job's end."""
        reasons = []
        if self.host.status:
            reasons.append(f"the job ended with status {self.host.status}")
        for name, log in [("host", self.host), *sorted(self.guests.items())]:
            lines = [line for line in log.kernel if not line.startswith(SERIAL)]
            if not lines and not log.killed:
                reasons.append(f"there was no kernel log of {name}")
            if kernellog.first_line_lost(lines):
                reasons.append(f"the kernel's log of {name} overflowed: its beginning was not "
                               "checked")
            reasons += [f"kernel log of {name}: {line}"
                        for line in kernellog.complaints(log.kernel, self.args.allow_log)[:8]]
        return reasons

    def crash(self):
        """What the kernel of a machine that did not reach its job's end complained about."""
        return ["serial port: " + line
                for line in kernellog.complaints(self.serial_tail(), self.args.allow_log)[:8]]

    def serial_tail(self, count=10000):
        try:
            with open(os.path.join(self.logs, "serial.log"), errors="replace",
                      encoding="utf-8") as f:
                return [line.rstrip() for line in f.readlines()[-count:]]
        except OSError:
            return []
