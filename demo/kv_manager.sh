# SPDX-License-Identifier: Apache-2.0
# In the manager's VM of the demo of elisa-kv: the store, as soon as there is a grant.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
cat >/tmp/kv.json <<-END
	{"spaces": [{"name": "main", "mib": 48}],
	 "places": [{"name": "any", "open": true, "count": 4, "spaces": {"main": {"rights": ["read", "write"], "mib": 24}}}]}
END
until elisa-kv --config /tmp/kv.json --code /kv_function.so; do sleep 1; done
