# SPDX-License-Identifier: Apache-2.0
# Programs in the prototype's style end to end: a manager's VM, clients in it and in two other VMs.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh
#machine: --role vm=tests/compat/role.sh --guest-modules virtio_net
#machine: --guest-file tests/compat/manager.sh:/manager.sh
#machine: --guest-file tests/compat/client.sh:/client.sh
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/tools/elisa-exec-prototype:/bin/elisa-exec-prototype
#machine: --guest-file build/user/apps/nop/nop.so:/nop.so
#machine: --guest-file build/user/tests/compat/compat_cost:/bin/compat_cost
#machine: --guest-file build/user/tests/compat/compat_function.so:/compat_function.so
#machine: --guest-file build/user/tests/compat/compat_value.so:/compat_value.so
#machine: --guest-file build/user/tests/compat/compat_counter.so:/compat_counter.so
#machine: --guest-file build/user/tests/compat/compat_loop.so:/compat_loop.so
#machine: --guest-file build/user/tests/compat/compat_echo.so:/compat_echo.so
#machine: --guest-file build/user/tests/compat/compat_bar.so:/compat_bar.so
#machine: --guest-file build/user/tests/compat/compat_prototype.so:/compat_prototype.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
#machine: --guest-file build/user/lib/libelisa-compat.so.1:/lib/libelisa-compat.so.1
. /vms.sh
patient 2400

# vm NAME ROLE NUMBER [QEMU ARGUMENTS...]
vm()
{
	_name=$1 _role=$2 _number=$3
	shift 3
	GUEST_CMDLINE="compat=$_role number=$_number" guest_start "$_name" vm \
		-netdev socket,id=net,mcast=230.0.0.1:4000,localaddr=127.0.0.1 \
		-device "virtio-net-device,netdev=net,mac=52:54:00:00:00:0$_number" "$@"
}
ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo
load
GUEST_PCI=1 vm manager manager 1 \
	-object memory-backend-memfd,id=shared,size=1M,share=on -device ivshmem-plain,memdev=shared
vm a client 2
GUEST_CPUS=2 vm b client 3
says manager "wants a grant"
granted manager 'elisa-compat*' export attach
for name in a b; do
	says "$name" "wants a grant"
	granted "$name" 'elisa-compat*' attach
done
tsc "the VMs are up"
ended a b
tsc "the clients are through"
says manager "nothing should be left"
there 1 0 0
guest_kill manager TERM
guest_wait manager
[ "$(said manager "^FAILED")" = 0 ] || problem "the manager failed"
all_gone
tsc end
vms_end
