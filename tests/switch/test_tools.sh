#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The README's three commands, and what may go wrong with the tools: a driver that comes back, one that is
# killed, a file that is cut short or is none, wrong usage.
#   test_tools.sh RVS_FWD RVS_PKTGEN
fwd=$(realpath "$1") pktgen=$(realpath "$2") status=0
directory=$(mktemp -d)
cd "$directory" || exit 1
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$directory"' EXIT

check()
{
	local name=$1
	shift
	if "$@"; then
		echo "ok: $name"
	else
		echo "FAILED: $name"
		status=1
	fi
}

# appears FILE: within 5 seconds
appears()
{
	for _ in $(seq 250); do
		[ -e "$1" ] && return
		sleep 0.02
	done
	return 1
}

# number FILE KEY: of the last line of JSON
number()
{
	tail -n 1 "$1" | grep -oE "\"$2\":[0-9]+" | head -n 1 | cut -d: -f2
}

# port_number VNIC KEY: of a port in the switch's last line
port_number()
{
	tail -n 1 fwd.json | grep -oE "\"vnic\":\"$1\"[^}]*" | grep -oE "\"$2\":[0-9]+" | head -n 1 |
		cut -d: -f2
}

sums()
{
	local sent received lost got
	sent=$(number tx.json sent) received=$(number rx.json received) lost=$(number rx.json lost)
	got=$(($(port_number a.vnic delivered) + $(port_number a.vnic full)))
	echo "sent $sent, received $received, lost $lost; the switch: delivered and full $got"
	[ "$sent" -gt 1000 ] && [ "$received" -gt 1000 ] && [ "$sent" = "$got" ] &&
		[ "$(number rx.json disordered)" = 0 ] && [ "$(number rx.json foreign)" = 0 ] &&
		[ "$received" = "$(port_number a.vnic delivered)" ]
}

three_commands()
{
	"$fwd" --json --interval 0 a.vnic b.vnic >fwd.json &
	local switch=$! receiver
	"$pktgen" rx --json b.vnic >rx.json &
	receiver=$!
	appears b.vnic || return 1
	sleep 0.1
	"$pktgen" tx --json --time 1 --wait 10 a.vnic >tx.json || return 1
	sleep 0.3
	kill -INT $receiver
	wait $receiver || return 1
	kill -TERM $switch
	wait $switch || return 1
	sums
}

# Threads that send flows to threads that receive: each flow is whole and in order, and all queues have some.
flows_and_queues()
{
	"$fwd" --json --interval 0 a.vnic b.vnic >fwd.json &
	local switch=$! receiver
	"$pktgen" rx --queues 4 --json --interval 0 b.vnic >rx.json &
	receiver=$!
	appears b.vnic || return 1
	sleep 0.1
	"$pktgen" tx --queues 3 --json --interval 0 --count 3001 --rate 3000 --udp 10.0.0.1,10.0.0.2 --flows 40 --latency \
		--wait 10 a.vnic >tx.json || return 1
	sleep 0.3
	kill -INT $receiver
	wait $receiver || return 1
	kill -TERM $switch
	wait $switch || return 1
	cat rx.json
	[ "$(number tx.json sent)" = 3001 ] && [ "$(number rx.json received)" = 3001 ] && [ "$(number rx.json lost)" = 0 ] &&
		[ "$(number rx.json disordered)" = 0 ] && [ "$(number rx.json frames)" = 3001 ] &&
		[ "$(number rx.json p50)" -gt 0 ] && [ "$(number rx.json max)" -ge "$(number rx.json p99)" ] &&
		python3 -c 'import json; a, b = json.loads(open("fwd.json").readlines()[-1])["ports"]
assert all(queue["sent"] >= 1000 for queue in a["queues"]) and all(queue["received"] > 100 for queue in b["queues"]), (a, b)'
}

ping_pong()
{
	"$fwd" --quiet a.vnic b.vnic &
	local switch=$!
	"$pktgen" pong --interval 0 b.vnic >/dev/null &
	local ponger=$!
	appears b.vnic || return 1
	sleep 0.1
	timeout 20 "$pktgen" ping --json --count 200 --time 10 a.vnic >ping.json || return 1
	kill -INT $ponger
	wait $ponger || return 1
	# the driver comes back, as another epoch of another file
	timeout 20 "$pktgen" tx --count 100 --wait 10 --size imix --interval 0 a.vnic >/dev/null || return 1
	timeout 20 "$pktgen" tx --count 100 --wait 10 --size 9000 --interval 0 a.vnic >/dev/null || return 1
	kill -TERM $switch
	wait $switch || return 1
	cat ping.json
	[ "$(number ping.json answers)" -ge 200 ] && [ "$(number ping.json p50)" -gt 0 ]
}

cut_short_and_killed()
{
	"$fwd" --quiet a.vnic b.vnic 2>fwd.err &
	local switch=$! sender result
	"$pktgen" tx --interval 0 a.vnic >/dev/null &
	sender=$!
	appears a.vnic || return 1
	sleep 0.4
	truncate -s 8192 a.vnic
	sleep 0.2
	kill -KILL $sender 2>/dev/null # if it did not touch what is gone
	wait $sender 2>/dev/null
	"$pktgen" tx --interval 0 b.vnic >/dev/null &
	sender=$!
	appears b.vnic || return 1
	sleep 0.3
	kill -KILL $sender
	wait $sender 2>/dev/null
	[ -e b.vnic ] || return 1 # is left behind, and replaced:
	timeout 20 "$pktgen" tx --count 100 --wait 10 --interval 0 b.vnic >/dev/null || return 1
	timeout 20 "$pktgen" tx --count 100 --wait 10 --interval 0 a.vnic >/dev/null || return 1
	kill -TERM $switch
	wait $switch
	result=$?
	cat fwd.err
	return $result
}

in_use()
{
	"$pktgen" rx --interval 0 a.vnic >/dev/null &
	local receiver=$!
	appears a.vnic || return 1
	"$pktgen" rx a.vnic 2>err
	local result=$?
	kill -INT $receiver
	wait $receiver
	[ $result = 1 ] && grep -q 'another driver uses it' err
}

not_a_vnic()
{
	head -c 100000 /dev/zero >zero.vnic
	timeout -s INT 1 "$fwd" --quiet zero.vnic . /dev/null missing.vnic
	[ $? -le 124 ]
}

# says PROGRAM MESSAGE ARGUMENT...: wrong usage, and this is said of it
says()
{
	local program=$1 message=$2 said
	shift 2
	said=$("$program" "$@" 2>&1 >/dev/null)
	[ $? = 2 ] && [ "$said" = "${program##*/}: $message; see ${program##*/} --help" ] ||
		{ echo "$program $*: $said"; return 1; }
}

says_when_ready()
{
	local line switch
	mkfifo ready
	"$fwd" --quiet --ready-fd 3 a.vnic 3>ready &
	switch=$!
	read -r line <ready
	kill $switch && wait $switch && [ "$line" = READY=1 ]
}

usage()
{
	says "$pktgen" "the command is missing: tx, rx, ping or pong" &&
		says "$pktgen" "'jump' is not tx, rx, ping or pong" jump a &&
		says "$pktgen" "give one vNIC, by the path of its file" tx &&
		says "$pktgen" "give one vNIC, by the path of its file" tx a b &&
		says "$pktgen" "--size: '1' is not from 64 to 9216" tx --size 1 a &&
		says "$pktgen" "--size: 'x' is not a number of bytes or imix" tx --size x a &&
		says "$pktgen" "--size: frames of ping and pong have at most 2048 bytes" ping --size 9000 a &&
		says "$pktgen" "--mac: '1:2' is not the MAC address of a station, as 02:00:00:00:00:01" tx --mac 1:2 a &&
		says "$pktgen" "--mac: '01:00:00:00:00:01' is not the MAC address of a station, as 02:00:00:00:00:01" \
			tx --mac 01:00:00:00:00:01 a &&
		says "$pktgen" "--to: 'x' is not a MAC address, as 02:00:00:00:00:01" tx --to x a &&
		says "$pktgen" "--time: 'abc' is not a number of seconds" tx --time abc a &&
		says "$pktgen" "--rate: 'x' is not a number of frames per second" tx --rate x a &&
		says "$pktgen" "--udp: '10.0.0.1' is not two IPv4 addresses, as 10.0.0.1,10.0.0.2" tx --udp 10.0.0.1 a &&
		says "$pktgen" "--udp: '10.0.0.1,x' is not two IPv4 addresses, as 10.0.0.1,10.0.0.2" tx --udp 10.0.0.1,x a &&
		says "$pktgen" "--udp and --latency are for tx" rx --latency a &&
		says "$pktgen" "--udp: frames of a mix of sizes have no room for it" tx --udp 10.0.0.1,10.0.0.2 --size imix a &&
		says "$pktgen" "--queues is for tx and rx" ping --queues 2 a &&
		says "$pktgen" "--mode and --group are for a file, not for elisa:a" tx --mode 0660 elisa:a &&
		says "$fwd" "the paths of vNICs' files are missing" &&
		says "$fwd" "--interval: 'x' is not a number of seconds" --interval x a &&
		says "$fwd" "--max-age: '-1' is not from 0 to 1000000000" --max-age -1 a &&
		says "$fwd" "--max-learned: '1.5' is not a number of addresses" a --max-learned 1.5
}

check "three commands" three_commands
check "flows and queues" flows_and_queues
check "ping and pong, and a driver that comes back" ping_pong
check "a file cut short, a driver killed" cut_short_and_killed
check "a vNIC in use" in_use
check "the switch says when it is ready" says_when_ready
check "files that are no vNICs" not_a_vnic
check "wrong usage" usage
check "nothing left behind" [ -z "$(find . -name '*.vnic*' ! -name zero.vnic)" ]
exit $status
