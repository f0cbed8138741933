# SPDX-License-Identifier: Apache-2.0
# In the VMs of tests/restore: vm=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
case $(sed -n 's/.*vm=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager)
	until elisa-exec manager --name restored --general-regs /nop.so /nop_function.so; do usleep 100000; done
	;;
guest)
	restored second /tmp/first-again &
	second=$!
	usleep 500000
	restored first | tee /tmp/first &
	first=$!
	until grep -q 'attached again' /tmp/first; do usleep 100000; done
	touch /tmp/first-again
	wait $first
	grep -q 'calls work' /tmp/first && wait $second
	;;
esac
