# SPDX-License-Identifier: Apache-2.0
# The demo of the network on the emulated host: the same two guests talk through virtio-net,
# vhost-net and a bridge, then through ELISA; ordinary programs first, then DPDK. The
# administrator's part, and what the host counts meanwhile.
#
#machine: --with-qemu --mem 1536
#machine: --modules tun bridge vhost_net
#machine: --file build/user/tools/elisactl:/bin/elisactl
#machine: --file build/user/bench/net/net_meter:/bin/net_meter
#machine: --file bench/net/lib.sh:/net.sh
#machine: --role guest=demo/net_guest.sh --role manager=demo/net_manager.sh
#machine: --guest-modules virtio_pci virtio_net tun uio_pci_generic
#machine: --guest-file bench/net/guest.sh:/net.sh
#machine: --guest-file build/user/bench/net/netbench:/bin/netbench
#machine: --guest-file /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_mempool_ring.so:/drivers/librte_mempool_ring.so
#machine: --guest-file /usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_virtio.so:/drivers/librte_net_virtio.so
#machine: --guest-file build/user/dpdk/librte_net_rvif.so:/drivers/librte_net_rvif.so
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/tests/vmnet/vmnet_stream:/bin/vmnet_stream
#machine: --guest-file build/user/tests/vmnet/vmnet_intruder:/bin/vmnet_intruder
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh
. /net.sh

status=0
# says TEXT: waits until guest a says so, or ends
says()
{
	until grep -q -e "^$1" /run/guest-a/console; do
		guest_runs a || { say "FAILED: a ended before it said \"$1\""; exit 1; }
		usleep 100000
	done
}
exits()
{
	cat "/sys/kernel/debug/kvm/$(guest_pid "$1")"-*/exits
}
# between FIRST LAST: exits of both guests until a says LAST, from where it says FIRST, in $between
between()
{
	says "$1"
	between=$(($(exits a) + $(exits b)))
	says "$2"
	between=$(($(exits a) + $(exits b) - between))
}
# idle WHAT: exits a second of an idle guest, in $idle
idle()
{
	says "$1"
	sleep 1
	idle=$(exits b)
	sleep 3
	idle=$((($(exits b) - idle) / 3))
}

# a vCPU that halts gives the CPU away at once: polling would be counted as work
echo 0 >/sys/module/kvm/parameters/halt_poll_ns
say "1. Two guests with virtio-net-pci, vhost-net and a bridge on the host; ELISA is not loaded."
net_bridge tap1 tap2 || exit 1
net_meter_start
net_sender a 1 guest
net_guest b 2 guest
between "virtio: a stream begins" "virtio: .* every byte right"
virtio_exits=$between
say "   4 MiB by TCP: $virtio_exits VM exits"
idle "virtio: idle"
virtio_idle=$idle
say "   idle: $virtio_idle VM exits a second"
say "   The same by DPDK, and what a packet costs the whole host:"
net_measured || { say "FAILED: virtio was not measured"; exit 1; }
say "2. elisa.ko is loaded, a third VM has the switch. Nothing goes before the administrator says so:"
net_elisa a b || exit 1
say "   elisactl grant --pid $(guest_pid manager) export vmnet; and --pid ... attach vmnet for all three"
net_measured || { say "FAILED: ELISA was not measured"; exit 1; }
say "3. rvif-tap in both guests: an interface for ordinary programs."
between "elisa: a stream begins" "elisa: .* every byte right"
say "   4 MiB by TCP: $between VM exits"
idle "elisa: idle"
say "   idle: $idle VM exits a second"
for guest in a b; do
	guest_wait $guest || { say "FAILED: guest $guest"; status=1; }
done
net_meter_stop || status=1
say "4. Statistics on all sides. Of guest a's interface and of the switch:"
sed -n 's/^stats: />>    /p' /run/guest-a/console
# the last table of many
sleep 21
awk '/^stats: port/ { table = "" } sub("^stats: ", "") { table = table ">>    " $0 "\n" } END { printf "%s", table }' \
	/run/guest-manager/console
guest_kill manager KILL
guest_wait manager
say "   of the host's module:"
elisactl stats | sed 's/^/>>    /'
rmmod elisa || status=1

# ok TEXT: 1 if guest a said so
ok()
{
	if grep -q -e "^$1" /run/guest-a/console; then echo 1; else echo 0; fi
}
say "result net=virtio tcp_exits=$virtio_exits idle_exits_per_s=$virtio_idle"
say "result net=elisa tcp_ok=$(ok 'elisa: .* every byte right') ping_ok=$(ok 'elisa: ping answers') spoof_blocked=$(ok 'elisa: spoofing is blocked') corruption_blocked=$(ok 'intruder: 0 accesses') tcp_exits=$between idle_exits_per_s=$idle"
tsc "end"
for text in 'elisa: .* every byte right' 'elisa: ping answers' 'elisa: spoofing is blocked' 'intruder: 0 accesses'; do
	[ "$(ok "$text")" = 1 ] || status=1
done
exit $status
