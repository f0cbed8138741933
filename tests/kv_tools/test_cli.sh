#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# elisa-kv-cli on a store of its own process, which ends with each command: what it prints, and its exit
# statuses. test_cli.sh CLI
cli=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0
export KV_NATIVE_MIB=4

fail()
{
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# ends STATUS TEXT ARGUMENT...: with this status, and this text in what it says
ends()
{
	status=$1 text=$2
	shift 2
	"$cli" "$@" >"$folder/out" 2>&1 </dev/null
	is=$?
	[ $is = "$status" ] || fail "$*: exit status $is: $(cat "$folder/out")"
	[ -z "$text" ] || grep -qF -- "$text" "$folder/out" || fail "$*: no '$text' in: $(cat "$folder/out")"
}

ends 2 "a command is missing"
ends 2 "'put' is not a command" put
ends 2 "get: a key is missing" get
ends 2 "get: 'b' is too much" get a b
ends 2 "incr: 'x' is not a number" incr a x
ends 2 "--space: '256' is not from 0 to 255" --space 256 get a
ends 2 "--ttl: '-1' is not from 0" --ttl -1 touch a
ends 3 "there is no item with this key" get a
ends 3 "there is no item with this key" item a
ends 3 "there is no item with this key" replace a b
ends 3 "there is no item with this key" delete a
ends 3 "there is no item with this key" touch a
ends 3 "there is no item with this key" incr a
ends 3 "there is no item with this key" --cas 5 set a b
ends 0 "" set a b
ends 0 "" add a
ends 0 "" flush
ends 0 "cmd_get 0" stats
ends 0 "" --space 1 set a b
ends 1 "the store has none of this number" --space 2 set a b
ends 1 "a key of 0 bytes" set "" b
ends 1 "a key of 251 bytes" get "$(printf %0251d 1)"
ends 1 "/no/ticket: No such file" --store /no/ticket get a
head -c 1048576 /dev/zero | "$cli" set a || fail "a value of 1 MiB"
head -c 1048577 /dev/zero | "$cli" set a 2>"$folder/out" && fail "a value that is too long"
grep -q "longer than 1048576 bytes" "$folder/out" || fail "too long: $(cat "$folder/out")"
"$cli" stats >/dev/full 2>"$folder/out" && fail "a full output"
[ $failures = 0 ]
