# SPDX-License-Identifier: Apache-2.0
# In every VM of tests/policy/host.sh: vm=NAME on the kernel's command line says which. Each asks once.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1

case $(sed 's/.*vm=\([a-z]*\).*/\1/' /proc/cmdline) in
manager)
	exec elisa-exec manager --name nop --general-regs /nop.so /nop_function.so
	;;
good)
	read -r before _ </proc/uptime
	elisa-exec guest --name nop /nop.so >/tmp/out || exit 1
	read -r after _ </proc/uptime
	echo "first request to first call: $(echo "$before $after" | awk '{ print ($2 - $1) * 1000 }') ms"
	echo "it calls"
	# calls, and time for the other VMs to start
	while elisa-exec guest --name nop /nop.so loop 10000 >/tmp/out 2>&1; do usleep 300000; done
	cat /tmp/out
	echo "it may not any more"
	;;
bad)
	elisa-exec guest --name nop /nop.so >/tmp/out 2>&1 && exit 1
	grep -q "has not granted" /tmp/out || { cat /tmp/out; exit 1; }
	echo "not granted"
	;;
esac
