# SPDX-License-Identifier: Apache-2.0
# Deaths under traffic: guests with network interfaces over ELISA; one of them is killed while it
# sends, while it receives, while it sleeps, and the manager's VM, too; the others go on, and all
# come back. ELISA_SOAK_NET_CYCLES deaths.
#
#machine: --with-qemu --mem 1280 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --role vm=tests/soak/net_role.sh --guest-modules tun
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/tests/vmnet/vmnet_stream:/bin/vmnet_stream
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
trouble=0 leaks=0
. /vms.sh

cycles=${ELISA_SOAK_NET_CYCLES:-1}
seed=${ELISA_SOAK_SEED:-1}
say "ELISA_SOAK_SEED=$seed"
# MiB, before the first death
bulk=1
[ "$cycles" -lt 10 ] || bulk=100

# net NAME RIGHT...: a VM with these rights
net()
{
	_name=$1
	shift
	GUEST_CMDLINE="net=$_name does=${does:-nothing} bulk=$bulk" start "$_name" vmnet "$@"
}

# The survivors' own traffic goes on.
settled()
{
	says a "answered" $(($(said a "answered") + 3))
}

load
net manager export attach
net a attach
net b attach
n=0
while [ $n -lt "$cycles" ] && [ $trouble = 0 ]; do
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	case $((n % 4)) in
	0) does=sends ;;
	1) does=receives ;;
	2) does=sleeps ;;
	*) does= ;;
	esac
	if [ "$does" ]; then
		net victim attach
		says victim "is up" 1
		[ $does = sleeps ] || says victim "every byte right" 1
		usleep $((seed / 65536 % 1000 * 1000))
		kill_vm victim
	else
		kill_vm manager
		says a "no answer" $(($(said a "no answer") + 1))
		net manager export attach
	fi
	settled
	there 3 1 3
	n=$((n + 1))
	say "$n deaths"
done
# the end
for name in a b manager; do kill_vm $name; done
all_gone
warnings=$(dmesg -r | grep -a -c '^<[0-4]>.*\(WARNING\|BUG\)')
say "result soak_net_cycles=$n leaks=$leaks warnings=$warnings problems=$trouble"
[ "$warnings" = 0 ] || problem "warnings"
vms_end
