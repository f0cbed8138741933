#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The configuration of elisa-vmnet: what it takes, and what it says of mistakes.   test_config.sh ELISA-VMNET
vmnet=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

fail()
{
	echo "FAILED: $*"
	failures=$((failures + 1))
}

good()
{
	echo "$1" >"$folder/config"
	"$vmnet" --config "$folder/config" --check || fail "refused: $1"
}

# bad TEXT-OF-THE-MESSAGE CONFIGURATION
bad()
{
	echo "$2" >"$folder/config"
	"$vmnet" --config "$folder/config" --check 2>"$folder/error" && fail "accepted: $2"
	grep -qF -- "$1" "$folder/error" || fail "$2: no '$1' in: $(cat "$folder/error")"
}

good '{"ports": [{}]}'
good '{"export": "net.1", "queues": 128, "port_mib": 256, "max_age": 1, "limit_us": 100, "ports": [
  {"name": "a", "ticket_file": "/x", "mac": "02:00:00:00:00:01", "check_source": false, "learning": false,
   "offloads": false, "link_local": true, "max_learned": 0, "mbps": 100, "static": ["02:00:00:00:00:02", "02:00:00:00:00:03"]},
  {"name": "b"}]}'
bad 'there are no "ports"' '{}'
bad 'holds no object' '[]'
bad 'unknown key "port"' '{"port": []}'
bad 'no list of 1 to 127 ports' '{"ports": []}'
bad 'no list of 1 to 127 ports' "{\"ports\": [{}$(printf ",{}%.0s" $(seq 127))]}"
bad 'unknown key "adress" of a port' '{"ports": [{"adress": 1}]}'
bad '"queues": 129 is no number from 1 to 128' '{"queues": 129, "ports": [{}]}'
bad '"queues": "8" is no number' '{"queues": "8", "ports": [{}]}'
bad '"max_age": -1 is no number' '{"max_age": -1, "ports": [{}]}'
bad '"mac": "03:00:00:00:00:01" is no address of a station' '{"ports": [{"mac": "03:00:00:00:00:01"}]}'
bad '"mac": "02:00:00:00:00" is no address' '{"ports": [{"mac": "02:00:00:00:00"}]}'
bad '"mac": "02:00:00:00:00:01x" is no address' '{"ports": [{"mac": "02:00:00:00:00:01x"}]}'
bad '"static": "x" is no list' '{"ports": [{"static": "x"}]}'
bad '"check_source": 1 is neither true nor false' '{"ports": [{"check_source": 1}]}'
bad 'two ports are called "a"' '{"ports": [{"name": "a"}, {"name": "a"}]}'
bad '"name": "" is no text' '{"ports": [{"name": ""}]}'
bad 'a port is no object: 7' '{"ports": [7]}'
bad "$folder/config" '{"ports": '
"$vmnet" --config "$folder/none" --check 2>"$folder/error" && fail "a file that is not there"
grep -q "$folder/none" "$folder/error" || fail "the file's name: $(cat "$folder/error")"
"$vmnet" >"$folder/out" 2>&1
[ $? = 2 ] || fail "no configuration: not 2"
"$vmnet" --help | grep -q SIGHUP || fail "--help"
# without /dev/elisa it says so, and what to do
good '{"ports": [{}]}'
[ -e /dev/elisa ] || {
	"$vmnet" --config "$folder/config" 2>"$folder/error" && fail "runs without /dev/elisa"
	grep -q "/dev/elisa: .*modprobe elisa" "$folder/error" || fail "no device: $(cat "$folder/error")"
}
[ $failures = 0 ]
