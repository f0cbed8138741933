# SPDX-License-Identifier: Apache-2.0
# End to end: real QEMU guests with a stock kernel, whose kernel options are the default
# ones (page table isolation) in one of them.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=tests/e2e/role.sh
#machine: --guest-file build/user/tests/e2e/e2e_manager:/bin/e2e_manager
#machine: --guest-file build/user/tests/e2e/e2e_guest:/bin/e2e_guest
#machine: --guest-file build/user/tests/e2e/e2e_function.so:/e2e_function.so
#machine: --guest-file build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/user/apps/nop/nop.so:/nop.so
#machine: --guest-file build/user/apps/nop/nop_function.so:/nop_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh

status=0
vm()
{
	GUEST_CMDLINE="e2e=$1" guest_start "$1" vm
}
grant()
{
	until [ -s "/run/guest-$1/pid" ]; do usleep 50000; done
	elisactl grant --pid "$(guest_pid "$1")" "$2" 'e2e.*' >/dev/null || status=1
}
ended()
{
	if guest_wait "$1"; then say "ok $1"; else say "FAILED $1"; status=1; fi
}

say "without KVM below, and without the host's module"
modload elisa-guest 2>/dev/null && { say "FAILED: the driver loads on bare metal"; status=1; }
dmesg | grep -q "elisa-guest: this is not a guest of KVM" || { say "FAILED: no reason given"; status=1; }
vm nodriver
ended nodriver
elisactl vms && { say "FAILED: elisactl works without the module"; status=1; }

modload elisa allow_leaky_cpu=1 max_limit_us=10000000 || exit 1
runas 1000 elisactl vms && { say "FAILED: elisactl works for anybody"; status=1; }
elisactl check | sed 's/^/check: /'
say "a manager, and guests: default kernel options, with PCID"
vm manager
grant manager export
GUEST_PROFILE=default GUEST_CPUS=2 vm all
grant all attach
GUEST_CPU=host vm pcid
grant pcid attach
ended pcid
vm nop
grant nop attach
ended all
ended nop
grep -q '^2.\?$' /run/guest-nop/console || { say "FAILED: nop counts"; status=1; }
say "the manager is killed while a guest calls"
vm survivor
grant survivor attach
until grep -q "survivor is calling" /run/guest-survivor/console; do usleep 100000; done
rmmod elisa 2>/dev/null && { say "FAILED: rmmod while in use"; status=1; }
kill -9 "$(guest_pid manager)"
ended survivor
guest_wait manager
grep -q "manager is ready, 0 failures" /run/guest-manager/console || { say "FAILED manager"; status=1; }
elisactl stats
elisactl --json vms
rmmod elisa || { say "FAILED: rmmod after use"; status=1; }
exit $status
