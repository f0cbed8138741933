# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the jobs with real VMs share: VMs and their grants, what they say, what the host must know of
# them, and what is left when all have gone. A job has it as /vms.sh and ends with vms_end.
. /testbed/guest.sh

trouble=0 leaks=0 _patience=1200

# patient LOOKS: 20 a second of the host's, for something that a VM is to say; 1200 at first
patient()
{
	_patience=$1
}

# counts in $trouble
problem()
{
	say "FAILED: $*"
	trouble=$((trouble + 1))
}

# granted NAME PATTERN RIGHT...: the VM gets these rights for these exports
granted()
{
	_to=$1 _pattern=$2
	shift 2
	for _right; do
		elisactl grant --pid "$(guest_pid "$_to")" "$_right" "$_pattern" >/dev/null ||
			problem "no grant for $_to"
	done
}

# start NAME PATTERN RIGHT...: a VM that runs the role "vm", and its grants
start()
{
	rm -f "/run/guest-$1/console"
	guest_start "$1" vm
	granted "$@"
}

# said NAME TEXT: how often the VM has said so
said()
{
	cat "/run/guest-$1/console" 2>/dev/null | grep -a -c -e "$2" || true
}

# says NAME TEXT [COUNT]: waits until it has said so that often (once); not if it ends before
says()
{
	_looks=$_patience
	while [ "$(said "$1" "$2")" -lt "${3:-1}" ]; do
		_looks=$((_looks - 1))
		if [ $_looks = 0 ] || ! guest_runs "$1"; then
			[ "$(said "$1" "$2")" -lt "${3:-1}" ] || return 0
			problem "$1 does not say \"$2\" (${3:-1})"
			return 1
		fi
		usleep 50000
	done
}

# has NAME TEXT: it said so
has()
{
	[ "$(said "$1" "$2")" != 0 ] || problem "$1 does not say \"$2\""
}

# ended NAME...: waits for the end of these VMs, which is to be a good one
ended()
{
	for _guest_name; do
		if guest_wait "$_guest_name"; then say "ok $_guest_name"; else problem "$_guest_name"; fi
	done
}

kill_vm()
{
	guest_kill "$1" KILL
	guest_wait "$1" >/dev/null
}

# there VMS EXPORTS ATTACHMENTS: what the host knows
there()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		_is="$(elisactl --json vms | grep -o '"pid"' | wc -l)"
		_is="$_is $(elisactl --json exports | grep -o '"name"' | wc -l)"
		_is="$_is $(elisactl --json attachments | grep -o '"mode"' | wc -l)"
		[ "$_is" = "$1 $2 $3" ] && return
		usleep 100000
	done
	problem "VMs, exports, attachments: $_is, not $1 $2 $3"
}

# exits NAME: of its VM, by KVM's count
exits()
{
	cat "/sys/kernel/debug/kvm/$(guest_pid "$1")"-*/exits
}

# load [PARAMETER...]: the host's module; notes what is pinned before
load()
{
	_pins=$(pins)
	modload elisa allow_leaky_cpu=1 max_limit_us=10000000 "$@" || exit 1
}

pins()
{
	cat /proc/sys/vm/stat_refresh
	awk '/^nr_foll_pin_acquired/ { n += $2 } /^nr_foll_pin_released/ { n -= $2 } END { print n }' \
		/proc/vmstat
}

# all_gone: prints what is left when all VMs are, counts it in $leaks, and unloads the module
all_gone()
{
	there 0 0 0
	[ "$(pins)" = "$_pins" ] || { say "LEAK: $(pins) pages are pinned, not $_pins"; leaks=$((leaks + 1)); }
	[ "$(cat /sys/module/elisa/refcnt)" = 0 ] || { say "LEAK: uses of the module"; leaks=$((leaks + 1)); }
	rmmod elisa || problem "rmmod"
}

# vms_end: the job's status
vms_end()
{
	[ $trouble = 0 ] && [ $leaks = 0 ]
	exit
}
