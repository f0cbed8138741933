# SPDX-License-Identifier: Apache-2.0
# In the two guests of the network's demo: a starts everything, b answers.
. /testbed/lib.sh
. /net.sh
who=$(net_option net)
[ "$who" = a ] && host=1 || host=2

fail()
{
	echo "FAILED: $*"
	cat /tmp/error 2>/dev/null
	exit 1
}

# talk PREFIX NETWORK DEVICE: ping, 4 MiB by TCP, silence; b ends with the second stream
talk()
{
	ip address add "10.$2.0.$host/24" dev "$3"
	if [ "$who" = b ]; then
		vmnet_stream serve "10.$2.0.2" 5000 2 || fail "serving"
		return
	fi
	until ping -q -c 1 -W 1 "10.$2.0.2" >/dev/null; do usleep 100000; done
	ping -q -c 10 -i 0.1 "10.$2.0.2" | grep " 0% packet loss" && echo "$1: ping answers"
	echo "$1: a stream begins"
	echo "$1: $(vmnet_stream send "10.$2.0.2" 5000 4)"
	sleep 1
	echo "$1: idle"
	sleep 7
}

through_virtio()
{
	modload virtio_pci || fail "virtio_pci"
	modload virtio_net || fail "virtio_net"
	ip link set eth0 up
	talk virtio 8 eth0
	[ "$who" = b ] || { vmnet_stream send 10.8.0.2 5000 1 >/dev/null && sleep 1; }
	ip link set eth0 down
	_device=$(basename /sys/bus/pci/drivers/virtio-pci/0000:*)
	echo "$_device" >/sys/bus/pci/drivers/virtio-pci/unbind
}

spoof()
{
	ip link set net0 address 02:00:00:00:00:99
	if ping -q -c 2 -W 1 10.9.0.2 >/dev/null; then return 1; fi
	ip link set net0 address "02:00:00:00:00:0$host"
	until ping -q -c 1 -W 1 10.9.0.2 >/dev/null; do usleep 100000; done
}

through_elisa()
{
	modload tun || fail "tun"
	rvif-tap --name net0 --mac "02:00:00:00:00:0$host" --stats elisa:vmnet >/tmp/stats 2>/tmp/error &
	tap=$!
	until ip link set net0 up 2>/dev/null; do kill -0 $tap 2>/dev/null || fail "rvif-tap"; usleep 20000; done
	talk elisa 9 net0
	if [ "$who" = a ]; then
		spoof || fail "a frame with another's address got through, or nothing does after it"
		echo "elisa: spoofing is blocked"
		vmnet_intruder vmnet || fail "the intruder"
		vmnet_stream send 10.9.0.2 5000 1 || fail "a stream after the intruder"
		sleep 1
	fi
	kill $tap
	wait $tap
	sed 's/^/stats: /' /tmp/stats
}

through_virtio
net_through_virtio || fail "netbench through virtio"
net_through_elisa elisa || fail "netbench through ELISA"
through_elisa
