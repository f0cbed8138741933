# SPDX-License-Identifier: Apache-2.0
# Where elisa.ko cannot work it must refuse to load and say what is missing: without kvm_intel,
# and on a CPU without VMFUNC.
#
#machine: --no-kvm
. /testbed/lib.sh

status=0
refused()
{
	insmod /modules/elisa.ko 2>/dev/null && { say "FAILED: it loads"; status=1; }
	dmesg | grep "elisa: .*$1" || { say "FAILED: no word of \"$1\""; status=1; }
	say "refused: $1"
}
if grep -q smap /proc/cpuinfo; then
	refused "cannot open /dev/kvm"
else
	refused "lacks VMFUNC"
fi
exit $status
