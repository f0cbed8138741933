#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # config.sh sets them
# The configuration of elisa-kv: what it takes, and what it says of mistakes. test_config.sh ELISA-KV
daemon=$1
. "$(dirname "$0")/../config.sh"

# place REST: a configuration with one place more than this
spaces='"spaces": [{"name": "main"}, {"name": "b", "mib": 1, "cell": 128}]'
any='{"name": "any", "open": true, "spaces": {"main": {"rights": ["read"]}}}'
place()
{
	printf '{%s, "places": [%s, %s]}' "$spaces" "$any" "$1"
}
all='"spaces": {"main": {"rights": ["read", "write", "own", "flush"], "mib": 5, "items": 7}, "b": {"rights": ["read"]}}'

good "{$spaces, \"places\": [$any]}"
good "{\"export\": \"cache.1\", \"vcpus\": 1024, \"open_places_per_vm\": 2, \"limit_us\": 100, \"suspend_us\": 1000,
  \"snapshot\": \"/x\", \"snapshot_s\": 60, $spaces, \"places\": [$any]}"
good "$(place "{\"name\": \"a\", \"ticket_file\": \"/x\", $all}")"
good "$(place '{"name": "more", "open": true, "count": 127, "spaces": {"b": {"rights": ["read", "write"]}}}')"

bad 'no "spaces"' '{}'
bad 'no "places"' "{$spaces}"
bad 'holds no object' '[]'
bad 'unknown key "space"' "{$spaces, \"space\": 1, \"places\": [$any]}"
bad 'no list of 1 to 32 spaces' "{\"spaces\": [], \"places\": [$any]}"
bad 'no list of 1 to 128 places' "{$spaces, \"places\": []}"
bad '"vcpus": 0 is no number from 1 to 1024' "{\"vcpus\": 0, $spaces, \"places\": [$any]}"
bad '"vcpus": "8" is no number' "{\"vcpus\": \"8\", $spaces, \"places\": [$any]}"
bad 'more than 4093 callers' "{\"vcpus\": 1024, $spaces, \"places\": [$any, {\"name\": \"x\", \"open\": true, \"count\": 3,
  \"spaces\": {\"b\": {\"rights\": [\"read\"]}}}]}"
bad '"snapshot_s" without "snapshot"' "{\"snapshot_s\": 5, $spaces, \"places\": [$any]}"
bad 'space 1: it has no "name"' "{\"spaces\": [{\"mib\": 5}], \"places\": [$any]}"
bad 'two spaces are called "a"' "{\"spaces\": [{\"name\": \"a\"}, {\"name\": \"a\"}], \"places\": [$any]}"
bad '"cell": 200 is no power of two' "{\"spaces\": [{\"name\": \"a\", \"cell\": 200}], \"places\": [$any]}"
bad '"cell": 64 is no number from 128 to 4096' "{\"spaces\": [{\"name\": \"a\", \"cell\": 64}], \"places\": [$any]}"
bad 'space 1: unknown key "MiB" of a space' "{\"spaces\": [{\"name\": \"a\", \"MiB\": 4}], \"places\": [$any]}"
bad 'place 2: it is no object' "$(place 7)"
bad 'place 2: unknown key "ticket" of a place' "$(place '{"ticket": 1}')"
bad 'place 2: it has no "name"' "$(place "{\"open\": true, \"spaces\": {\"b\": {\"rights\": [\"read\"]}}}")"
bad '"x" may do nothing' "$(place '{"name": "x", "open": true}')"
bad '"x" has no "ticket_file"; if it is for any VM, say "open": true' \
	"$(place '{"name": "x", "spaces": {"b": {"rights": ["read"]}}}')"
bad '"open" and has a "ticket_file"' "$(place '{"name": "x", "open": true, "ticket_file": "/x", "spaces": {"b": {"rights": ["read"]}}}')"
bad '"own" needs a "ticket_file"' "$(place '{"name": "x", "open": true, "spaces": {"b": {"rights": ["read", "own"]}}}')"
bad 'there is no space "c"' "$(place '{"name": "x", "spaces": {"c": {}}}')"
bad '"b": it gives no "rights"' "$(place '{"name": "x", "spaces": {"b": {}}}')"
bad '"rights": "all" is neither "read"' "$(place '{"name": "x", "spaces": {"b": {"rights": ["all"]}}}')"
bad '"rights": "read" is no list' "$(place '{"name": "x", "spaces": {"b": {"rights": "read"}}}')"
bad 'unknown key "bytes" of space "b"' "$(place '{"name": "x", "spaces": {"b": {"rights": ["read"], "bytes": 7}}}')"
bad '"count" is for "open" places' "$(place "{\"name\": \"x\", \"ticket_file\": \"/x\", \"count\": 2, $all}")"
bad 'two places are called "any"' "$(place "{\"name\": \"any\", \"ticket_file\": \"/x\", $all}")"
bad 'places "a" and "b" have the same ticket_file /x' \
	"$(place "{\"name\": \"a\", \"ticket_file\": \"/x\", $all}, {\"name\": \"b\", \"ticket_file\": \"/x\", $all}")"
bad 'more than 128 places' "$(place '{"name": "x", "open": true, "count": 128, "spaces": {"b": {"rights": ["read"]}}}')"
bad 'line 1, column 3: ' '{ x'
"$daemon" --config "$folder/none" --check 2>"$folder/error" && fail "no file"
grep -q "$folder/none: No such file" "$folder/error" || fail "no file: $(cat "$folder/error")"

for report in '{}' '[]' '{"spaces": 7}' '{"spaces": [], "places": [7]}' '{"spaces": [{}], "places": []}' '{"spaces": '; do
	echo "$report" >"$folder/report"
	"$daemon" --show "$folder/report" >"$folder/out" 2>"$folder/error"
	[ $? = 1 ] && grep -q "$folder/report" "$folder/error" || fail "--show $report: $(cat "$folder/error")"
done
echo '{"spaces": [{"name": "main", "curr_items": 3}], "places": [{"name": "a", "attachment": 1, "cmd_get": 9}]}' >"$folder/report"
"$daemon" --show "$folder/report" >"$folder/out" || fail "--show"
grep -q '^main .* 3 ' "$folder/out" && grep -q '^a .*up .* 9 ' "$folder/out" || fail "--show: $(cat "$folder/out")"

# without /dev/elisa it says so, and what to do
good "{$spaces, \"places\": [$any]}"
[ -e /dev/elisa ] || {
	"$daemon" --config "$folder/config" 2>"$folder/error" && fail "runs without /dev/elisa"
	grep -q "/dev/elisa: .*modprobe elisa" "$folder/error" || fail "no device: $(cat "$folder/error")"
}
[ $failures = 0 ]
