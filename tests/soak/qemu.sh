# SPDX-License-Identifier: Apache-2.0
# Life cycles of real VMs: a manager's process, its VM, a guest's process and its VM are killed,
# always while the guest is in a call; two other VMs live and work through all of it. At least
# ELISA_SOAK_QEMU_CYCLES deaths, in an order by ELISA_SOAK_SEED.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --file tests/soak/lives.sh:/lives.sh --role vm=tests/soak/role.sh
#machine: --guest-file build/user/tests/soak/soak_vm:/bin/soak_vm
#machine: --guest-file build/user/tests/e2e/e2e_function.so:/e2e_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
trouble=0 leaks=0
. /vms.sh
. /lives.sh

cycles=${ELISA_SOAK_QEMU_CYCLES:-1}
seed=${ELISA_SOAK_SEED:-1}
say "ELISA_SOAK_SEED=$seed"

# chance N: 0 to N - 1, in $drawn
chance()
{
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1))
}

# new NAME: the manager or the guest, whose process will be killed $drawn times
new()
{
	chance 3
	case $1 in
	manager) vm manager manager soak.spin "lives=$drawn" && manager_lives=$drawn ;;
	guest) GUEST_CPUS=2 vm guest spin soak.spin "lives=$drawn" && guest_lives=$drawn ;;
	esac
}

# What the survivors do goes on, the host knows all that live and no more.
settled()
{
	says steady steady $(($(said steady steady) + 2))
	there 4 2 2
	grep -a FAILED /run/guest-*/console && problem "a process failed"
}

load
n=0
vm keeper manager soak.steady
vm steady steady soak.steady
new manager
new guest
while [ $n -lt "$cycles" ] && [ $trouble = 0 ]; do
	says manager published $((manager_lives + 1))
	says guest killed "$guest_lives"
	# the guest's last process is in a call of the manager's last one
	calls=$(said guest "in a call")
	while [ "$calls" -lt $((guest_lives + 1)) ] && [ $trouble = 0 ]; do
		says guest "in a call" $((calls + 1))
		calls=$(said guest "in a call")
	done
	settled
	n=$((n + manager_lives + guest_lives + 1))
	manager_lives=0 guest_lives=0
	chance 2
	if [ "$drawn" = 0 ]; then
		revoked=$(said guest revoked)
		kill_vm manager
		says guest revoked $((revoked + 1))
		new manager
		says guest "in a call" $((calls + 1))
	else
		kill_vm guest
		there 3 2 1
		new guest
		says guest "in a call" 1
	fi
	say "$n deaths"
done
settled
# the end: the survivor's export goes, too
kill_vm guest
kill_vm manager
kill_vm keeper
guest_wait steady || problem "the survivor did not end well"
grep -a -q "the export is gone" /run/guest-steady/console || problem "no clear error"
all_gone
warnings=$(dmesg -r | grep -a -c '^<[0-4]>.*\(WARNING\|BUG\)')
say "result soak_qemu_cycles=$n leaks=$leaks warnings=$warnings problems=$trouble"
[ "$warnings" = 0 ] || problem "warnings"
vms_end
