# SPDX-License-Identifier: Apache-2.0
# A tenant beside a hostile one; see tenants.c.
#
#machine: --mem 512 --file build/bench-tenants/tenants:/bin/tenants
. /testbed/lib.sh

modload elisa allow_leaky_cpu=1 || exit 1
exec tenants
