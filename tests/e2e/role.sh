# SPDX-License-Identifier: Apache-2.0
# In every VM of the end-to-end tests; e2e=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
e2e=$(sed -n 's/.*e2e=\([a-z]*\).*/\1/p' /proc/cmdline)
ticket=$(sed -n 's/.*ticket=\([0-9a-f]*\).*/\1/p' /proc/cmdline)
case $e2e in
nodriver)
	# no host module yet: the driver must refuse, and say why
	modload elisa-guest && exit 1
	dmesg | grep "elisa-guest: the host answered nothing: load elisa.ko on the host" || exit 1
	e2e_guest nodriver
	exit
	;;
esac
modload elisa-guest || exit 1
# elisa-exec manager, again until the grant is there
serve()
{
	until elisa-exec manager "$@" /nop.so /nop_function.so; do usleep 100000; done
}
case $e2e in
manager)
	# the nop application beside it, as its README says, under its name and by ticket
	serve --name e2e.nop --general-regs --events &
	serve --name e2e.private --private &
	e2e_manager /e2e_function.so
	;;
nop)
	until elisa-exec guest --name e2e.nop /nop.so; do usleep 100000; done
	elisa-exec guest --name e2e.nop /nop.so count &&
		elisa-exec guest --name e2e.nop --trust-manager /nop.so count &&
		elisa-exec guest --name e2e.nop --trust-manager /nop.so loop 10000 &&
		elisa-exec guest --ticket "$ticket" /nop.so &&
		e2e_guest private "$ticket"
	;;
all)
	# with the kernel's own choice of options there is page table isolation on this CPU
	grep -qw pti /proc/cpuinfo || { echo "FAILED: no page table isolation"; exit 1; }
	e2e_guest all
	;;
*) e2e_guest "$e2e" ;;
esac
