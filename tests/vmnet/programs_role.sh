# SPDX-License-Identifier: Apache-2.0
# In every VM of the test with ordinary programs; vmnet=NAME on the kernel's
# command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1

fail()
{
	echo "FAILED: $*"
	cat /tmp/said /tmp/error
	exit 1
}

# interface NUMBER: net0, as soon as a switch serves it
interface()
{
	modload tun || exit 1
	while :; do
		rvif-tap --name net0 --queues 2 --mac "02:00:00:00:00:0$1" elisa:vmnet >/tmp/tap 2>/tmp/error &
		tap=$!
		until ip link set net0 up 2>/dev/null && [ "$(cat /sys/class/net/net0/carrier 2>/dev/null)" = 1 ]; do
			kill -0 "$tap" 2>/dev/null || break
			usleep 20000
		done
		kill -0 "$tap" 2>/dev/null && return
		grep -q -e "has not granted\|no such export\|not published" /tmp/error || fail "rvif-tap"
		sleep 1
	done
}

# right WHAT COMMAND...: it ends with 0
right()
{
	_what=$1
	shift
	"$@" >/tmp/said 2>&1 || fail "$_what"
	echo "ok: $_what"
}

# same COMMAND...: its output is the file that the server has
same()
{
	"$@" >/tmp/came && [ "$(sha256sum </tmp/came)" = "$(cat /tmp/sum)" ]
}

by_ssh()
{
	ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@10.9.0.1 "$@"
}

# udp: nothing lost at a pace that both can keep
udp()
{
	iperf3 -c 10.9.0.1 -u -b 500K -t 2 >/tmp/udp && grep -q "(0%).*receiver" /tmp/udp || { cat /tmp/udp; return 1; }
}

case $(sed -n 's/.*vmnet=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager)
	echo '{"ports": [{"name": "first", "open": true}, {"name": "second", "open": true}], "queues": 2, "port_mib": 16}' >/config.json
	until elisa-vmnet --config /config.json --switch /vmnet_switch.so; do sleep 1; done
	;;
server)
	# root logs in without a password: there is no other VM on this network
	sed -i 's/^root:x:/root::/' /etc/passwd
	dd if=/dev/urandom of=/file bs=1M count=4 2>/dev/null
	sha256sum </file >/sum
	printf 'interface net0\nstart 10.9.0.100\nend 10.9.0.110\nlease_file /tmp/leases\n' >/udhcpd.conf
	interface 1
	ip address add 10.9.0.1/24 dev net0
	touch /tmp/leases
	udhcpd /udhcpd.conf
	httpd -h /
	iperf3 -s -D
	mkdir -p /etc/dropbear
	dropbear -R -B || fail "dropbear"
	until [ -e /tmp/end ]; do sleep 1; done
	;;
client)
	# shellcheck disable=SC2016 # for the script that udhcpc calls
	printf '#!/bin/sh\n[ "$1" != bound ] || ip address add "$ip/24" dev "$interface"\n' >/bound
	chmod +x /bound
	interface 2
	right "an address by DHCP" udhcpc -i net0 -n -q -t 60 -T 1 -s /bound
	right "ping" ping -c 5 -i 0.2 10.9.0.1
	until curl -s -f -o /tmp/sum http://10.9.0.1/sum; do sleep 1; done
	right "a file by curl" same curl -s -S -f http://10.9.0.1/file
	right "iperf3, TCP, two streams to the server" iperf3 -c 10.9.0.1 -n 4M -P 2
	right "iperf3, TCP from the server" iperf3 -c 10.9.0.1 -n 4M -R
	right "iperf3, UDP" udp
	right "a file through ssh" same by_ssh cat /file
	right "the end, by ssh" by_ssh touch /tmp/end
	;;
esac
