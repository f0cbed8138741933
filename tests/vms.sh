# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What tests/soak/qemu.sh and tests/attack/qemu.sh share: VMs, what they say, and what the host
# must know of them.
. /testbed/guest.sh

# counts in $trouble
problem()
{
	say "FAILED: $*"
	trouble=$((trouble + 1))
}

# vm NAME WHAT EXPORT [OPTIONS]: a VM that runs "soak_vm WHAT EXPORT"
vm()
{
	rm -f "/run/guest-$1/console"
	GUEST_CMDLINE="soak=$2 name=$3 ${4:-}" guest_start "$1" vm -action reboot=reset
	case $2 in
	manager) elisactl grant --pid "$(guest_pid "$1")" export "$3" >/dev/null ;;
	*) elisactl grant --pid "$(guest_pid "$1")" attach "$3" >/dev/null ;;
	esac || problem "no grant for $1"
}

# said NAME TEXT: how often the VM has said so
said()
{
	grep -a -c "$2" "/run/guest-$1/console" 2>/dev/null || true
}

# says NAME TEXT COUNT: waits until it has said so that often; gives up after a minute of the host's
says()
{
	_patience=1200
	while [ "$(said "$1" "$2")" -lt "$3" ]; do
		_patience=$((_patience - 1))
		if [ $_patience = 0 ]; then
			problem "$1 does not say \"$2\" for the ${3}th time"
			return
		fi
		usleep 50000
	done
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

kill_vm()
{
	guest_kill "$1" KILL
	guest_wait "$1" >/dev/null
}

pins()
{
	cat /proc/sys/vm/stat_refresh
	awk '/^nr_foll_pin_acquired/ { n += $2 } /^nr_foll_pin_released/ { n -= $2 } END { print n }' /proc/vmstat
}

# leaks PINS: prints what is left when all VMs are gone, and sets $leaks
leaks()
{
	leaks=0
	there 0 0 0
	[ "$(pins)" = "$1" ] || { say "LEAK: $(pins) pages are pinned, not $1"; leaks=$((leaks + 1)); }
	[ "$(cat /sys/module/elisa/refcnt)" = 0 ] || { say "LEAK: uses of the module"; leaks=$((leaks + 1)); }
	rmmod elisa || problem "rmmod"
}
