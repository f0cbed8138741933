# SPDX-License-Identifier: Apache-2.0
# A network that is changed at random for ELISA_SOAK_SECONDS, on a real host: ports are added, removed, closed,
# opened, and get other VLANs, limits and filters, by elisa-vmnetctl and by reloads. A third VM's port is among
# them, and the daemon evicts it now and then. Meanwhile the ports of guests a and b stay as they are, and a sends
# numbered frames to b. Each must arrive once, in order, and both ports must keep their first attachments.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/soak/reload_role.sh
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnetctl/elisa-vmnetctl:/bin/elisa-vmnetctl
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/tools/rvs-pktgen:/bin/rvs-pktgen
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh

seconds=${ELISA_SOAK_SECONDS:-600}
seed=${ELISA_SOAK_SEED:-1}
say "ELISA_SOAK_SEED=$seed"
# 20 a second, for the whole time and for the guests to boot
patient $(((seconds + 300) * 20))

# vm NAME RIGHT...: a guest with these rights
vm()
{
	_vm=$1
	shift
	GUEST_CMDLINE="net=$_vm seconds=$seconds seed=$seed" start "$_vm" vmnet "$@"
}

# figure NAME KEY: of the last line of JSON that rvs-pktgen printed there
figure()
{
	tr -d '\r' <"/run/guest-$1/console" | grep -a '^{' | tail -n 1 | sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p"
}

load
vm manager export attach
vm b attach
vm c attach
says manager "^b is up"
vm a attach
says manager "^changes="
says b "^ended"
has manager "^the steady ports noticed nothing"
sent=$(figure a sent) received=$(figure b received) lost=$(figure b lost)
duplicated=$(figure b duplicated) reordered=$(figure b reordered)
[ "${sent:-0}" -ge $((seconds * 40)) ] || problem "a sent ${sent:-nothing}"
[ "$sent,0,0,0" = "$received,$lost,$duplicated,$reordered" ] || problem "not each frame came once, in order"
changes=$(grep -a -o '^changes=[0-9]*' /run/guest-manager/console)
elisactl stats
for name in a b c manager; do kill_vm $name; done
all_gone
warnings=$(dmesg -r | grep -a -c '^<[0-4]>.*\(WARNING\|BUG\)')
[ "$warnings" = 0 ] || problem "warnings"
# shellcheck disable=SC2154 # of vms.sh
say "result soak_reload $changes sent=$sent received=$received lost=$lost leaks=$leaks warnings=$warnings problems=$trouble"
vms_end
