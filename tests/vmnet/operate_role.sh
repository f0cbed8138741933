# SPDX-License-Identifier: Apache-2.0
# In every VM of tests/vmnet/operate.sh; vmnet=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
name=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^vmnet=//p')

fail()
{
	echo "FAILED: $*"
	elisa-vmnetctl --socket /control ports
	exit 1
}

# ticket DIGIT: 64 of them
ticket()
{
	for _ in 1 2 3 4 5 6 7 8; do printf '%s%s%s%s%s%s%s%s' "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1"; done
	echo
}

ctl()
{
	elisa-vmnetctl --socket /control "$@" || fail "elisa-vmnetctl $*"
}

# attachment NAME: its number; 0: none
attachment()
{
	ctl counters "$1" --json | sed 's/.*"attachment":\([0-9]*\).*/\1/'
}

# becomes NAME LINK
becomes()
{
	for _ in $(seq 600); do
		ctl ports | grep -q "^$1  *$2 " && return
		usleep 200000
	done
	fail "port $1 is not $2"
}

# another NAME ATTACHMENT: the port is up for another attachment than this
another()
{
	for _ in $(seq 600); do
		_now=$(attachment "$1")
		[ "$_now" = 0 ] || [ "$_now" = "$2" ] || { becomes "$1" up && return; }
		usleep 200000
	done
	fail "port $1 has still attachment $2"
}

manager()
{
	ticket 1 >/a.ticket
	ticket 3 >/c.ticket
	echo '{"ports": [{"name": "a", "ticket_file": "/a.ticket", "mac": "02:00:00:00:00:01"},
	 {"name": "b", "open": true}], "queues": 1, "port_mib": 4}' >/vmnet.json
	echo '{"name": "c", "ticket_file": "/c.ticket", "mac": "02:00:00:00:00:03"}' >/c.json
	until elisa-vmnet --config /vmnet.json --switch /vmnet_switch.so --control /control; do sleep 1; done &
	until [ -S /control ] && elisa-vmnetctl --socket /control ports >/dev/null 2>&1; do sleep 1; done
	becomes a up
	becomes b up
	echo "the ticket's owner is up"
	_b=$(attachment b) _a=$(attachment a)
	ctl down a
	becomes a closed
	sleep 1
	[ "$(attachment a)" = "$_a" ] || fail "a closed port lost its VM"
	ctl up a
	becomes a up
	echo "closed and opened"
	ctl capture a --count 3 >/captured
	[ "$(grep -c ' sent 02:00:00:00:00:01 > ' /captured)" = 3 ] || fail "captured: $(cat /captured)"
	echo "its frames were captured"
	ctl kick a
	another a "$_a"
	echo "evicted and back"
	_a=$(attachment a)
	ticket 2 >/a.ticket
	killall -HUP elisa-vmnet
	another a "$_a"
	echo "the new ticket is in force"
	ctl add /c.json
	becomes c up
	echo "a port was added"
	ctl remove c
	ctl ports | grep -q '^c ' && fail "a removed port is there"
	echo "a port was removed"
	sleep 3
	becomes b up
	[ "$(attachment b)" = "$_b" ] || fail "b has another attachment"
	echo "the other port noticed nothing"
	ctl table
	ctl metrics | tail -n 1
	echo "operated"
	sleep 1000
}

# owner FILE: has the port of this ticket for as long as it can. It sends, for a sender learns from its calls that its
# attachment has gone.
owner()
{
	rvs-pktgen tx --rate 20 --batch 1 --interval 0 --wait 30 "elisa:$1" >/dev/null 2>/tmp/error
}

case $name in
manager) manager ;;
a)
	# it tries the old ticket until that has opened the port and then, five times, nothing
	ticket 1 >/a.ticket
	was=0 refused=0
	while [ $refused -lt 5 ]; do
		owner /a.ticket
		if ! grep -q -e "has not granted\|no such export\|not published" /tmp/error; then
			cat /tmp/error
			was=1
		elif [ $was = 1 ] && grep -q "no such export" /tmp/error; then
			refused=$((refused + 1))
		fi
		usleep 300000
	done
	echo "the old ticket opens nothing"
	ticket 2 >/a.ticket
	while :; do
		owner /a.ticket
		cat /tmp/error
		usleep 300000
	done
	;;
b)
	ticket 3 >/c.ticket
	while :; do
		rvs-pktgen rx --interval 0 elisa:vmnet >/dev/null 2>/tmp/error_b
		usleep 300000
	done &
	while :; do
		owner /c.ticket
		usleep 300000
	done
	;;
esac
