# SPDX-License-Identifier: Apache-2.0
# Runs the commands that documents show for a host, a manager's VM and two guests. This script fills
# in what the documents leave to the reader: process ids, a second address, and which VM waits for
# which.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --file build/documents:/documents
#machine: --role vm=tests/documents/role.sh --guest-modules tun --guest-file build/documents:/documents
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/objects/vmnet_switch.so
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/apps/nop/nop.so:/objects/nop.so
#machine: --guest-file build/user/apps/nop/nop_function.so:/objects/nop_function.so
#machine: --guest-file build/user/apps/table/table.so:/objects/table.so
#machine: --guest-file build/user/apps/table/table_function.so:/objects/table_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh

{ sed -n 's/^host#  *//p' /documents/session && grep -v '^#:' /documents/vmnet-host; } >/commands

# host_does WORD VM: the host's commands that name the VM by this word
host_does()
{
	grep -w -e "$1" /commands | sed "s/$1/$(guest_pid "$2")/" >/these
	[ -s /these ] || problem "no command of the host names $1"
	while read -r line; do
		say "host# $line"
		eval "$line" || problem "$line"
	done </these
}

# vm NAME WORD...: it is granted what the documents grant to these, long before its kernel has started
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="vm=$_vm" guest_start "$_vm" vm
	for _word; do host_does "$_word" "$_vm"; done
}

load
vm manager MANAGER_QEMU MANAGER
for export in $(sed -n 's/^manager# .*--name \([^ ]*\).*/\1/p' /documents/session); do
	says manager "export '$export' is up"
done
says manager "^export vmnet: 2 ports"
vm b GUEST_B
says b "^the interface has its address"
vm a GUEST_QEMU GUEST_A
ended a
has a "^the documents' commands gave what they say"
has a "^frames pass"
grep -vwE 'MANAGER_QEMU|GUEST_QEMU|MANAGER|GUEST_A|GUEST_B' /commands >/these
while read -r line; do
	say "host# $line"
	eval "$line" || problem "$line"
done </these
kill_vm b
kill_vm manager
all_gone
# shellcheck disable=SC2154 # of vms.sh
say "result documents_ok=$((trouble == 0))"
vms_end
