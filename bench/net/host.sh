# SPDX-License-Identifier: Apache-2.0
# What a packet between two guests costs the whole host: through virtio-net,
# vhost-net and a bridge, before ELISA is even loaded, then through ELISA.
# One emulated machine, the same guests, the same program.
#
#machine: --with-qemu --mem 1536
#machine: --modules tun bridge vhost_net
#machine: --file build/user/tools/elisactl:/bin/elisactl
#machine: --file build/user/bench/net/net_meter:/bin/net_meter
#machine: --file bench/net/lib.sh:/net.sh
#machine: --role netbench=bench/net/role.sh --role manager=bench/net/manager.sh
#machine: --guest-modules uio_pci_generic --guest-file bench/net/guest.sh:/net.sh
#machine: --guest-file build/user/bench/net/netbench:/bin/netbench
#machine: --guest-file /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_mempool_ring.so:/drivers/librte_mempool_ring.so
#machine: --guest-file /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_virtio.so:/drivers/librte_net_virtio.so
#machine: --guest-file build/user/dpdk/librte_net_rvif.so:/drivers/librte_net_rvif.so
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh
. /net.sh

[ "$ELISA_TSC_COUNTS" = instructions ] || say "the counter counts time here: \"insns\" below are cycles"
# a vCPU that halts gives the CPU away at once: polling would be counted as work
echo 0 >/sys/module/kvm/parameters/halt_poll_ns
net_bridge tap1 tap2 || exit 1
net_meter_start
net_sender a 1 netbench
net_guest b 2 netbench
net_measured || { say "FAILED: virtio was not measured"; exit 1; }
tsc "virtio is measured"
net_elisa a b || exit 1
status=0
for guest in a b; do
	guest_wait $guest || status=1
done
net_meter_stop || status=1
elisactl stats
guest_kill manager KILL
guest_wait manager
tsc "end"
exit $status
