# SPDX-License-Identifier: Apache-2.0
# In the guests of bench/net/tcp.sh. a sends and pings, and says on its device for marks what it is about. b serves.
. /testbed/lib.sh
. /net.sh
ROUNDS=3
FEW_MIB=4 MANY_MIB=36
FEW_PINGS=20 MANY_PINGS=120 # 20 ms apart

mark()
{
	echo "$*" >&3
}

stream()
{
	vmnet_stream send "$peer" 5000 "$1" || exit 1
}

pings()
{
	ping -q -c "$1" -i 0.02 -W 5 "$peer" >/tmp/ping 2>&1 || { cat /tmp/ping; exit 1; }
}

# window KIND UNITS COMMAND...
window()
{
	_kind=$1 _units=$2
	shift 2
	mark begin
	"$@"
	mark end "$_kind" "$_units"
}

# measure NET MODE NETWORK: the interface of this network is up at both ends. b leaves after the last stream.
measure()
{
	peer=10.9.$3.2
	if [ "$name" = b ]; then
		vmnet_stream serve "$peer" 5000 $((2 * ROUNDS + 1)) || exit 1
		return
	fi
	until ping -q -c 1 -W 1 "$peer" >/dev/null; do usleep 100000; done
	mark net "$1" "$2"
	stream 1
	for _ in $(seq $ROUNDS); do
		window idle $((MANY_PINGS - FEW_PINGS)) sleep 2
		window ping $FEW_PINGS pings $FEW_PINGS
		window ping $MANY_PINGS pings $MANY_PINGS
		window tcp $FEW_MIB stream $FEW_MIB
		window tcp $MANY_MIB stream $MANY_MIB
	done
	mark report
}

# through_virtio MODE NETWORK MAC
through_virtio()
{
	for _device in /sys/class/net/*; do
		[ "$(cat "$_device/address")" != "$3" ] || _interface=${_device##*/}
	done
	ip link set "$_interface" up || exit 1
	ip address add "10.9.$2.$host/24" dev "$_interface"
	measure virtio "$1" "$2"
	ip link set "$_interface" down
}

# through_elisa MODE NETWORK [OPTION]
through_elisa()
{
	until rvif-tap --name net0 --mac "02:00:00:00:00:0$host" $3 elisa:vmnet >/dev/null 2>/tmp/error; do sleep 1; done &
	_tap=$!
	until ip link set net0 up 2>/dev/null && [ "$(cat /sys/class/net/net0/carrier 2>/dev/null)" = 1 ]; do usleep 50000; done
	ip address add "10.9.$2.$host/24" dev net0
	measure elisa "$1" "$2"
	# the other end may not have heard yet that all has arrived
	sleep 1
	kill $_tap
	killall rvif-tap
	while [ -e /sys/class/net/net0 ]; do usleep 50000; done
}

name=$(net_option net) host=1
[ "$name" = a ] || host=2
if [ "$name" = a ]; then
	_port=$(grep -lx marks /sys/class/virtio-ports/*/name)
	exec 3>"/dev/$(basename "$(dirname "$_port")")"
fi
modload virtio_pci || exit 1
modload virtio_net || exit 1
modload tun || exit 1
through_virtio offloads 1 "52:54:00:00:00:0$host"
through_virtio none 2 "52:54:00:00:00:0$((host + 2))"
[ "$name" = b ] || mark "done"
until modload elisa-guest 2>/dev/null; do sleep 1; done
through_elisa offloads 3
through_elisa none 4 --no-csum
