# SPDX-License-Identifier: Apache-2.0
# One of two clients' VMs.
# shellcheck disable=SC2154 # status and number are the role's
modload elisa-guest || exit 1
within 60 ping -c 1 -W 1 manager
is 1 "Connection refused; start the server first\|Connection timed out" client value 7099 manager
# without a grant the server is content, and the host is not
until nc -w 1 manager 7005 </dev/null; do usleep 500000; done
is 1 "has not granted this" client value 7001 manager
echo "wants a grant"
within 30 client value 7001 fd00::1
is 0 "value: 1" client value 7001 fd00::1
if [ "$number" = 2 ]; then
	COUNTER_CALLS=1000 is 0 "counter: " client counter 7002 manager
else
	# two vCPUs, and no thread is pinned to one of them
	[ "$(nproc)" = 2 ] || failed "$(nproc) vCPUs"
	at_once 4 250 manager
fi
is 0 "echo: 100000 bytes" client echo 7003 manager
if [ "$number" = 2 ]; then
	LOOP_CALLS=10000 client loop 7004 manager || failed loop
	LOOP_CALLS=10 is 0 "clients of this server so far: 2" client loop 7004 manager
	BAR_STORE=4711 client bar 7005 manager || failed bar
	compat_cost manager 7004 elisa-compat-native || failed cost
	export ELISA_COMPAT_TRUST_MANAGER=1
	# 35 on the way; the others are the loop's and the function's own
	is 0 "compat: 6[0-9]\.[0-9] instructions for a call, 0 exits" \
		compat_cost manager 7010 elisa-compat-general
	echo "$_said"
	unset ELISA_COMPAT_TRUST_MANAGER
	mkfifo /tmp/hold
	nc manager 9001 <>/tmp/hold
	COUNTER_DOES=survive is 0 "error 32: call: the export" client counter 7008 manager
else
	BAR_WAIT=4711 is 0 "bar: 4711" client bar 7005 manager
fi
# the manager waits for this
nc manager "900$number" </dev/null
