# SPDX-License-Identifier: Apache-2.0
# In both guest VMs; the host named them a and b.
. /testbed/lib.sh
modload elisa-guest || exit 1
read -r cmdline </proc/cmdline
export LD_LIBRARY_PATH=/lib
case $cmdline in
*elisa_guest=a*) demo_guest a measure ;;
*) demo_guest b ;;
esac
