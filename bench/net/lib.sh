# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Shell functions for jobs with guests that exchange frames through DPDK: through vhost-net and a
# bridge of the host's, and through ELISA. After /testbed/guest.sh.
#
#   net_bridge TAP...        a bridge of these taps, vhost loaded
#   net_guest NAME NUMBER ROLE [QEMU ARGUMENTS...]
#                            a guest with huge pages and a virtio-net-pci device on tapNUMBER
#                            with $net_options for netbench, and a colon for each space in them
#   net_sender NAME NUMBER ROLE
#                            the same with a device for marks, after net_meter_start
#   net_elisa NAME...        elisa.ko, a manager's VM with the switch, and grants for it and these guests
#   net_meter_start          reads the sender's marks and prints results
#   net_measured             waits until a sender's netbench is through; fails if it never is
#   net_meter_stop           ... to the end of the sender

net_bridge()
{
	echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
	for _module in tun bridge vhost_net; do
		modload $_module || return 1
	done
	brctl addbr br0
	for _tap; do
		tunctl -t "$_tap" >/dev/null
		brctl addif br0 "$_tap"
		ip link set "$_tap" up
	done
	ip link set br0 up
}

net_guest()
{
	_name=$1 _number=$2 _role=$3
	shift 3
	GUEST_PCI=1 GUEST_MEM=256 GUEST_CMDLINE="hugepages=20 net=$_name netbench=${net_options:-}" guest_start "$_name" "$_role" \
		-netdev "tap,id=net,ifname=tap$_number,script=no,downscript=no,vhost=on" \
		-device "virtio-net-pci,netdev=net,mac=52:54:00:00:00:0$_number,disable-legacy=on,romfile=" "$@"
}

net_sender()
{
	net_guest "$@" -chardev file,id=marks,path=/run/marks \
		-device virtserialport,chardev=marks,name=marks
}

net_elisa()
{
	modload elisa allow_leaky_cpu=1 || return 1
	GUEST_CMDLINE="net=manager" guest_start manager manager
	elisactl grant --pid "$(guest_pid manager)" export vmnet >/dev/null || return 1
	for _name in manager "$@"; do
		elisactl grant --pid "$(guest_pid "$_name")" attach vmnet >/dev/null || return 1
	done
}

net_meter_start()
{
	mkfifo /run/marks /run/measured
	net_meter /run/measured </run/marks &
	net_meter_pid=$!
}

# emulated seconds: they pass at once if nothing is going on
net_measured()
{
	timeout 300 head -n 1 /run/measured >/dev/null
}

net_meter_stop()
{
	wait "$net_meter_pid"
}
