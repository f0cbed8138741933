# SPDX-License-Identifier: Apache-2.0
# "make demo-nested": elisa.ko in a VM that has nested VMX, as a VM of a cloud may. The emulated host has a stock KVM
# and no module. KVM there emulates what the VM's own KVM and elisa.ko ask of the processor: EPT, the EPTP list, VMFUNC.
#
#machine: --with-qemu --mem 1024 --role nested=demo/nested_host.sh
#machine: --guest-modules kvm kvm_intel
#machine: --guest-file build/user/tools/elisactl:/bin/elisactl
#machine: --guest-file build/machine-tests/call:/tests/call
#machine: --guest-file build/machine-tests/faults:/tests/faults
#machine: --guest-file build/machine-tests/foreign:/tests/foreign
#machine: --guest-file build/machine-tests/gate_entry:/tests/gate_entry
. /testbed/guest.sh

say "1. A stock kernel ($(uname -r)) with its stock kvm_intel, and nothing of ELISA's."
[ "$(cat /sys/module/kvm_intel/parameters/nested)" = Y ] || exit 1
say "2. A VM starts (QEMU, -cpu host). It is a host itself: KVM, elisa.ko, and VMs of its own."
GUEST_MEM=512 GUEST_CPU=host guest_start host nested
guest_wait host
status=$?
said()
{
	sed -n "s/^$1: 1000 calls, .* exits, \([0-9.]*\) instructions.*/\1/p" /run/guest-host/console | sed -n "$2p"
}
# the first of four kinds of export and stub, in strict mode, then in trusted mode
say "result nested=1 kernel=$(uname -r) insns_per_call_strict=$(said call 1) insns_per_call_trusted=$(said call 5) failed=$status"
exit $status
