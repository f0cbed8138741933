# SPDX-License-Identifier: Apache-2.0
# dpdk-testpmd, as Debian has it, in two guests on the manager's switch: txonly in one, rxonly in
# the other. The manager is killed meanwhile and comes back; neither is told. All that was sent was
# received or is in the receiver's counter of missed frames.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=tests/vmnet/testpmd_role.sh
#machine: --guest-file /usr/bin/dpdk-testpmd:/bin/dpdk-testpmd
#machine: --guest-file /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_mempool_ring.so:/drivers/librte_mempool_ring.so
#machine: --guest-file build/user/dpdk/librte_net_rvif.so:/drivers/librte_net_rvif.so
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh

status=0
# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_MEM=256 GUEST_CMDLINE="vmnet=$_vm" guest_start "$_vm" vm
	for _right; do
		elisactl grant --pid "$(guest_pid "$_vm")" "$_right" vmnet >/dev/null || status=1
	done
}
# until COMMAND succeeds; for ever: the machine has a time limit
wait_for()
{
	until "$@" >/dev/null; do usleep 300000; done
}
exported()
{
	elisactl exports | grep -q vmnet
}

modload elisa allow_leaky_cpu=1 || exit 1
vm manager export attach
wait_for exported
vm receiver attach
wait_for grep -e "the receiver is ready" -e "-end [0-9]" /run/guest-receiver/console
vm sender attach
for guest in sender receiver; do
	if guest_wait $guest; then say "ok $guest"; else say "FAILED $guest"; status=1; fi
done
guest_kill manager KILL
guest_wait manager

# number GUEST WHAT
number()
{
	sed -n "s/^\(.* \)\?$2 \([0-9]*\).*/\2/p" "/run/guest-$1/console" | tail -n 1
}
sent=$(number sender sent) received=$(number receiver received) missed=$(number receiver "missed")
say "result testpmd_sent=$sent received=$received missed=$missed"
if [ "${received:-0}" = 0 ] || [ "$sent" != $((received + missed)) ]; then
	say "FAILED: not all is accounted for"
	status=1
fi
exit $status
