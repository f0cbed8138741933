# SPDX-License-Identifier: Apache-2.0
# A manager with the switch, and guests that exchange frames through it: all that was sent arrives, ping-pong,
# and when everybody is gone nothing is left.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=tests/vmnet/role.sh
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/tools/rvs-pktgen:/bin/rvs-pktgen
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh

status=0
# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="vmnet=$_vm" guest_start "$_vm" vm
	until [ -s "/run/guest-$_vm/pid" ]; do usleep 50000; done
	for _right; do
		elisactl grant --pid "$(guest_pid "$_vm")" "$_right" vmnet >/dev/null || status=1
	done
}
# has NAME TEXT: the guest said so
has()
{
	grep -q -e "$2" "/run/guest-$1/console" || { say "FAILED: $1 does not say $2"; status=1; }
}

modload elisa allow_leaky_cpu=1 max_limit_us=10000000 || exit 1
vm manager export attach
vm receiver attach
vm sender attach
for guest in sender receiver; do
	if guest_wait $guest; then say "ok $guest"; else say "FAILED $guest"; status=1; fi
done
has sender '"sent":5000,'
has receiver '"received":5000,"lost":0,"disordered":0,"foreign":0'
has sender '"answers":50,'
has manager 'port first: up'
has manager 'port second: up'
# their memory was given back by the time they were gone
elisactl vms
[ "$(elisactl --json vms | grep -o '"pid"' | wc -l)" = 1 ] || { say "FAILED: VMs are left"; status=1; }
guest_kill manager KILL
guest_wait manager
[ "$(elisactl --json vms | tr -d '\n')" = "[]" ] || { say "FAILED: VMs are left"; status=1; }
rmmod elisa || { say "FAILED: rmmod after use"; status=1; }
exit $status
