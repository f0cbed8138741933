# SPDX-License-Identifier: Apache-2.0
# In the guests that send and receive.
. /testbed/lib.sh
. /net.sh
net_through_virtio && net_through_elisa elisa && net_through_elisa elisa_zero_copy zero_copy=1
