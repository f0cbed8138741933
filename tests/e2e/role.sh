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
manager) e2e_manager /e2e_function.so ;;
*) e2e_guest "$e2e" ;;
esac
