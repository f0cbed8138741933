# SPDX-License-Identifier: Apache-2.0
# In the guest of the demo of elisa-kv: the same operations on each store.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload virtio_pci && modload virtio_net || exit 1
marks=/dev/$(basename "$(dirname "$(grep -lx marks /sys/class/virtio-ports/*/name)")")

# load NAME STORE: again until the store is there
load()
{
	_tries=0
	until kv_load "$1" "$2" "$marks" 2>/tmp/error; do
		_tries=$((_tries + 1))
		[ $_tries -lt 100 ] || { cat /tmp/error; exit 1; }
		sleep 1
	done
}

ip link set eth0 up
ip address add 10.8.0.1/24 dev eth0
load memcached 10.8.0.2:11211
ip link set eth0 down
until modload elisa-guest 2>/dev/null; do sleep 1; done
load elisa elisa
load elisa_trusting elisa-trusting
elisa-kv-proxy --trust-manager --socket /tmp/kv.sock &
proxy=$!
until [ -S /tmp/kv.sock ]; do usleep 50000; done
load elisa_proxy /tmp/kv.sock
kill "$proxy"
wait "$proxy"
