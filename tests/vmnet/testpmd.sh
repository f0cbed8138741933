# SPDX-License-Identifier: Apache-2.0
# dpdk-testpmd, as Debian has it, in two guests on the manager's switch: txonly in one, rxonly in
# the other. The manager is killed meanwhile and comes back; neither is told. All that was sent was
# received or is in the receiver's counter of missed frames.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/vmnet/testpmd_role.sh
#machine: --guest-file /usr/bin/dpdk-testpmd:/bin/dpdk-testpmd
#machine: --guest-file /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_mempool_ring.so:/drivers/librte_mempool_ring.so
#machine: --guest-file build/user/dpdk/librte_net_rvif.so:/drivers/librte_net_rvif.so
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh

# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_MEM=256 GUEST_CMDLINE="vmnet=$_vm" start "$_vm" vmnet "$@"
}

load
vm manager export attach
until elisactl exports | grep -q vmnet; do usleep 300000; done # the machine has a time limit
vm receiver attach
says receiver "the receiver is ready"
vm sender attach
ended sender receiver
kill_vm manager

# number GUEST WHAT
number()
{
	sed -n "s/^\(.* \)\?$2 \([0-9]*\).*/\2/p" "/run/guest-$1/console" | tail -n 1
}
sent=$(number sender sent) received=$(number receiver received) missed=$(number receiver "missed")
say "result testpmd_sent=$sent received=$received missed=$missed"
if [ "${received:-0}" = 0 ] || [ "$sent" != $((received + missed)) ]; then
	problem "not all is accounted for"
fi
all_gone
vms_end
