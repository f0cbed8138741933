# SPDX-License-Identifier: Apache-2.0
# A network that is changed while it runs, by elisa-vmnetctl and by a reload, on a real host: ports are closed, opened,
# added and removed, frames are captured, a VM is evicted and comes back, a ticket is withdrawn and its VM does not. The
# other guest notices nothing of it.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/vmnet/operate_role.sh
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnetctl/elisa-vmnetctl:/bin/elisa-vmnetctl
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/tools/rvs-pktgen:/bin/rvs-pktgen
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh
patient 12000

# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="vmnet=$_vm" start "$_vm" vmnet "$@"
}

load
vm manager export attach
vm b attach
vm a attach
says manager "^operated"
for what in "the ticket's owner is up" "closed and opened" "evicted and back" "the new ticket is in force" \
	"a port was added" "a port was removed" "the other port noticed nothing"; do
	has manager "^$what"
done
has a "^the old ticket opens nothing"
kill_vm a
kill_vm b
kill_vm manager
all_gone
# shellcheck disable=SC2154 # of vms.sh
say "result operated=$((trouble == 0))"
vms_end
