# SPDX-License-Identifier: Apache-2.0
# End to end: real QEMU guests with a stock kernel, whose kernel options are the default
# ones (page table isolation) in one of them.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
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
. /vms.sh

# vm NAME [RIGHT...]; $cmdline: more for its kernel's command line
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="e2e=$_vm ${cmdline:-}" start "$_vm" 'e2e.*' "$@"
}

# shows REGEX COMMAND...: it succeeds, and a line of what it says matches
shows()
{
	_wanted=$1
	shift
	if ! _said=$("$@" 2>&1) || ! echo "$_said" | grep -q -e "$_wanted"; then
		problem "$*: no '$_wanted' in: $_said"
	fi
}
# refuses REGEX COMMAND...: the same for one that must fail
refuses()
{
	_wanted=$1
	shift
	if _said=$("$@" 2>&1) || ! echo "$_said" | grep -q -e "$_wanted"; then
		problem "$*: no '$_wanted' in: $_said"
	fi
}
# every command of elisactl, for people and as JSON, while the survivor is attached
elisactl_commands()
{
	_pid=$(guest_pid survivor)
	shows "^[0-9]* *$_pid  *1  *0  *1 " elisactl vms
	shows "\"pid\":$_pid" elisactl --json vms
	shows "^module  *[0-9][^ ]*  *1  *2 *$" elisactl version
	shows "process $_pid)  *-  *2  *2 *$" elisactl version
	shows '"side":"module"' elisactl --json version
	shows "$_pid  *attach  .* e2e\.\*" elisactl grants
	shows '"rights":\[' elisactl --json grants
	shows 'live  *general-regs .* e2e\.main' elisactl exports
	shows '"name":"e2e.private"' elisactl --json exports
	shows 'limit_us  *suspend_us ' elisactl exports
	shows '"suspend_us":50000' elisactl --json exports
	shows 'strict .* e2e\.main' elisactl attachments
	shows '"mode":"strict"' elisactl --json attachments
	shows '[0-9]  *0  *\(open\|suspended\)  *- ' elisactl vcpus
	shows '"closed_by":"not-attached"' elisactl --json vcpus
	shows '"below_ns":1024' elisactl --json attachments
	shows " $_pid  *0 e2e\.main " elisactl --count 1 --interval 0.2 top
	shows '"suspended_per_second":' elisactl --json --count 1 --interval 0.2 top
	shows '^elisa_export_attachments{.*name="e2e.main"} [1-9]' elisactl metrics
	elisactl metrics -o /tmp/elisa.prom || problem "elisactl metrics -o"
	[ "$(tail -n 1 /tmp/elisa.prom)" = '# EOF' ] || problem "the metrics are not whole"
	shows '^flags  *cpu-bug,override,armed' elisactl stats
	shows '^hypercalls  *[1-9]' elisactl stats
	shows '"hypercalls":[1-9]' elisactl --json stats
	# what check asks for where the kernel's default is another than Debian's
	echo 3 >/proc/sys/kernel/perf_event_paranoid
	shows '^ok: CPU: flaw l1tf is accepted' elisactl check
	elisactl check | grep '^missing' && problem "check misses something"
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
		problem "not what the host has"
	fi
	grep -q 'lost=[1-9]' /run/guest-manager/console && problem "lost events"
}

say "without KVM below, and without the host's module"
modload elisa-guest 2>/dev/null && problem "the driver loads on bare metal"
dmesg | grep -q "elisa-guest: this is not a guest of KVM" || problem "no reason given"
vm nodriver
ended nodriver
refuses "/dev/elisa: .*load the module: modprobe elisa" elisactl vms

load
refuses "Permission denied; run it as root (CAP_SYS_ADMIN)" runas 1000 elisactl vms
say "a manager, and guests: default kernel options, with PCID"
vm manager export
GUEST_PROFILE=default GUEST_CPUS=2 vm all attach
GUEST_CPU=host vm pcid attach
ended pcid
ticket=
until [ -n "$ticket" ]; do
	usleep 50000
	ticket=$(sed -n 's/^\([0-9a-f]\{64\}\).*$/\1/p' /run/guest-manager/console)
done
cmdline="ticket=$ticket" vm nop attach
ended all nop
grep -q '^2.\?$' /run/guest-nop/console || problem "nop counts"
grep -q '^attach attachment 1.\?$' /run/guest-manager/console ||
	problem "what elisa-exec says of an attachment"
say "the manager is killed while a guest calls"
vm survivor attach
says survivor "survivor is calling"
rmmod elisa 2>/dev/null && problem "rmmod while in use"
elisactl_commands
events
guest_kill manager KILL
ended survivor
guest_wait manager
grep -q "manager is ready, 0 failures" /run/guest-manager/console || problem "manager"
shows '^vmm_ended' elisactl stats
all_gone
vms_end
