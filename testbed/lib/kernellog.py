# SPDX-License-Identifier: Apache-2.0
"""What in a kernel's log fails a run. A pattern is removed from here only with a reason; a single
job's exception is its own --allow-log."""
import re

_BAD = re.compile("|".join((
    r"\bWARNING:", r"\bBUG:", r"\bBUG at\b", r"Oops", r"Call Trace", r"general protection fault",
    r"Kernel panic", r"unable to handle", r"double fault", r"kernel stack",
    r"possible (circular|recursive) locking", r"inconsistent lock state", r"lock held when",
    r"suspicious RCU", r"scheduling while atomic", r"sleeping function called",
    r"blocked for more than", r"soft lockup", r"hard LOCKUP", r"self-detected stall",
    r"detected stalls", r"kmemleak: [1-9]", r"kmemleak: Cannot (allocate a kmemleak_|insert)", r"\bBUG \S+ \(",
    r"ODEBUG:", r"pagealloc: ", r"page dumped because", r"non-static key",
    r"turning off the locking correctness", r"refcount_t:", r"list_(add|del) corruption",
    r"Bad page (state|map)", r"bad: scheduling", r"(UBSAN|KASAN|KCSAN|KMSAN|kfence)\b.*:",
    r"unchecked MSR access", r"kvm.*: (vmread|vmwrite|vmptrld|vmclear|invept|invvpid) failed",
    r"usercopy: Kernel memory", r"stack segment", r"invalid opcode: ", r"disagrees about version of symbol",
    r"Unknown symbol", r"page allocation failure", r"Out of memory", r"nobody cared",
)))
# Said in this testbed, and no defect of ours.
_USUAL = re.compile("|".join((
    r"Spectre V2 : WARNING: Unprivileged eBPF",
    r"kfence: initialized",
    # Bochs's CPUID: leaf 4 says more cores than leaf 1 has logical processors. 6.12 and newer care;
    # 7.x says "at" before the function.
    r"WARNING: .*topology_common\.c:\d+ (at )?parse_legacy",
    # Bochs's CPUID: sizes of the extended state, on tigerlake and corei7_skylake_x.
    r"WARNING: .*fpu/xstate\.c:\d+ (at )?fpu__init_system_xstate",
)))
_CUT, _END_TRACE = "[ cut here ]", "[ end trace "


def first_line_lost(lines):
    """True when the ring buffer overflowed before it was read."""
    return bool(lines) and not any("Linux version" in line for line in lines[:5])


def _reports(lines):
    """The lines, where all that belongs to one warning with its trace is one item."""
    report = []
    for line in lines:
        if report or _CUT in line:
            report.append(line)
        if not report:
            yield [line]
        elif _END_TRACE in line:
            yield report
            report = []
    if report:
        yield report


def complaints(lines, allowed=()):
    """The lines that fail a run; of a warning with its trace, the first that says what it is."""
    found = []
    for report in _reports(lines):
        bad = [line for line in report if _BAD.search(line)]
        excused = any(_USUAL.search(line) or any(re.search(p, line) for p in allowed)
                      for line in report)
        if bad and not excused:
            found.append(bad[0])
    return found
