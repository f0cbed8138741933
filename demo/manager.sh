# SPDX-License-Identifier: Apache-2.0
# In the manager VM.
. /testbed/lib.sh
modload elisa-guest || exit 1
LD_LIBRARY_PATH=/lib demo_manager /demo_object.so 4
