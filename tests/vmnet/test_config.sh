#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # config.sh sets them
# The configuration of elisa-vmnet: what it takes, and what it says of
# mistakes. test_config.sh ELISA-VMNET
daemon=$1
. "$(dirname "$0")/../config.sh"

good '{"ports": [{"open": true}]}'
good '{"export": "net.1", "queues": 128, "port_mib": 256, "open_ports_per_vm": 2, "max_age": 1, "limit_us": 100, "ports": [
  {"name": "a", "ticket_file": "/x", "mac": "02:00:00:00:00:01", "check_source": false, "learning": false,
   "offloads": false, "link_local": true, "max_learned": 0, "mbps": 100, "static": ["02:00:00:00:00:02", "02:00:00:00:00:03"]},
  {"name": "b", "open": true}]}'
good '{"max_ports": 127, "ports": [{"open": true}]}'
# good_but TEXT-OF-THE-MESSAGE CONFIGURATION: taken, and something is said of it; of nothing else
good_but()
{
	printf '%s\n' "$2" >"$folder/config"
	"$daemon" --config "$folder/config" --check 2>"$folder/error" || fail "refused: $2"
	[ "$(wc -l <"$folder/error")" = 1 ] && grep -qF -- "$1" "$folder/error" || fail "$2: no '$1' in: $(cat "$folder/error")"
}

# a port that can reach no other one
open='"open": true'
good_but 'port "c" reaches no other one' \
	"{\"ports\": [{\"name\": \"a\", $open}, {\"name\": \"b\", $open}, {\"name\": \"c\", \"vlan\": 5, $open}]}"
good_but 'port "b" reaches no other one' "{\"ports\": [{\"name\": \"a\", $open, \"isolated\": true, \"vlan\": 2},
  {\"name\": \"b\", $open, \"isolated\": true}, {\"name\": \"c\", $open, \"vlan\": 2}]}"
printf '%s' "{\"ports\": [{\"name\": \"a\", $open, \"vlan\": 5}, {\"name\": \"b\", $open, \"trunk\": \"5\"}]}" >"$folder/config"
[ -z "$("$daemon" --config "$folder/config" --check 2>&1)" ] || fail "a trunk reaches its ports"

bad 'there are no "ports"' '{}'
bad 'holds no object' '[]'
bad 'unknown key "port"' '{"port": []}'
bad 'no list of 1 to 127 ports' '{"ports": []}'
bad 'no list of 1 to 127 ports' "{\"ports\": [{}$(printf ",{}%.0s" $(seq 127))]}"
bad 'unknown key "adress" of a port' '{"ports": [{"adress": 1}]}'
bad '"queues": 129 is no number from 1 to 128' '{"queues": 129, "ports": [{}]}'
bad '"queues": "8" is no number' '{"queues": "8", "ports": [{}]}'
bad '"max_ports": 128 is no number from 1 to 127' '{"max_ports": 128, "ports": [{"open": true}]}'
bad '"max_ports": 1 are less than the 2' '{"max_ports": 1, "ports": [{"name": "a", "open": true}, {"name": "b", "open": true}]}'
bad '"open_ports_per_vm": 0 is no number from 1 to 127' '{"open_ports_per_vm": 0, "ports": [{}]}'
bad '"max_age": -1 is no number' '{"max_age": -1, "ports": [{}]}'
bad '"mac": "03:00:00:00:00:01" is no address of a station' '{"ports": [{"mac": "03:00:00:00:00:01"}]}'
bad '"mac": "02:00:00:00:00" is no address' '{"ports": [{"mac": "02:00:00:00:00"}]}'
bad '"mac": "02:00:00:00:00:01x" is no address' '{"ports": [{"mac": "02:00:00:00:00:01x"}]}'
bad '"static": "x" is no list' '{"ports": [{"static": "x"}]}'
bad '"check_source": 1 is neither true nor false' '{"ports": [{"check_source": 1}]}'
bad 'two ports are called "a"' '{"ports": [{"open": true, "name": "a"}, {"open": true, "name": "a"}]}'
bad '"name": "" is no text' '{"ports": [{"name": ""}]}'
bad 'a port is no object: 7' '{"ports": [7]}'
bad "$folder/config" '{"ports": '
"$daemon" --config "$folder/none" --check 2>"$folder/error" && fail "a file that is not there"
grep -q "$folder/none" "$folder/error" || fail "the file's name: $(cat "$folder/error")"
"$daemon" >"$folder/out" 2>&1
[ $? = 2 ] || fail "no configuration: not 2"
"$daemon" --help | grep -q SIGHUP || fail "--help"

# what JSON is not, with line and column
bad 'line 1, column 17: something behind the end' '{"ports": [{}]} x'
bad 'line 2, column 1: something behind the end' '{"ports": [{}]}
{"ports": [{}, {}]}'
bad 'line 2, column 1: the end comes too early' '{"ports": [{}], '
bad 'line 2, column 1: the end comes too early' '{"ports": ['
bad 'line 3, column 3: a key that is there already' '{"queues": 4,
  "ports": [{}],
  "queues": 8}'
bad 'column 24: a key that is there already' '{"ports": [{"mbps": 1, "mbps": 1}]}'
bad 'column 14: an escape in a key' '{"ports": [{"\u006dbps": 1, "mbps": 1}]}'
bad 'a NUL in a text' '{"ports": [{"name": "a\u0000b"}]}'
bad 'column 23: no UTF-8' "$(printf '{"ports": [{"name": "\303\274\374"}]}')"
bad 'no UTF-8' "$(printf '{"ports": [{"name": "\300\257"}]}')"
bad 'line 1, column 23: a control character in a text' '{"ports": [{"name": "a
b"}]}'
bad '"name": "a\nb" is no text of 1 to 31 bytes without control characters' '{"ports": [{"name": "a\nb"}]}'
bad 'is no text of 1 to 255 bytes without control' '{"ports": [{"ticket_file": "a\u007f"}]}'
bad 'port 2: "mac": "+2:00:00:00:00:01" is no address' '{"ports": [{"open": true}, {"mac": "+2:00:00:00:00:01"}]}'
for mac in 2:00:00:00:00:001 ' 2:00:00:00:00:01' '02-00-00-00-00-01' 02:00:00:00:00:0 00:00:00:00:00:00 02:00:00:00:00:0g \
	0x:00:00:00:00:01 02:00:00:00:00:01: 020000000001; do
	bad "is no address" "{\"ports\": [{\"mac\": \"$mac\"}]}"
	bad "is no address" "{\"ports\": [{\"static\": [\"$mac\"]}]}"
done
for value in 08 +8 8. .8 0x8 8e 1e+ NaN Infinity TRUE "'8'" nul '' - '[8,]' '{"a":1,}' '/* */ 8' '8 // 8' '"\x"' '"\u12"' '"'; do
	bad 'line 1, column' "{\"ports\": [{}], \"queues\": $value}"
done
for value in 8.0 8e0 99999999999999999999 -8 '"8"' null '[]' true; do
	bad 'is no number from 1 to 128' "{\"ports\": [{\"open\": true}], \"queues\": $value}"
done
bad 'too many levels' "$(printf '[%.0s' $(seq 100))"
good "$(printf '\t{"ports"\r\n:[{"open":true,"name":"\303\274\\"\\\\\\/"}] } \n\n')"
head -c 1100000 /dev/zero | tr '\0' ' ' >"$folder/config"
"$daemon" --config "$folder/config" --check 2>"$folder/error" && fail "more than 1 MiB"
grep -q 'longer than 1 MiB' "$folder/error" || fail "$(cat "$folder/error")"
printf '{"ports": [{}]}\0 {' >"$folder/config"
"$daemon" --config "$folder/config" --check 2>"$folder/error" && fail "accepted: a NUL behind the end"
grep -q 'something behind the end' "$folder/error" || fail "$(cat "$folder/error")"
"$daemon" --config "$folder" --check 2>"$folder/error" && fail "accepted: a folder"
grep -q 'Is a directory' "$folder/error" || fail "$(cat "$folder/error")"

# ports that are interfaces
good '{"ports": [{"name": "up", "uplink": "br-uplink", "trunk": "10,20", "max_learned": 5, "isolated": true}, {"open": true, "vlan": 10}]}'
bad '"uplink": "a b" is no name of an interface' '{"ports": [{"uplink": "a b"}]}'
bad '"uplink": "sixteen-letters-" is no text of 1 to 15 bytes' '{"ports": [{"uplink": "sixteen-letters-"}]}'
bad '"uplink": 5 is no text' '{"ports": [{"uplink": 5}]}'
for key in '"ticket_file": "/x"' '"open": true' '"mac": "02:00:00:00:00:01"' '"offloads": false'; do
	bad "${key%%:*} is nothing for an \"uplink\"" "{\"ports\": [{\"uplink\": \"eth0\", $key}]}"
done
bad 'ports "a" and "b" have the same uplink eth0' '{"ports": [{"name": "a", "uplink": "eth0"}, {"name": "b", "uplink": "eth0"}]}'

# two ports that cannot both be
bad '02:00:00:00:00:01 is an address of port "a" and of port "2"' \
	'{"ports": [{"open": true, "name": "a", "mac": "02:00:00:00:00:01"}, {"open": true, "mac": "02:00:00:00:00:01"}]}'
bad '02:aa:00:00:00:01 is an address of port "1" and of port "2"' \
	'{"ports": [{"open": true, "static": ["02:00:00:00:00:05", "02:AA:00:00:00:01"]}, {"open": true, "mac": "02:aa:00:00:00:01"}]}'
bad 'is an address of port "1" and of port "3"' \
	'{"ports": [{"open": true, "mac": "02:00:00:00:00:01"}, {"open": true}, {"open": true, "static": ["02:00:00:00:00:01"]}]}'
bad 'port 2: ports "1" and "2" have the same ticket_file /x' '{"ports": [{"open": true, "ticket_file": "/x"}, {"open": true, "ticket_file": "/x"}]}'
good '{"ports": [{"ticket_file": "/a", "mac": "02:00:00:00:00:01", "static": ["02:00:00:00:00:01"]},
  {"ticket_file": "/b", "mac": "02:00:00:00:00:02"}]}'

# VLANs; an address may be in two of them
good '{"ports": [{"open": true, "vlan": 4094}, {"open": true, "trunk": "1,10-20,4094"},
  {"open": true, "vlan": 5, "trunk": "6"}]}'
for trunk in '""' '"0"' '"4095"' '"1,"' '"5-4"' '"1 2"' '"-3"' '"1-"' '"x"' '[ 1 ]' 7 '"18446744073709551617"'; do
	bad "\"trunk\": $trunk is no list of VLANs" "{\"ports\": [{\"trunk\": $trunk}]}"
done
for vlan in 0 4095 '"1"'; do
	bad "\"vlan\": $vlan is no number from 1 to 4094" "{\"ports\": [{\"vlan\": $vlan}]}"
done
for second in '"vlan": 2' '"trunk": "2-9"' '"trunk": "7", "vlan": 2'; do
	good "{\"ports\": [{\"open\": true, \"vlan\": 1, \"mac\": \"02:00:00:00:00:01\"}, {\"open\": true, \"mac\": \"02:00:00:00:00:01\", $second}]}"
	bad 'is an address of port "1"' \
		"{\"ports\": [{\"open\": true, \"trunk\": \"2,7\", \"mac\": \"02:00:00:00:00:01\"}, {\"open\": true, \"mac\": \"02:00:00:00:00:01\", $second}]}"
done

# what a port may send
good '{"ports": [{"open": true, "addresses": ["10.0.0.1", "2001:db8::1"], "isolated": true, "share_ring": false,
  "frames_per_second": 0, "bytes_per_second": 1099511627776, "floods_per_second": 10}, {"open": true, "addresses": []}]}'
for address in '"10.0.0"' '":"' '""' 7 null; do
	bad "\"addresses\": $address is no IP address" "{\"ports\": [{\"addresses\": [$address]}]}"
done
bad '"addresses": "10.0.0.9" is no IP address, or there are more than 8' \
	"{\"ports\": [{\"addresses\": [\"10.0.0.1\"$(printf ', "10.0.0.%d"' 2 3 4 5 6 7 8 9)]}]}"
bad '"addresses": "10.0.0.1" is no list' '{"ports": [{"addresses": "10.0.0.1"}]}'
for rate in -1 1099511627777 '"1"'; do
	bad "\"bytes_per_second\": $rate is no number from 0 to 1099511627776" "{\"ports\": [{\"bytes_per_second\": $rate}]}"
done

# a port for any VM that comes has to be meant
bad 'port 1: it has no "ticket_file": any guest could take it; say "open": true' '{"ports": [{}]}'
bad 'port 1: it has no "ticket_file"' '{"ports": [{"mac": "02:00:00:00:00:01"}]}'
bad 'port 2: it has no "mac": any guest could take another one'"'"'s address' '{"ports": [{"open": true}, {"ticket_file": "/x"}]}'
bad 'port 1: it has no "ticket_file"' '{"ports": [{"open": false}]}'
bad '"open": 1 is neither true nor false' '{"ports": [{"open": 1}]}'
good '{"ports": [{"ticket_file": "/x", "mac": "02:00:00:00:00:01"}]}'

# any JSON but a report
for report in '{}' '[]' 'null' '7' '{"ports": 7}' '{"ports": [7]}' '{"ports": [{}]}' '{"ports": [{"name": "a"}]}' \
	'{"ports": [{"name": 7, "drops": {}}]}' '{"ports": [{"name": "a", "drops": []}]}' '{"ports": '; do
	echo "$report" >"$folder/report"
	"$daemon" --show "$folder/report" >"$folder/out" 2>"$folder/error"
	[ $? = 1 ] && grep -q "$folder/report" "$folder/error" || fail "--show $report: $(cat "$folder/error")"
done
grep -q 'line 2, column 1: the end comes too early' "$folder/error" || fail "--show: where the JSON ends: $(cat "$folder/error")"
echo '{"ports": [{"name": "a", "link": true, "sent": 3, "drops": {"full": 2}}]}' >"$folder/report"
"$daemon" --show "$folder/report" | grep -q '^a .*up .*3.* full=2$' || fail "--show"

echo '{"ports": [], "table": [{"mac": "02:00:00:00:00:01", "vlan": 7, "port": "a", "age": 3}, 7, {}]}' >"$folder/report"
"$daemon" --show "$folder/report" | grep -q '^02:00:00:00:00:01 *7 a *3 s ago$' || fail "--show with a table"

# without /dev/elisa it says so, and what to do
good '{"ports": [{"open": true}]}'
[ -e /dev/elisa ] || {
	"$daemon" --config "$folder/config" 2>"$folder/error" && fail "runs without /dev/elisa"
	grep -q "/dev/elisa: .*modprobe elisa" "$folder/error" || fail "no device: $(cat "$folder/error")"
}
[ $failures = 0 ]
