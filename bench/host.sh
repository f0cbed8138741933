# SPDX-License-Identifier: Apache-2.0
# The benchmark on the emulated host: calls and what stands beside them, in one run.
#
#machine: --with-qemu --mem 1024 --file build/user/tools/elisactl:/bin/elisactl
#machine: --role vm=bench/role.sh
#machine: --guest-file build/user/bench/bench_manager:/bin/bench_manager
#machine: --guest-file build/user/bench/bench_guest:/bin/bench_guest
#machine: --guest-file build/user/bench/bench_function.so:/bench_function.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh

modload elisa allow_leaky_cpu=1 || exit 1
[ "$ELISA_TSC_COUNTS" = instructions ] || say "the counter counts time here: \"instructions\" below are cycles"
GUEST_MEM=256 GUEST_CMDLINE=bench=manager guest_start manager vm
guest_start guest vm
elisactl grant --pid "$(guest_pid manager)" export 'bench.strict.*'
elisactl grant --pid "$(guest_pid manager)" export 'bench.trusted.*' --trusted-manager
elisactl grant --pid "$(guest_pid guest)" attach 'bench.*'
until grep -q "bench manager is ready" /run/guest-manager/console; do usleep 100000; done
until elisactl attachments | grep -q bench; do usleep 50000; done
elisactl --json attachments
guest_wait guest
status=$?
guest_kill manager TERM
guest_wait manager
exit $status
