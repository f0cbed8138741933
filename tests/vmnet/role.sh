# SPDX-License-Identifier: Apache-2.0
# In every VM of vmnet's tests; vmnet=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
# a command of rvs-pktgen, again until the grant and the switch are there
port()
{
	until rvs-pktgen "$@" elisa:vmnet 2>/tmp/error; do
		grep -q -e "Operation not permitted\|No such file or directory$" /tmp/error || { cat /tmp/error; return 1; }
		sleep 1
	done
}
case $(sed -n 's/.*vmnet=\([a-z]*\).*/\1/p' /proc/cmdline) in
manager)
	cat >/config.json <<-'END'
	{"ports": [{"name": "first"}, {"name": "second"}, {"name": "third"}],
	 "queues": 2, "port_mib": 8}
	END
	until elisa-vmnet --config /config.json --switch /vmnet_switch.so --report /report.json; do
		sleep 1
	done
	;;
sender)
	port tx --count 5000 --rate 2000 --interval 0 --json
	port ping --count 50 --interval 0 --json
	;;
receiver)
	port rx --count 5000 --interval 0 --json
	port pong --mac 02:00:00:00:00:02 --count 50 --interval 0 --json
	;;
esac
