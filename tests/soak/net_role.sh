# SPDX-License-Identifier: Apache-2.0
# In the VMs of tests/soak/net.sh; net=NAME does=WHAT bulk=MIB on the kernel's command line.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
option()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}

# up HOST: the interface, as long as this VM lives
up()
{
	modload tun || exit 1
	until rvif-tap --name net0 --mac "02:00:00:00:00:0$1" elisa:vmnet; do sleep 1; done &
	until ip link set net0 up 2>/dev/null; do usleep 50000; done
	ip address add "10.9.0.$1/24" dev net0
}

again()
{
	while :; do "$@" || sleep 1; done
}

case $(option net) in
manager)
	echo '{"ports": [{"name": "1", "open": true}, {"name": "2", "open": true}, {"name": "3", "open": true}], "port_mib": 8}' >/config.json
	again elisa-vmnet --config /config.json --switch /vmnet_switch.so
	;;
a)
	up 1
	until ping -q -c 1 -W 1 10.9.0.2 >/dev/null; do usleep 100000; done
	vmnet_stream send 10.9.0.2 5001 "$(option bulk)" || exit 1
	while :; do
		if ping -q -c 1 -W 1 10.9.0.2 >/dev/null; then echo "answered"; else echo "no answer"; fi
		usleep 200000
	done
	;;
b)
	up 2
	vmnet_stream serve 10.9.0.2 5001 1 || exit 1
	# no program stays for ever at a connection whose other end is dead
	again timeout 30 vmnet_stream serve 10.9.0.2 5000 1000 &
	again timeout 10 vmnet_stream send 10.9.0.3 5000 1 >/dev/null 2>&1
	;;
victim)
	up 3
	until ping -q -c 1 -W 1 10.9.0.1 >/dev/null; do usleep 100000; done
	echo "is up"
	case $(option does) in
	sends) again vmnet_stream send 10.9.0.2 5000 1 ;;
	receives) vmnet_stream serve 10.9.0.3 5000 1 && echo "1 MiB came, every byte right" && again vmnet_stream serve 10.9.0.3 5000 1000 ;;
	*) sleep 100000 ;;
	esac
	;;
esac
