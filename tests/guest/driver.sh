# SPDX-License-Identifier: Apache-2.0
# Tests the guest driver with the fake host (make -C guest fake), on the machine itself, without
# KVM.
#
#machine: --no-kvm --cpus 2 --cmdline pci=conf1 --file build/export_test:/bin/export_test --file build/attach_test:/bin/attach_test
#machine: --file build/events_test:/bin/events_test --file build/doorbell_test:/bin/doorbell_test --timeout 180
#machine: --allow-log 'elisa-guest: vCPU 1 stays offline'
set -e
. /testbed/lib.sh

# each load of the driver must make the host forget the VM's earlier state, once
loads()
{
	modload elisa-guest "$@"
	[ "$(cat /sys/module/elisa_guest/parameters/resets)" = 1 ] ||
		{ say "FAILED: the host was not reset"; exit 1; }
}

# traced REGEX...: a record of the driver's tracepoints matches each
traced()
{
	[ -e $trace ] || return 0
	for _wanted; do
		grep -q ": elisa_guest_$_wanted" /sys/kernel/tracing/trace ||
			{ say "FAILED: no '$_wanted' was traced"; grep elisa_ /sys/kernel/tracing/trace | tail; exit 1; }
	done
}

mkdir -p /mnt
mount -t ramfs none /mnt
if modload elisa-guest abi=4711 2>/dev/null; then
	say "FAILED: it loads with a host of another ABI"
	exit 1
fi
dmesg | grep "elisa-guest: the host speaks ABI version 4711, this driver 2: use the same release"
loads
# a kernel for debugging may have no tracefs
mount -t tracefs none /sys/kernel/tracing 2>/dev/null || say "no tracefs: tracepoints are not looked at"
trace=/sys/kernel/tracing/events/elisa/enable
[ ! -e $trace ] || echo 1 >$trace
export_test
attach_test
events_test
traced 'attach: slot=[0-9]* mode=\(strict\|trusted\) place=-*[0-9]* name=[a-z]' 'detach: slot=[0-9]' 'sync: error=0' \
	'event: type=abort export=[0-9]* attachment=[0-9]* vcpu=[0-9]* value=-*[0-9]'
doorbell_test none
rmmod elisa_guest
loads rings=1
[ ! -e $trace ] || echo 1 >$trace
doorbell_test rings
traced 'doorbell: irq=[1-9]'
rmmod elisa_guest
loads rings=1 granted=0
doorbell_test later
rmmod elisa_guest
