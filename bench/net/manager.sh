# SPDX-License-Identifier: Apache-2.0
# In the manager's VM: the switch, as soon as there is a grant.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
cat >/config.json <<-'END'
	{"ports": [{"name": "first", "open": true}, {"name": "second", "open": true}], "port_mib": 32}
END
until elisa-vmnet --config /config.json --switch /vmnet_switch.so; do
	sleep 1
done
