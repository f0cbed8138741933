# SPDX-License-Identifier: Apache-2.0
# What the module costs VMs; see exits.c.
#
#machine: --mem 512 --file build/bench-exits/exits:/bin/exits
. /testbed/lib.sh

[ "$ELISA_TSC_COUNTS" = instructions ] || { say "the counter counts time here, not instructions"; exit 1; }
modload elisa allow_leaky_cpu=1 || exit 1
exec exits
