# SPDX-License-Identifier: Apache-2.0
# In the VM of the demo of elisa-kv that has what is compared with it: Debian's memcached.
. /testbed/lib.sh
modload virtio_pci && modload virtio_net || exit 1
ip link set eth0 up
ip address add 10.8.0.2/24 dev eth0
exec memcached -u root -m 48 -t 1 -l 10.8.0.2
