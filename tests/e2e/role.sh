# SPDX-License-Identifier: Apache-2.0
# In every VM of the end-to-end tests; e2e=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
e2e=$(sed -n 's/.*e2e=\([a-z]*\).*/\1/p' /proc/cmdline)
case $e2e in
nodriver)
	# no host module yet: the driver must refuse, and say why
	modload elisa-guest && exit 1
	e2e_guest nodriver
	exit
	;;
esac
modload elisa-guest || exit 1
case $e2e in
manager)
	# the nop application beside it, as its README says; the grant may come later
	until elisa-exec manager --name e2e.nop --general-regs --events /nop.so /nop_function.so; do
		usleep 100000
	done &
	e2e_manager /e2e_function.so
	;;
nop)
	until elisa-exec guest --name e2e.nop /nop.so; do usleep 100000; done
	elisa-exec guest --name e2e.nop /nop.so count &&
		elisa-exec guest --name e2e.nop --trust-manager /nop.so count &&
		elisa-exec guest --name e2e.nop --trust-manager /nop.so loop 10000
	;;
*) e2e_guest "$e2e" ;;
esac
