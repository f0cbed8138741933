# SPDX-License-Identifier: Apache-2.0
# In both VMs of the benchmark.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
case $(cat /proc/cmdline) in
*bench=manager*) bench_manager /bench_function.so ;;
*) bench_guest ;;
esac
