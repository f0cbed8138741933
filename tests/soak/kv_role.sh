# SPDX-License-Identifier: Apache-2.0
# In the VMs of tests/soak/kv.sh; kv=NAME deaths=COUNT seed=NUMBER on the kernel's command line.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
mkdir -p /tmp
option()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}
count=$(option deaths) seed=$(option seed)

# store: the daemon, as soon as the host lets it
store()
{
	_tries=0
	while :; do
		elisa-kv --config /tmp/kv.json --code /kv_function.so >/tmp/out 2>/tmp/error &
		daemon=$!
		until grep -q "^export" /tmp/out || ! kill -0 "$daemon" 2>/dev/null; do usleep 20000; done
		kill -0 "$daemon" 2>/dev/null && return
		_tries=$((_tries + 1))
		[ $_tries -lt 300 ] || { echo "FAILED: the daemon"; cat /tmp/out /tmp/error; exit 1; }
		usleep 100000
	done
}

# manager: lets live until the guests are ready for deaths; then kills, and begins again
manager()
{
	# calls that wait for a processor are ended: guests have much of what that leaves
	cat >/tmp/kv.json <<-END
	{"snapshot": "/tmp/snapshot", "snapshot_s": 1, "suspend_us": 1000, "open_places_per_vm": 8,
	 "spaces": [{"name": "roomy", "mib": 4}, {"name": "tight", "mib": 1}],
	 "places": [{"name": "any", "open": true, "count": 20, "spaces":
	  {"roomy": {"rights": ["read", "write"], "mib": 4}, "tight": {"rights": ["read", "write"]}}}]}
	END
	store
	until elisa-kv-cli get go >/dev/null 2>&1; do
		kill -0 "$daemon" 2>/dev/null || { echo "FAILED: the daemon's end"; cat /tmp/error; exit 1; }
		usleep 500000
	done
	# until both guests have seen it
	sleep 3
	n=0
	while [ $n -lt "$count" ]; do
		seed=$(((seed * 1103515245 + 12345) % 2147483648))
		usleep $((200000 + seed / 65536 % 1500 * 1000))
		kill -9 "$daemon"
		wait "$daemon"
		store
		n=$((n + 1))
		[ $((n % 10)) != 0 ] || echo "$n deaths of managers; $(grep snapshot /tmp/out)"
	done
	echo "managers=$n"
	until elisa-kv-cli set over 1 2>/dev/null; do usleep 100000; done
	wait "$daemon"
}

case $(option kv) in
manager) manager ;;
*) kv_life "$(option kv)" "$count" "$seed" ;;
esac
