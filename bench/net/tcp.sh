# SPDX-License-Identifier: Apache-2.0
# What a MiB of TCP and a ping between two guests cost the whole host: through virtio-net, vhost-net and a bridge,
# before ELISA is loaded, then through rvif-tap and ELISA. Each with checksum and segmentation offloads, and
# without. Receivers sleep: a round trip of a ping wakes two guests. One emulated machine, the same guests.
#
#machine: --with-qemu --mem 1536
#machine: --modules tun bridge vhost_net
#machine: --file build/user/tools/elisactl:/bin/elisactl
#machine: --file build/user/bench/net/net_tcp_meter:/bin/net_meter
#machine: --file bench/net/lib.sh:/net.sh
#machine: --role tcp=bench/net/tcp_role.sh --role manager=bench/net/manager.sh
#machine: --guest-modules virtio_pci virtio_net tun --guest-file bench/net/guest.sh:/net.sh
#machine: --guest-file build/user/tests/vmnet/vmnet_stream:/bin/vmnet_stream
#machine: --guest-file build/user/apps/tap/rvif-tap:/bin/rvif-tap
#machine: --guest-file build/user/apps/vmnet/elisa-vmnet:/bin/elisa-vmnet
#machine: --guest-file build/user/apps/vmnet/vmnet_switch.so:/vmnet_switch.so
#machine: --guest-file build/user/lib/libelisa.so.1:/lib/libelisa.so.1
#machine: --guest-file build/user/lib/libelisa-extra.so.1:/lib/libelisa-extra.so.1
. /testbed/guest.sh
. /net.sh

[ "$ELISA_TSC_COUNTS" = instructions ] || say "the counter counts time here: \"insns\" below are cycles"
# a vCPU that halts gives the CPU away at once: polling would be counted as work
echo 0 >/sys/module/kvm/parameters/halt_poll_ns
net_bridge tap1 tap2 tap3 tap4 || exit 1
net_meter_start
no_offloads="csum=off,gso=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off"
for guest in 1 2; do
	second=$((guest + 2))
	set -- -netdev "tap,id=plain,ifname=tap$second,script=no,downscript=no,vhost=on" \
		-device "virtio-net-pci,netdev=plain,mac=52:54:00:00:00:0$second,disable-legacy=on,romfile=,$no_offloads"
	if [ $guest = 1 ]; then net_sender a 1 tcp "$@"; else net_guest b 2 tcp "$@"; fi
done
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
