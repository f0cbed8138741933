# SPDX-License-Identifier: Apache-2.0
# A manager with the switch, and guests that exchange frames through it.
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
vm()
{
	GUEST_CMDLINE="vmnet=$1" guest_start "$1" vm
	until [ -s "/run/guest-$1/pid" ]; do usleep 50000; done
	shift
	for right; do
		elisactl grant --pid "$(guest_pid "$NAME")" "$right" vmnet >/dev/null || status=1
	done
}
modload elisa allow_leaky_cpu=1 max_limit_us=10000000 || exit 1
NAME=manager vm manager export attach
NAME=receiver vm receiver attach
NAME=sender vm sender attach
for guest in sender receiver; do
	if guest_wait $guest; then say "ok $guest"; else say "FAILED $guest"; status=1; fi
done
elisactl vms
elisactl attachments
elisactl stats | grep -v ' 0$'
guest_kill manager KILL
guest_wait manager
exit $status
