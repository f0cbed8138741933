# SPDX-License-Identifier: Apache-2.0
# In every VM of vmnet's test with dpdk-testpmd; vmnet=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
mkdir -p /var/run
chmod go-w / # else the EAL loads no drivers from below
# testpmd MAC [OPTIONS]: commands come in on standard input. Two queues each way, a forwarding thread
# for each. Frames stay in the mbufs of the pool.
testpmd()
{
	_mac=$1
	shift
	dpdk-testpmd --no-huge -m 64 --lcores 0@0,1@0,2@0 --no-pci --no-shconf --no-telemetry -d /drivers \
		--vdev "net_rvif0,elisa=vmnet,queues=2,zero_copy=1,mac=$_mac" -- -i --rxq=2 --txq=2 --nb-cores=2 --total-num-mbufs=4096 --no-mlockall \
		--no-lsc-interrupt --rxd=512 --txd=512 "$@" >/tmp/said
}
# the last value of a counter that testpmd has shown, or 0
counter()
{
	_value=$(sed -n "s/.*$1: *\([0-9]*\).*/\1/p" /tmp/said | tail -n 1)
	echo "${_value:-0}"
}
# link STATE: testpmd has shown it last
link()
{
	printf 'show port info 0\n'
	sleep 1
	[ "$(sed -n 's/^Link status: //p' /tmp/said | tail -n 1)" = "$1" ]
}
# More has come, or was missed, than at the last look.
more()
{
	_before=$came
	printf 'show port stats 0\n'
	usleep 300000
	came=$(($(counter RX-packets) + $(counter RX-missed)))
	[ "$came" -gt "$_before" ]
}
# Its queue is full before it looks at it: a core that polls would keep the sender's from starting.
# It is through when nothing comes any more from the second switch.
receive()
{
	came=0
	until link up; do :; done
	echo "the receiver is ready" >&2
	until more; do :; done
	printf 'set fwd rxonly\nstart\n'
	until link down; do :; done
	more
	until link up; do :; done
	until more; do :; done
	while more || more || more; do :; done
	printf 'stop\nshow port stats 0\nquit\n'
}
# Not while the switch is replaced: what a dead switch had in its hands is not counted.
transmit()
{
	until link up; do :; done
	printf 'set fwd txonly\nstart\n'
	sleep 1
	printf 'stop\n'
	until link down; do :; done
	echo "the link is down" >&2
	until link up; do :; done
	sleep 2
	printf 'start\n'
	sleep 1
	printf 'stop\nshow port stats 0\nquit\n'
}
# The sender has sent, and stopped.
sent()
{
	_before=$_sent
	_sent=$(sed -n 's/.*"sent": *\([0-9]*\).*/\1/p' /report.json 2>/dev/null | sort -n | tail -n 1)
	[ "${_sent:-0}" -gt 0 ] && [ "$_sent" = "$_before" ]
}
# instead of the shell that calls it
switch()
{
	exec elisa-vmnet --config /config.json --switch /vmnet_switch.so --report /report.json
}

case $(sed -n 's/.*vmnet=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager)
	echo '{"ports": [{"name": "first", "open": true}, {"name": "second", "open": true}], "queues": 2, "port_mib": 32}' >/config.json
	switch &
	until sent; do sleep 2; done
	kill -KILL $!
	# long enough for both to see it
	sleep 5
	switch
	;;
receiver)
	receive | testpmd 02:00:00:00:00:01 --mp-alloc=xbuf || { cat /tmp/said; exit 1; }
	echo "received $(counter RX-packets) missed $(counter RX-missed) errors $(counter RX-errors)"
	;;
sender)
	transmit | testpmd 02:00:00:00:00:02 --mp-alloc=native || { cat /tmp/said; exit 1; }
	echo "sent $(counter TX-packets) errors $(counter TX-errors)"
	;;
esac
