# SPDX-License-Identifier: Apache-2.0
"""A program under test, from its start to its end."""
import contextlib
import os
import signal
import subprocess


@contextlib.contextmanager
def running(command, status=0, limit=None):
    """Runs it with --ready-fd until the block ends; it must end with this status after SIGTERM.
       limit: of open files."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    command = [*command, "--ready-fd", str(write)]
    if limit:
        command = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, close_fds=False)
    os.close(write)
    try:
        with os.fdopen(read) as ready:
            process.is_ready = ready.readline() == "READY=1\n"
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.out, process.err = process.communicate(timeout=30)
        assert process.returncode == status, (process.returncode, process.err)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
