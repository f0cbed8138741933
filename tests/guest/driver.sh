# SPDX-License-Identifier: Apache-2.0
# The guest driver with the fake host (make -C guest fake), on the machine itself: it needs no KVM.
#
#machine: --no-kvm --cpus 2 --cmdline pci=conf1 --file build/export_test:/bin/export_test --file build/attach_test:/bin/attach_test
#machine: --file build/events_test:/bin/events_test --file build/doorbell_test:/bin/doorbell_test --timeout 180
#machine: --allow-log 'elisa-guest: vCPU 1 stays offline'
set -e
. /testbed/lib.sh

# each load of the driver makes the host forget what was before, once
loads()
{
	modload elisa-guest "$@"
	[ "$(cat /sys/module/elisa_guest/parameters/resets)" = 1 ] ||
		{ say "FAILED: the host was not reset"; exit 1; }
}

mkdir -p /mnt
mount -t ramfs none /mnt
if modload elisa-guest abi=4711 2>/dev/null; then
	say "FAILED: it loads with a host of another ABI"
	exit 1
fi
dmesg | grep "elisa-guest: the host speaks ABI version 4711, this driver 2: use the same release"
loads
export_test
attach_test
events_test
doorbell_test none
rmmod elisa_guest
loads rings=1
doorbell_test rings
rmmod elisa_guest
loads rings=1 granted=0
doorbell_test later
rmmod elisa_guest
