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
# serve APP OPTION...: elisa-exec manager, again until the grant is there
serve()
{
	app=$1
	shift
	until elisa-exec manager "$@" "/$app.so" "/${app}_function.so"; do usleep 100000; done
}
table()
{
	elisa-exec guest --name e2e.table /table.so "$@"
}
# Two guests share the table: each reads what the other put, and cannot change it. One that is killed while it works
# leaves no lock.
share_table()
{
	until table put "from-$1" "hello from $1"; do usleep 100000; done
	until [ "$(table get "from-$2")" = "hello from $2" ]; do usleep 100000; done
	table put "from-$2" other 2>&1 | grep 'Operation not permitted' || return 1
	table delete "from-$2" 2>&1 | grep 'Operation not permitted' || return 1
	for _ in 1 2 3; do
		table many 100000000 "$1" &
		usleep 300000
		kill -KILL $!
	done
	table many 500 "$1"
}
case $e2e in
manager)
	# the nop application beside it, as its README says, under its name and by ticket
	serve nop --name e2e.nop --general-regs --events &
	serve nop --name e2e.private --private &
	# and the table of docs/writing-an-application.md
	serve table --name e2e.table --general-regs &
	e2e_manager /e2e_function.so
	;;
nop)
	until elisa-exec guest --name e2e.nop /nop.so; do usleep 100000; done
	elisa-exec guest --name e2e.nop /nop.so count &&
		elisa-exec guest --name e2e.nop --trust-manager /nop.so count &&
		elisa-exec guest --name e2e.nop --trust-manager /nop.so loop 10000 &&
		elisa-exec guest --ticket "$ticket" /nop.so &&
		e2e_guest private "$ticket" && share_table nop all
	;;
all)
	# with the kernel's own choice of options there is page table isolation on this CPU
	grep -qw pti /proc/cpuinfo || { echo "FAILED: no page table isolation"; exit 1; }
	e2e_guest all && share_table all nop
	;;
*) e2e_guest "$e2e" ;;
esac
