# SPDX-License-Identifier: Apache-2.0
# In every VM of tests/vmnet/host.sh; vmnet=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1

# port COMMAND OPTIONS...: of rvs-pktgen, again until the grant and the switch are there
port()
{
	until rvs-pktgen "$@" --interval 0 --json elisa:vmnet 2>/tmp/error; do
		grep -q -e "has not granted\|no such export\|not published" /tmp/error || { cat /tmp/error; exit 1; }
		sleep 1
	done
}

# up NUMBER OPTIONS...: the interface net0 with an address of network
# NUMBER, as soon as a switch serves it
up()
{
	_address=10.9.$1.$host/24
	shift
	while :; do
		rvif-tap --name net0 --mac "02:00:00:00:00:0$host" "$@" --stats elisa:vmnet >/tmp/tap 2>/tmp/error &
		tap=$!
		until [ -e /sys/class/net/net0 ] || ! kill -0 "$tap" 2>/dev/null; do usleep 20000; done
		until ip link set net0 up 2>/dev/null && [ "$(cat /sys/class/net/net0/carrier 2>/dev/null)" = 1 ]; do
			kill -0 "$tap" 2>/dev/null || break
			usleep 20000
		done
		kill -0 "$tap" 2>/dev/null && break
		grep -q -e "has not granted\|no such export\|not published" /tmp/error || { cat /tmp/error; exit 1; }
		sleep 1
	done
	ip address add "$_address" dev net0
}

down()
{
	kill "$tap"
	wait "$tap"
	cat /tmp/error
}

fail()
{
	echo "FAILED: $*"
	cat /tmp/tap /tmp/error
	exit 1
}

# MTU, frames of 1000 that are dropped, checksum offload (the default) or not: in half of the
# combinations any two of the three meet in every way
combinations()
{
	echo "1500 0"
	echo "1500 10 --no-csum"
	echo "9000 10"
	echo "9000 0 --no-csum"
	grep -q -w combinations=all /proc/cmdline || return
	echo "1500 10"
	echo "1500 0 --no-csum"
	echo "9000 0"
	echo "9000 10 --no-csum"
}

# each COMMAND: with the number of each combination, the same order in both guests
each()
{
	_n=0
	combinations >/tmp/combinations
	while read -r _mtu _drop _csum <&3; do
		_n=$((_n + 1))
		# shellcheck disable=SC2086 # an option or none
		up $_n --mtu "$_mtu" --drop "$_drop" $_csum
		"$@" $_n || fail "$* with MTU $_mtu, $_drop of 1000 frames dropped $_csum"
		down
	done 3</tmp/combinations
}

send_one()
{
	# the other end may not have heard yet that all has arrived
	vmnet_stream send "10.9.$1.2" 5000 4 && sleep 1
}

serve_one()
{
	vmnet_stream serve "10.9.$1.2" 5000 1
}

# answers COUNT SECONDS: the other guest answers within so many
answers()
{
	for _ in $(seq "$2"); do
		ping -q -c "$1" -W 1 10.9.9.2 >/tmp/ping 2>&1 && return 0
	done
	cat /tmp/ping
	return 1
}

load_with_a_pause()
{
	vmnet_stream send 10.9.9.2 5000 8 &
	_stream=$!
	usleep 300000
	ip link set net0 down
	sleep 1
	ip link set net0 up
	wait "$_stream"
}

spoof()
{
	_own=$(cat /sys/class/net/net0/address)
	ip link set net0 address 02:00:00:00:00:99
	if ping -q -c 2 -W 1 10.9.9.2 >/dev/null; then return 1; fi
	ip link set net0 address "$_own"
	answers 1 10
}

# A third port, and no guest notices: all of the pings meanwhile are answered.
intrude()
{
	ping -q -c 100 -i 0.05 -W 5 10.9.9.2 >/tmp/ping &
	_ping=$!
	vmnet_intruder vmnet || return 1
	wait "$_ping" || { cat /tmp/ping; return 1; }
	grep " 0% packet loss" /tmp/ping
}

survive()
{
	echo "kill the manager"
	while ping -q -c 1 -W 1 10.9.9.2 >/dev/null; do usleep 100000; done
	echo "no answer any more"
	answers 1 120 && vmnet_stream send 10.9.9.2 5001 4 && sleep 1
}

case $(sed -n 's/.*vmnet=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager)
	cat >/config.json <<-'END'
	{"ports": [{"name": "first", "open": true}, {"name": "second", "open": true}, {"name": "third", "open": true}],
	 "queues": 2, "port_mib": 8, "open_ports_per_vm": 2}
	END
	until elisa-vmnet --config /config.json --switch /vmnet_switch.so --report /report.json; do
		sleep 1
	done
	;;
a)
	host=1
	port tx --count 5000 --rate 2000
	port ping --count 50
	modload tun || exit 1
	echo "without an interface, idle begins"
	sleep 5
	each send_one
	echo "tcp is right"
	up 9
	answers 5 10 || fail "ping"
	echo "ping answers"
	load_with_a_pause || fail "TCP while the interface goes down and up"
	echo "idle begins"
	sleep 8
	spoof || fail "a frame with another's address got through, or nothing does after it"
	echo "spoofing is blocked"
	intrude || fail "the intruder"
	survive || fail "traffic does not come back with a new manager"
	down
	;;
b)
	host=2
	port rx --count 5000
	port pong --mac 02:00:00:00:00:02 --count 50
	modload tun || exit 1
	each serve_one
	up 9
	vmnet_stream serve 10.9.9.2 5000 1 || fail "serving"
	vmnet_stream serve 10.9.9.2 5001 1 || fail "serving after the manager came back"
	down
	;;
esac
