# SPDX-License-Identifier: Apache-2.0
# One page of 1 GiB is set aside, and is all the memory that is mapped: a larger object has it several times.
#
#machine: --mem 2304 --cmdline 'hugepagesz=1G hugepages=1'
#machine: --file build/bench-pages/pages:/bin/pages
. /testbed/lib.sh

[ "$ELISA_TSC_COUNTS" = instructions ] || say "the counter counts time here: \"insns\" below are cycles"
# no request waits for the requests before it
modload elisa allow_leaky_cpu=1 calls_per_second=0 || exit 1
pages
