/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VLAN comes with its first port and goes with its last port. Each VLAN has a forwarding table of
 * its own. Only control calls give a table to another VLAN. A sender uses the tables of its own
 * port's VLANs, and its port cannot go while the sender is inside.
 */
#include "internal.h"

enum {
	NOWHERE = UINT16_MAX,
	NO_NETWORK,
};

/* Tells whether another port uses the VLAN than this one, which leaves. */
static int is_used(struct rvs *rvs, uint32_t vlan, uint32_t number)
{
	for (uint32_t p = 0; p < rvs->config.ports; p++)
		if (p != number && rvs_port_at(rvs, p)->attached &&
		    rvs_in_vlan(rvs_port_at(rvs, p), vlan))
			return 1;
	return 0;
}

/* Finds a free table for the VLAN, if it has none. */
static int find_network(struct rvs *rvs, uint32_t vlan)
{
	if (!vlan || rvs->network_of[vlan])
		return 0;
	for (uint32_t network = 1; network <= rvs->config.vlans; network++)
		if (!rvs->vlan_of[network]) {
			rvs->vlan_of[network] = (uint16_t)vlan;
			__atomic_store_n(&rvs->network_of[vlan], (uint16_t)network,
					 __ATOMIC_RELAXED);
			return 0;
		}
	return -1;
}

void rvs_vlans_leave(struct rvs *rvs, uint32_t number)
{
	for (uint32_t vlan = 1; vlan <= RVS_MAX_VLAN; vlan++)
		if (rvs_in_vlan(rvs_port_at(rvs, number), vlan) && !is_used(rvs, vlan, number)) {
			rvs->vlan_of[rvs->network_of[vlan]] = 0;
			rvs->network_of[vlan] = 0;
		}
}

enum rvif_reason rvs_vlans_join(struct rvs *rvs, uint32_t number, const struct rvs_policy *policy)
{
	struct rvs_port *port = rvs_port_at(rvs, number);
	uint64_t any = 0;

	for (uint32_t i = 0; i < RVS_VLAN_WORDS; i++)
		any |= rvs_rules_of(port)->trunk[i] = policy->trunk[i];
	port->has_vlans = policy->vlan || any;
	port->vlan = policy->vlan || !any ? policy->vlan : RVS_NO_VLAN;
	port->sends_to = any || policy->flags & RVS_ISOLATED ? NOWHERE : port->vlan;
	port->hears = any ? NO_NETWORK : port->vlan;
	port->each |= any != 0;
	if (policy->vlan > RVS_MAX_VLAN || rvs_in_trunk(port, 0) ||
	    rvs_in_trunk(port, RVS_NO_VLAN)) {
		port->vlan = RVS_NO_VLAN;
		return RVIF_NO_VLAN;
	}
	for (uint32_t vlan = 1; vlan <= RVS_MAX_VLAN; vlan++)
		if (rvs_in_vlan(port, vlan) && find_network(rvs, vlan))
			return RVIF_NO_VLAN;
	port->table = rvs_table_of(rvs, port->vlan);
	return RVIF_OK;
}
