# SPDX-License-Identifier: Apache-2.0
# A manager and a guest of an older release, on a host with this one's module: they call, and the host knows
# which version of the ABI they speak.
#
#machine: --with-qemu --mem 896 --file build/user/tools/elisactl:/bin/elisactl
#machine: --file tests/vms.sh:/vms.sh --role vm=tests/skew/role.sh
#machine: --guest-file build/skew/tree/build/user/tools/elisa-exec:/bin/elisa-exec
#machine: --guest-file build/skew/tree/build/user/apps/nop/nop.so:/nop.so
#machine: --guest-file build/skew/tree/build/user/apps/nop/nop_function.so:/nop_function.so
#machine: --guest-file build/skew/tree/build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/skew/tree/build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /vms.sh
patient 4000

load
GUEST_CMDLINE=vm=manager start manager nop export
says manager "export 'nop' is up"
GUEST_CMDLINE=vm=guest start guest nop attach
says guest "^it calls"
elisactl version | grep "process $(guest_pid guest))  *-  *1  *1 *$" ||
	problem "the host does not know what the guest speaks"
ended guest
kill_vm manager
all_gone
# shellcheck disable=SC2154 # of vms.sh
say "result skew_ok=$((trouble == 0))"
vms_end
