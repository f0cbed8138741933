# SPDX-License-Identifier: Apache-2.0
# In the VMs of tests/soak/reload.sh; net=NAME seconds=N seed=N on the kernel's command line.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
option()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}
seconds=$(option seconds) random=$(option seed) changes=0

# ticket DIGIT: 64 of them
ticket()
{
	printf '%064d\n' 0 | tr 0 "$1" >"/$1.ticket"
}

fail()
{
	echo "FAILED: $*"
	elisa-vmnetctl --socket /control ports
	exit 1
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

# up NAME: waits for its VM
up()
{
	until ctl ports | grep -q "^$1  *up "; do usleep 200000; done
	echo "$1 is up"
}

# draw BELOW: sets $drawn
draw()
{
	random=$(((random * 1103515245 + 12345) % 2147483648))
	drawn=$((random / 65536 % $1))
}

# maybe TEXT: in one of two cases
maybe()
{
	draw 2
	[ $drawn = 0 ] || printf ', %s' "$1"
}

# policy NUMBER: keys of this port that may change at any time
policy()
{
	draw 4
	case $drawn in
	0) echo ', "vlan": 7' ;;
	1) echo ', "vlan": 8, "trunk": "20-29,4094"' ;;
	2) echo ', "isolated": true' ;;
	esac
	maybe '"frames_per_second": 100'
	maybe '"floods_per_second": 10'
	maybe '"bytes_per_second": 100000'
	maybe '"share_ring": false'
	maybe '"link_local": true'
	maybe '"addresses": ["10.0.0.'"$1"'", "fe80::'"$1"'"]'
	maybe '"static": ["02:00:00:00:02:0'"$1"'"]'
	maybe '"learning": false'
}

# The two steady ports, the one of c, and some of eight others without a VM.
configuration()
{
	_names="a b c"
	echo '{"max_ports": 16, "ports": ['
	echo '{"name": "a", "ticket_file": "/1.ticket", "mac": "02:00:00:00:00:01"},'
	echo '{"name": "b", "ticket_file": "/2.ticket", "mac": "02:00:00:00:00:02"},'
	echo '{"name": "c", "ticket_file": "/3.ticket", "mac": "02:00:00:00:00:03"'
	policy 9
	echo '}'
	for _port in 1 2 3 4 5 6 7 8; do
		draw 2
		[ $drawn = 0 ] || continue
		_names="$_names p$_port"
		echo ", {\"name\": \"p$_port\", \"ticket_file\": \"/p$_port.ticket\", \"mac\": \"02:00:00:00:01:0$_port\""
		policy $_port
		echo '}'
	done
	echo ']}'
}

# The daemon has what the file says: these ports, and no others.
taken()
{
	for _ in $(seq 100); do
		_has=$(ctl ports | sed -n '2,$s/ .*//p' | sort | tr '\n' ' ')
		[ "$_has" = "$(echo "$_names" | tr ' ' '\n' | sort | tr '\n' ' ')" ] && return
		usleep 100000
	done
	fail "ports: $_has, not $_names"
}

change()
{
	draw 8
	case $drawn in
	0) ctl down c ;;
	1) ctl up c ;;
	2) elisa-vmnetctl --socket /control kick c >/dev/null 2>&1 || : ;; # perhaps no VM has it
	3) ctl add /added.json && ctl remove added ;;
	4) ctl table >/dev/null && ctl metrics >/dev/null ;;
	*)
		configuration >/new.json
		mv /new.json /vmnet.json
		killall -HUP elisa-vmnet
		taken
		;;
	esac
	changes=$((changes + 1))
}

manager()
{
	for digit in 1 2 3; do ticket $digit; done
	echo '{"name": "added", "ticket_file": "/added.ticket", "mac": "02:00:00:00:00:04"}' >/added.json
	configuration >/vmnet.json
	elisa-vmnet --config /vmnet.json --switch /vmnet_switch.so --control /control &
	until [ -S /control ] && elisa-vmnetctl --socket /control ports >/dev/null 2>&1; do
		kill -0 $! || fail "elisa-vmnet ended"
		usleep 200000
	done
	up b
	up a
	was="$(attachment a) $(attachment b)"
	end=$(($(date +%s) + seconds))
	while [ "$(date +%s)" -lt $end ]; do
		change
		usleep 200000
	done
	[ "$was" = "$(attachment a) $(attachment b)" ] || fail "a and b have other attachments than $was"
	echo "the steady ports noticed nothing"
	ctl ports
	echo "changes=$changes"
	sleep 100000
}

# until_served ARGUMENT...: rvs-pktgen, again until the manager has published its export
until_served()
{
	until rvs-pktgen "$@" --interval 0 --json --wait 100 2>/error; do usleep 200000; done
	echo "ended"
	sleep 100000
}

# a sends for longer than the manager changes ports, and b receives for longer than a sends.
case $(option net) in
manager) manager ;;
a)
	ticket 1
	until_served tx --rate 50 --batch 1 --time $((seconds + 60)) elisa:/1.ticket
	;;
b)
	ticket 2
	until_served rx --time $((seconds + 150)) elisa:/2.ticket
	;;
c)
	ticket 3
	end=$(($(date +%s) + seconds + 60))
	while [ "$(date +%s)" -lt $end ]; do
		rvs-pktgen tx --to 02:00:00:00:00:01 --rate 100 --interval 0 --time 5 --wait 5 elisa:/3.ticket >/dev/null 2>&1
		usleep 100000
	done
	sleep 100000
	;;
esac
