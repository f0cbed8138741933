# SPDX-License-Identifier: Apache-2.0
# In both VMs of tests/skew/host.sh: vm=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
if grep -q vm=manager /proc/cmdline; then
	exec elisa-exec manager --name nop --general-regs /nop.so /nop_function.so
fi
[ "$(elisa-exec guest --name nop /nop.so)" = 1 ] || exit 1
elisa-exec guest --name nop /nop.so loop 10000 || exit 1
echo "it calls"
sleep 5
