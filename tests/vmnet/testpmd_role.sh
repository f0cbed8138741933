# SPDX-License-Identifier: Apache-2.0
# In every VM of vmnet's test with dpdk-testpmd; vmnet=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
mkdir -p /var/run
chmod go-w / # else the EAL loads no drivers from below
BURST=32 BURSTS=40

# testpmd MAC [OPTIONS]: commands come in on standard input
testpmd()
{
	_mac=$1
	shift
	dpdk-testpmd --no-huge -m 64 --lcores 0@0,1@0 --no-pci --no-shconf --no-telemetry -d /drivers \
		--vdev "net_rvif0,elisa=vmnet,mac=$_mac" -- -i --total-num-mbufs=4096 --no-mlockall \
		--no-lsc-interrupt --burst=$BURST --rxd=512 --txd=512 "$@" >/tmp/said
}
# the last value of a counter that testpmd has shown, or 0
counter()
{
	_value=$(sed -n "s/.*$1: *\([0-9]*\).*/\1/p" /tmp/said | tail -n 1)
	echo "${_value:-0}"
}
# all is accounted for when as many came or were missed as the sender is going to send, before and after the manager
# was replaced
receive()
{
	printf 'set fwd rxonly\nstart\n'
	echo "the receiver is ready" >&2
	for _ in $(seq 1 200); do
		sleep 1
		printf 'show port stats 0\n'
		usleep 300000
		_came=$(($(counter RX-packets) + $(counter RX-missed)))
		[ "$_came" -lt $((2 * BURST * BURSTS)) ] || break
	done
	printf 'stop\nshow port stats 0\nquit\n'
}
# link STATE: testpmd has shown it last
link()
{
	printf 'show port info 0\n'
	sleep 1
	[ "$(sed -n 's/^Link status: //p' /tmp/said | tail -n 1)" = "$1" ]
}
# each of the first bursts is a start of the forwarding thread: it cannot run ahead of the receiver by much
transmit()
{
	until link up; do :; done
	printf 'set fwd rxonly\nstart tx_first %s\n' $BURSTS
	sleep 1
	printf 'stop\n'
	echo "kill the manager" >&2
	until link down; do :; done
	echo "the link is down" >&2
	until link up; do :; done
	printf 'start tx_first %s\n' $BURSTS
	sleep 1
	printf 'stop\nshow port stats 0\nquit\n'
}

case $(sed -n 's/.*vmnet=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager)
	echo '{"ports": [{"name": "first"}, {"name": "second"}], "port_mib": 8}' >/config.json
	until elisa-vmnet --config /config.json --switch /vmnet_switch.so; do
		sleep 1
	done
	;;
receiver)
	receive | testpmd 02:00:00:00:00:01 || { cat /tmp/said; exit 1; }
	echo "received $(counter RX-packets) missed $(counter RX-missed) errors $(counter RX-errors)"
	[ $(($(counter RX-packets) + $(counter RX-missed))) = $((2 * BURST * BURSTS)) ]
	;;
sender)
	transmit | testpmd 02:00:00:00:00:02 || { cat /tmp/said; exit 1; }
	echo "sent $(counter TX-packets) errors $(counter TX-errors)"
	[ "$(counter TX-packets)" = $((2 * BURST * BURSTS)) ]
	;;
esac
