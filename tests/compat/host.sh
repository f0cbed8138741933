# SPDX-License-Identifier: Apache-2.0
# Programs in the prototype's style end to end: a manager's VM, clients in it and in two other VMs.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
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
. /testbed/guest.sh

status=0
# vm NAME ROLE NUMBER [QEMU ARGUMENTS...]
vm()
{
	_name=$1 _role=$2 _number=$3
	shift 3
	GUEST_CMDLINE="compat=$_role number=$_number" guest_start "$_name" vm \
		-netdev socket,id=net,mcast=230.0.0.1:4000,localaddr=127.0.0.1 \
		-device "virtio-net-device,netdev=net,mac=52:54:00:00:00:0$_number" "$@"
}
# until a VM has said something
said()
{
	for _ in $(seq 1 400); do
		grep -q "^$2" "/run/guest-$1/console" && return
		usleep 300000
	done
	say "FAILED: $1 never said '$2'"
	status=1
}
grant()
{
	elisactl grant --pid "$(guest_pid "$1")" "$2" 'elisa-compat*' >/dev/null || status=1
}
ended()
{
	if guest_wait "$1"; then say "ok $1"; else say "FAILED $1"; status=1; fi
}

ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo
modload elisa allow_leaky_cpu=1 || exit 1
GUEST_PCI=1 vm manager manager 1 \
	-object memory-backend-memfd,id=shared,size=1M,share=on -device ivshmem-plain,memdev=shared
vm a client 2
GUEST_CPUS=2 vm b client 3
said manager "wants a grant"
grant manager export
grant manager attach
for name in a b; do
	said "$name" "wants a grant"
	grant "$name" attach
done
tsc "the VMs are up"
ended a
ended b
tsc "the clients are through"
said manager "nothing should be left"
for what in exports attachments; do
	[ "$(elisactl --json "$what" | tr -d '\n')" = "[]" ] ||
		{ say "FAILED: left behind: $(elisactl $what)"; status=1; }
done
guest_kill manager TERM
guest_wait manager
grep -q "^FAILED" /run/guest-manager/console && status=1
tsc end
exit $status
