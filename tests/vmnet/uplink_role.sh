# SPDX-License-Identifier: Apache-2.0
# In every VM of tests/vmnet/uplink.sh; vmnet=NAME on the kernel's command line says which. The namespace behind the bridge
# is 10.9.0.9, and 10.9.10.9 on VLAN 10.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1

fail()
{
	echo "FAILED: $*"
	cat /tmp/said /tmp/error
	exit 1
}

# right WHAT COMMAND...: it ends with 0
right()
{
	_what=$1
	shift
	"$@" >/tmp/said 2>&1 || fail "$_what"
	echo "ok: $_what"
}

# interface NUMBER: net0, as soon as a switch serves it
interface()
{
	modload tun || exit 1
	while :; do
		rvif-tap --name net0 --mac "02:00:00:00:00:0$1" elisa:vmnet >/tmp/tap 2>/tmp/error &
		tap=$!
		until ip link set net0 up 2>/dev/null && [ "$(cat /sys/class/net/net0/carrier 2>/dev/null)" = 1 ]; do
			kill -0 "$tap" 2>/dev/null || break
			usleep 20000
		done
		kill -0 "$tap" 2>/dev/null && break
		grep -q -e "has not granted\|no such export\|not published\|attach again" /tmp/error || fail "rvif-tap"
		sleep 1
	done
	ip address add "10.9.0.$1/24" dev net0
}

# reaches ADDRESS: within a minute
reaches()
{
	for _ in $(seq 60); do
		ping -q -c 1 -W 1 "$1" && return
	done
	return 1
}

# stream OPTIONS...: of iperf3, as soon as the other end serves
stream()
{
	for _ in $(seq 30); do
		iperf3 "$@" && return
		sleep 1
	done
	return 1
}

plug()
{
	/opt/ip link add up0 type veth peer name port0 &&
		/opt/ip link set port0 up master br0 && /opt/ip link set up0 up
}

in_station()
{
	/opt/ip netns exec station "$@"
}

# state STATE: the uplink is in it
state()
{
	elisa-vmnetctl --socket /control counters up --json | grep -q "\"state\":\"$1\""
}

manager()
{
	for module in veth bridge 8021q; do modload $module || exit 1; done
	/opt/ip link add br0 type bridge && /opt/ip link set br0 up
	mkdir -p /run /var/run
	/opt/ip netns add station
	/opt/ip link add out type veth peer name eth0 netns station
	/opt/ip link set out up master br0
	in_station /opt/ip link set lo up
	in_station /opt/ip link set eth0 up
	in_station /opt/ip link add link eth0 name eth0.10 type vlan id 10
	in_station /opt/ip link set eth0.10 up
	in_station /opt/ip address add 10.9.0.9/24 dev eth0
	in_station /opt/ip address add 10.9.10.9/24 dev eth0.10
	in_station iperf3 -s >/dev/null &
	plug || exit 1
	echo '{"ports": [{"name": "a", "open": true, "vlan": 1, "trunk": "10"}, {"name": "b", "open": true, "vlan": 1, "trunk": "10"},
	 {"name": "up", "uplink": "up0", "vlan": 1, "trunk": "10"}], "queues": 1, "port_mib": 8}' >/config.json
	until elisa-vmnet --config /config.json --switch /vmnet_switch.so --control /control; do sleep 1; done &
	# from station to guest: a stream of the namespace's own
	until in_station iperf3 -c 10.9.0.1 -n 2M >/tmp/said 2>&1; do sleep 1; done
	echo "a stream from behind the bridge"
	until in_station ping -q -c 1 -W 1 10.9.0.100 >/dev/null 2>&1; do sleep 1; done
	/opt/ip link del up0
	until state gone; do sleep 1; done
	sleep 5
	plug
	until state up; do sleep 1; done
	elisa-vmnetctl --socket /control ports
	elisa-vmnetctl --socket /control metrics | grep -v "^#" | grep "^uplink_"
	elisa-vmnetctl --socket /control metrics | grep -q 'uplink_in_gso_total{port="up"} [1-9]' &&
		elisa-vmnetctl --socket /control metrics | grep -q 'uplink_out_gso_total{port="up"} [1-9]' &&
		echo "the uplink moved frames"
	echo "the end"
	sleep 1000
}

case $(sed -n 's/.*vmnet=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager) manager ;;
b)
	interface 2
	right "b reaches the namespace" reaches 10.9.0.9
	iperf3 -s -1 >/tmp/said 2>&1
	until ping -q -c 1 -W 1 10.9.0.100 >/dev/null 2>&1; do sleep 1; done
	;;
a)
	interface 1
	modload 8021q || exit 1
	right "the other guest" reaches 10.9.0.2
	right "the namespace behind the bridge" reaches 10.9.0.9
	right "iperf3 to the namespace" iperf3 -c 10.9.0.9 -n 4M
	right "iperf3 from the namespace" iperf3 -c 10.9.0.9 -n 4M -R
	right "iperf3 to the other guest" stream -c 10.9.0.2 -n 4M
	ip link add link net0 name net0.10 type vlan id 10 && ip link set net0.10 up
	ip address add 10.9.10.1/24 dev net0.10
	right "the namespace on a VLAN" reaches 10.9.10.9
	right "iperf3 to the namespace on a VLAN" iperf3 -c 10.9.10.9 -n 2M
	right "iperf3 from the namespace on a VLAN" iperf3 -c 10.9.10.9 -n 2M -R
	right "a stream that begins behind the bridge" iperf3 -s -1
	ip address add 10.9.0.100/24 dev net0 # asks for the uplink to be removed
	while ping -q -c 1 -W 1 10.9.0.9 >/dev/null; do usleep 200000; done
	echo "ok: no answer any more"
	right "the namespace, after the uplink was removed and made anew" reaches 10.9.0.9
	;;
esac
