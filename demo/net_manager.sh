# SPDX-License-Identifier: Apache-2.0
# In the manager's VM of the network's demo: the switch, as soon as there is
# a grant, and its table from time to time.
. /testbed/lib.sh
export LD_LIBRARY_PATH=/lib
modload elisa-guest || exit 1
echo '{"ports": [{"name": "first", "open": true}, {"name": "second", "open": true}, {"name": "third", "open": true}], "port_mib": 8}' >/config.json
# seldom: it would be measured
while sleep 20; do
	[ ! -e /report.json ] || elisa-vmnet --show /report.json | sed 's/^/stats: /'
done &
until elisa-vmnet --config /config.json --switch /vmnet_switch.so --report /report.json; do sleep 1; done
