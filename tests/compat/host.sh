# SPDX-License-Identifier: Apache-2.0
# Programs in the prototype's style end to end: a manager's VM, clients in it and in two other VMs.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=tests/compat/role.sh --guest-modules virtio_net
#machine: --guest-file tests/compat/manager.sh:/compat_manager.sh
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/tests/compat/compat_function.so:/compat_function.so
#machine: --guest-file build/user/tests/compat/compat_value.so:/compat_value.so
#machine: --guest-file build/user/tests/compat/compat_counter.so:/compat_counter.so
#machine: --guest-file build/user/tests/compat/compat_echo.so:/compat_echo.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-compat.so.1:/lib/libelisa-compat.so.1
. /testbed/guest.sh

status=0
vm()
{
	GUEST_CMDLINE="compat=$1 number=$2" guest_start "$1" vm \
		-netdev socket,id=net,mcast=230.0.0.1:4000,localaddr=127.0.0.1 \
		-device "virtio-net-device,netdev=net,mac=52:54:00:00:00:0$2"
}
ended()
{
	if guest_wait "$1"; then say "ok $1"; else say "FAILED $1"; status=1; fi
}
ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo
modload elisa allow_leaky_cpu=1 max_limit_us=10000000 || exit 1
vm manager 1
until grep -q "^ready" /run/guest-manager/console; do usleep 100000; done
elisactl grant --pid "$(guest_pid manager)" export elisa-compat >/dev/null || status=1
elisactl grant --pid "$(guest_pid manager)" attach elisa-compat >/dev/null || status=1
ended manager
[ "$(elisactl --json vms | tr -d '\n')" = "[]" ] || { say "FAILED: VMs are left"; status=1; }
exit $status
