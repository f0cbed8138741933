# SPDX-License-Identifier: Apache-2.0
# End to end: real QEMU guests with a stock kernel, whose kernel options are the default
# ones (page table isolation) in one of them.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=tests/e2e/role.sh
#machine: --guest-file build/user/tests/e2e/e2e_manager:/bin/e2e_manager
#machine: --guest-file build/user/tests/e2e/e2e_guest:/bin/e2e_guest
#machine: --guest-file build/user/tests/e2e/e2e_function.so:/e2e_function.so
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/apps/nop/nop.so:/nop.so
#machine: --guest-file build/user/apps/nop/nop_function.so:/nop_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
#machine: --guest-file build/user/lib/libelisa-compat.so.1:/lib/libelisa-compat.so.1
. /testbed/guest.sh

status=0
vm()
{
	GUEST_CMDLINE="e2e=$1 ${2:-}" guest_start "$1" vm
}
grant()
{
	elisactl grant --pid "$(guest_pid "$1")" "$2" 'e2e.*' >/dev/null || status=1
}
ended()
{
	if guest_wait "$1"; then say "ok $1"; else say "FAILED $1"; status=1; fi
}

# shows REGEX COMMAND...: it succeeds, and a line of what it says matches
shows()
{
	_wanted=$1
	shift
	if ! _said=$("$@" 2>&1) || ! echo "$_said" | grep -q -e "$_wanted"; then
		say "FAILED: $*: no '$_wanted' in: $_said"
		status=1
	fi
}
# refuses REGEX COMMAND...: the same for one that must fail
refuses()
{
	_wanted=$1
	shift
	if _said=$("$@" 2>&1) || ! echo "$_said" | grep -q -e "$_wanted"; then
		say "FAILED: $*: no '$_wanted' in: $_said"
		status=1
	fi
}
# every command of elisactl, for people and as JSON, while the survivor is attached
elisactl_commands()
{
	_pid=$(guest_pid survivor)
	shows "^[0-9]* *$_pid  *1  *0  *1 " elisactl vms
	shows "\"pid\":$_pid" elisactl --json vms
	shows "$_pid  *attach  .* e2e\.\*" elisactl grants
	shows '"rights":\[' elisactl --json grants
	shows 'live  *general-regs .* e2e\.main' elisactl exports
	shows '"name":"e2e.private"' elisactl --json exports
	shows 'limit_us  *suspend_us ' elisactl exports
	shows '"suspend_us":50000' elisactl --json exports
	shows 'strict .* e2e\.main' elisactl attachments
	shows '"mode":"strict"' elisactl --json attachments
	shows '^flags  *cpu-bug,override,armed' elisactl stats
	shows '^hypercalls  *[1-9]' elisactl stats
	shows '"hypercalls":[1-9]' elisactl --json stats
	shows '^ok: CPU: flaw l1tf is accepted' elisactl check
	elisactl check | grep '^missing' && { say "FAILED: check misses something"; status=1; }
	shows '"item":"CPU: EPTP switching by VMFUNC"' elisactl --json check

	_id=$(elisactl grant --pidfile /run/guest-survivor/pid attach other)
	shows "\"id\":$((_id + 1))" elisactl --json grant --pid "$_pid" attach 'more.*'
	shows "^$_id  *$_pid  *attach .* other" elisactl grants
	shows "\"id\":$_id" elisactl --json revoke "$_id"
	refuses "no grant $_id; elisactl grants" elisactl revoke "$_id"
	shows '^$' elisactl revoke $((_id + 1))
	refuses "no process 99999;" elisactl grant --pid 99999 attach other
	shows 'warning: grant [0-9]* (e2e\.\*) is older' elisactl grant --pid "$_pid" attach e2e.main
	shows '^$' elisactl revoke $((_id + 2))
}
# The manager is told of each that comes and goes, however it went.
events()
{
	_there=$(elisactl attachments | grep -c 'e2e\.\(main\|slow\)')
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		_last=$(grep '^attached=' /run/guest-manager/console | tail -n 1)
		_came=${_last#attached=}
		_left=${_last#*detached=}
		_came=${_came%% *} _left=${_left%% *}
		[ "$((_came - _left))" = "$_there" ] && break
		usleep 100000
	done
	say "the manager: $_last, the host: $_there"
	if [ "${_came:-0}" -lt 12 ] || [ "$((_came - _left))" != "$_there" ]; then
		say "FAILED: not what the host has"
		status=1
	fi
	grep -q 'lost=[1-9]' /run/guest-manager/console && { say "FAILED: lost events"; status=1; }
}

pins()
{
	cat /proc/sys/vm/stat_refresh
	awk '/^nr_foll_pin_acquired/ { n += $2 } /^nr_foll_pin_released/ { n -= $2 } END { print n }' /proc/vmstat
}

say "without KVM below, and without the host's module"
modload elisa-guest 2>/dev/null && { say "FAILED: the driver loads on bare metal"; status=1; }
dmesg | grep -q "elisa-guest: this is not a guest of KVM" || { say "FAILED: no reason given"; status=1; }
vm nodriver
ended nodriver
refuses "/dev/elisa: .*load the module: modprobe elisa" elisactl vms

modload elisa allow_leaky_cpu=1 max_limit_us=10000000 || exit 1
before=$(pins)
refuses "Permission denied; run it as root (CAP_SYS_ADMIN)" runas 1000 elisactl vms
say "a manager, and guests: default kernel options, with PCID"
vm manager
grant manager export
GUEST_PROFILE=default GUEST_CPUS=2 vm all
grant all attach
GUEST_CPU=host vm pcid
grant pcid attach
ended pcid
ticket=
until [ -n "$ticket" ]; do
	usleep 50000
	ticket=$(sed -n 's/^\([0-9a-f]\{64\}\).*$/\1/p' /run/guest-manager/console)
done
vm nop "ticket=$ticket"
grant nop attach
ended all
ended nop
grep -q '^2.\?$' /run/guest-nop/console || { say "FAILED: nop counts"; status=1; }
grep -q '^attach attachment 1.\?$' /run/guest-manager/console ||
	{ say "FAILED: what elisa-exec says of an attachment"; status=1; }
say "the manager is killed while a guest calls"
vm survivor
grant survivor attach
until grep -q "survivor is calling" /run/guest-survivor/console; do usleep 100000; done
rmmod elisa 2>/dev/null && { say "FAILED: rmmod while in use"; status=1; }
elisactl_commands
events
guest_kill manager KILL
ended survivor
guest_wait manager
grep -q "manager is ready, 0 failures" /run/guest-manager/console || { say "FAILED manager"; status=1; }
shows '^vmm_ended' elisactl stats
[ "$(elisactl --json vms | tr -d '\n')" = "[]" ] || { say "FAILED: VMs are left"; status=1; }
leaks=$(($(pins) - before))
[ $leaks = 0 ] || { say "FAILED: $leaks more pages are pinned"; status=1; }
rmmod elisa || { say "FAILED: rmmod after use"; status=1; }
exit $status
