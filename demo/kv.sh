# SPDX-License-Identifier: Apache-2.0
# The demo of elisa-kv on the emulated host: a guest uses a memcached in another VM through
# virtio-net, vhost-net and a bridge, before ELISA is even loaded; then a store that VMs share, by
# its library and by elisa-kv-proxy. The same guest, the same operations; what they cost the host.
#
#machine: --with-qemu --mem 1536
#machine: --modules tun bridge vhost_net
#machine: --file build/user/tools/elisactl:/bin/elisactl
#machine: --file build/user/bench/kv/kv_meter:/bin/kv_meter
#machine: --file bench/net/lib.sh:/net.sh
#machine: --role guest=demo/kv_guest.sh --role memcached=demo/kv_memcached.sh --role manager=demo/kv_manager.sh
#machine: --guest-modules virtio_pci virtio_net
#machine: --guest-file /usr/bin/memcached:/bin/memcached
#machine: --guest-file build/user/bench/kv/kv_load:/bin/kv_load
#machine: --guest-file build/user/apps/kv/manager/elisa-kv:/bin/elisa-kv
#machine: --guest-file build/user/apps/kv/kv_function.so:/kv_function.so
#machine: --guest-file build/user/apps/kv/proxy/elisa-kv-proxy:/bin/elisa-kv-proxy
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh
. /net.sh

[ "$ELISA_TSC_COUNTS" = instructions ] || say "the counter counts time here: \"insns\" below are cycles"
# a vCPU that halts gives the CPU away at once: polling would be counted as work
echo 0 >/sys/module/kvm/parameters/halt_poll_ns
# measured WHAT: waits until it is
measured()
{
	timeout 300 head -n 1 /run/measured >/dev/null || { say "FAILED: $1 was not measured"; exit 1; }
	say "   $1 is measured"
}
say "1. A guest, and a memcached in another VM: virtio-net, vhost-net, a bridge. ELISA is not loaded."
net_bridge tap1 tap2 || exit 1
mkfifo /run/marks /run/measured
kv_meter /run/measured </run/marks &
meter=$!
net_guest memcached 2 memcached
net_guest guest 1 guest -chardev file,id=marks,path=/run/marks -device virtserialport,chardev=marks,name=marks
measured "memcached"
guest_kill memcached KILL
guest_wait memcached
say "2. elisa.ko is loaded, a third VM has the store. Nothing goes before the administrator says so:"
modload elisa allow_leaky_cpu=1 || exit 1
GUEST_MEM=256 guest_start manager manager
elisactl grant --pid "$(guest_pid manager)" export kv >/dev/null || exit 1
elisactl grant --pid "$(guest_pid guest)" attach kv >/dev/null || exit 1
say "   elisactl grant --pid $(guest_pid manager) export kv; and --pid $(guest_pid guest) attach kv"
measured "elisa-kv by its library"
measured "the same by a guest that trusts the manager"
measured "memcached's protocol by elisa-kv-proxy"
status=0
guest_wait guest || status=1
wait "$meter" || status=1
elisactl stats
guest_kill manager KILL
guest_wait manager
rmmod elisa || status=1
tsc "end"
exit $status
