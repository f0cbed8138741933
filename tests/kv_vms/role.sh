# SPDX-License-Identifier: Apache-2.0
# In every VM of tests/kv_vms/host.sh; kv=NAME on the kernel's command line says which.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
mkdir -p /tmp

fail()
{
	echo "FAILED: $*"
	cat /tmp/out /tmp/error
	exit 1
}

# try COMMAND...: again until grant, store and item are there
try()
{
	_tries=0
	until "$@" 2>/tmp/error; do
		_tries=$((_tries + 1))
		[ $_tries -lt 300 ] || fail "$*"
		usleep 300000
	done
}

# store: the daemon, as soon as there is a grant
store()
{
	while :; do
		elisa-kv --config /tmp/kv.json --code /kv_function.so --report /tmp/report >/tmp/out 2>/tmp/error &
		daemon=$!
		until grep -q "^export" /tmp/out || ! kill -0 "$daemon" 2>/dev/null; do usleep 50000; done
		kill -0 "$daemon" 2>/dev/null && break
		grep -q "has not granted" /tmp/error || fail "the daemon"
		usleep 300000
	done
	cat /tmp/out
}

# ask TEXT: what the proxy answers
ask()
{
	printf '%b' "$1quit\r\n" | nc 127.0.0.1 11211 | tr -d '\r'
}

case $(sed 's/.*kv=\([a-z]*\).*/\1/' /proc/cmdline) in
manager)
	cat >/tmp/kv.json <<-END
	{"snapshot": "/tmp/snapshot", "spaces": [{"name": "main", "mib": 8}],
	 "places": [{"name": "any", "open": true, "count": 8, "spaces": {"main": {"rights": ["read", "write"], "mib": 4}}}]}
	END
	store
	until elisa-kv --show /tmp/report 2>/dev/null | grep -q '^main  *4 '; do usleep 200000; done
	kill "$daemon"
	wait "$daemon" || fail "the daemon's end"
	store
	try elisa-kv-cli set restarted yes
	wait "$daemon"
	;;
a)
	try elisa-kv-cli set from-a one
	head -c 100000 /dev/urandom >/tmp/large
	elisa-kv-cli --flags 7 set large </tmp/large || fail "a large value"
	try elisa-kv-cli get from-b >/tmp/out
	[ "$(cat /tmp/out)" = two ] || fail "the other guest's value"
	elisa-kv-cli get large >/tmp/out && cmp /tmp/out /tmp/large || fail "a large value changed"
	elisa-kv-cli get none && fail "an item that is not there"
	[ "$(elisa-kv-cli get none 2>&1)" ] || fail "a miss without words"
	echo "values are shared"
	elisa-kv-cli set last 1 || fail "the last item"
	try elisa-kv-cli get restarted >/tmp/out
	elisa-kv-cli get large >/tmp/out && cmp /tmp/out /tmp/large || fail "the large value after a restart"
	elisa-kv-cli item large | grep -q "^flags 7" || fail "flags after a restart"
	echo "the store is back"
	;;
b)
	ip link set lo up
	while :; do
		elisa-kv-proxy --port 11211 >/tmp/out 2>/tmp/error &
		proxy=$!
		until grep -q "^serving" /tmp/out || ! kill -0 "$proxy" 2>/dev/null; do usleep 50000; done
		kill -0 "$proxy" 2>/dev/null && break
		grep -q "has not granted\|no such export\|not published" /tmp/error || fail "the proxy"
		usleep 300000
	done
	until ask "get from-a\r\n" | grep -q "^one"; do sleep 1; done
	[ "$(ask "set from-b 3 0 3\r\ntwo\r\nget from-b\r\n" | tr '\n' ,)" = "STORED,VALUE from-b 3 3,two,END," ] ||
		fail "set: $(ask "get from-b\r\n")"
	echo "values are shared"
	until ask "get restarted\r\n" >/tmp/out && grep -q "^yes" /tmp/out; do
		cat /tmp/out
		usleep 300000
	done
	ask "get from-a\r\n" | grep -q "^one" || fail "an item after a restart"
	echo "the proxy is back"
	kill "$proxy"
	wait "$proxy" || fail "the proxy's end"
	;;
esac
