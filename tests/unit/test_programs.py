#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each program says of itself: --help, -h and --version end with 0, or with 1 if their text cannot be written; a
wrong command line ends with 2 and a message that names the program; the man page has the options of --help, no others,
and these exit statuses.   test_programs.py VERSION MAN-FOLDER PROGRAM..."""
import glob
import os
import re
import subprocess
import sys

LIMIT = 20

# what is said of a wrong command line; of rvs-fwd and rvs-pktgen: tests/switch/test_tools.sh
WRONG = {
    "elisa-exec": {
        "": "manager or guest is missing",
        "neither": "'neither' is not manager or guest",
        "manager a.so": "--name is missing",
        "guest a.so": "give either --name or --ticket",
        "manager --name a": "the application's shared object is missing",
        "manager --name a --limit-us abc a.so": "--limit-us: 'abc' is not a number of microseconds",
        "manager --name a --limit-us 4294967296 a.so": "--limit-us: '4294967296' is not from 0 to 4294967295",
        "manager --name a --offset x a.so": "--offset: 'x' is not an offset in the object area",
        **{"manager --name a --stack %s a.so" % value: "--stack: '%s' is not BYTES,VCPUS,GUESTS of stacks" % value
           for value in ("4096,1", "4096,1,1,1", "4096,1,1x", "0,1,1", "-4096,1,1", "4096,-1,1", "4096,1,4294967297")},
        "manager --name a --trust-manager a.so": "unknown option --trust-manager",
        "guest --ticket 12 a.so": "--ticket: '12' is not a ticket, which has 64 hex digits",
        "guest --name a --private a.so": "unknown option --private",
        "-f a.so": "give -f LIB.so and -p PORT",
        "-f a.so -p 77777": "-p: '77777' is not from 1 to 65535",
        "-f a.so -p http": "-p: 'http' is not a port",
        "-f a.so -p 1 more": "'more' is too much",
    },
    "elisactl": {
        "": "a command is missing",
        "nonsense": "'nonsense' is not a command",
        "vms extra": "vms takes no argument: 'extra'",
        "vms --pid 1": "vms takes no option of grant",
        "policy": "policy takes check, show or apply",
        "policy mend": "policy: 'mend' is not check, show or apply",
        "policy check a b": "policy check takes one folder",
        "policy check --max-pages 5": "policy takes no option of grant",
        "vms --pidfile x": "vms takes no option of grant",
        "grant --pid 0 export a": "--pid: '0' is not from 1 to 2147483647",
        "grant --pid x export a": "--pid: 'x' is not a process id",
        "grant --pid 1 own a": "grant: 'own' is not export or attach",
        "grant --pid 1 attach a --trusted-manager": "--trusted-manager is for a grant to export",
        "grant --pid 1 --max-pages -1 export a": "--max-pages: '-1' is not from 0 to 4503599627370496",
        "grant export a": "grant needs --pid or --pidfile",
        "revoke x": "revoke: 'x' is not the id of a grant",
    },
    "elisad": {
        "a": "'a' is too much",
    },
    "elisa-kv": {
        "": "--config is missing",
        "--config a b": "'b' is too much",
    },
    "elisa-kv-cli": {
        "": "a command is missing",
        "put a": "'put' is not a command",
        "get": "get: a key is missing",
    },
    "elisa-kv-proxy": {
        "": "neither --socket nor --port is given",
        "--port 0": "--port: '0' is not from 1 to 65535",
        "--socket a --mode 8": "--mode: '8' is not an octal mode from 1 to 0777",
        "--socket a --space 256": "--space: '256' is not from 0 to 255",
        "--socket a b": "'b' is too much",
    },
    "elisa-vmnet": {
        "": "--config is missing",
        "--config": "--config needs a file",
        "--config a b": "'b' is too much",
        "--config a --control-mode 8": "--control-mode: '8' is not an octal mode from 1 to 0777",
        "--config a --control-group no/group": "--control-group: 'no/group' is not a group",
    },
    "elisa-vmnetctl": {
        "": "a command is missing",
        "nonsense": "'nonsense' is not a command",
        "kick": "kick needs a port",
        "kick a b": "'b' is too much",
        "add": "add needs a file",
        "ports a": "'a' is too much",
        "top --interval 0.01": "--interval: less than 0.1 seconds",
        "top --interval x": "--interval: 'x' is not a number of seconds",
        "top --count -1": "--count: '-1' is not from 0 to 1000000000",
    },
    "rvif-tap": {
        "": "give one vNIC: a file or elisa:EXPORT",
        "--mtu 67 a": "--mtu: '67' is not from 68 to 65513",
        "--queues many a": "--queues: 'many' is not a number of queues",
        "--drop 1001 a": "--drop: '1001' is not from 0 to 1000",
        "--name a/b a": "--name: 'a/b' is not a name of an interface, at most 15 bytes",
        "--mac 01:00:00:00:00:01 a":
            "--mac: '01:00:00:00:00:01' is not the MAC address of a station, as 02:00:00:00:00:01",
        "--mode 999 a": "--mode: '999' is not an octal mode from 1 to 0777",
        "--group 1 elisa:a": "--mode and --group are for a file, not for elisa:a",
    },
}


def run(*command, stdout=subprocess.PIPE):
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          timeout=LIMIT, check=False)


def options_of_help(text):
    return set(re.findall(r"^  (?:-\w, )?(--?[\w-]+)", text, re.M))


def options_of_man(text):
    found = set()
    for item in re.findall(r"^\.It (Fl .*)", text, re.M):
        # "Fl h , -help" is one option, and counts by its long name
        found.add("-" + re.findall(r"(?:Fl|,) (-?[\w-]+)", item.split(" Ar ")[0])[-1])
    return found


def check(program, man):
    name = os.path.basename(program)
    help_ = run(program, "--help")
    version = run(program, "--version")
    assert help_.returncode == version.returncode == 0, (help_, version)
    assert help_.stdout.startswith("Usage: %s " % name), help_.stdout
    assert run(program, "-h").stdout == help_.stdout
    assert version.stdout == "%s %s\n" % (name, sys.argv[1]), version.stdout
    for option in "--help", "--version":
        with open("/dev/full", "w", encoding="ascii") as full:
            done = run(program, option, stdout=full)
        assert done.returncode == 1, done
        assert done.stderr == name + ": standard output: No space left on device\n", done

    wrong = {"--nonsense": "unknown option --nonsense", "-X": "unknown option -X", **WRONG.get(name, {})}
    for line, message in wrong.items():
        done = run(program, *line.split())
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr == "%s: %s; see %s --help\n" % (name, message, name), done

    with open(man, encoding="utf-8") as file:
        page = file.read()
    assert options_of_help(help_.stdout) == options_of_man(page), \
        (name, options_of_help(help_.stdout) ^ options_of_man(page))
    statuses = page.split(".Sh EXIT STATUS\n")[1].split(".Sh")[0]
    for status in "012":
        assert re.search(r"(?m)(^|[;,] |^\.It )" + status + r"\s", statuses), (name, statuses)


for path in sys.argv[3:]:
    check(path, glob.glob("%s/%s.[0-9]" % (sys.argv[2], os.path.basename(path)))[0])
print("%d programs" % len(sys.argv[3:]))
