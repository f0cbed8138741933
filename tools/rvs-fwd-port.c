/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a port behind its path; see rvs-fwd-port.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "rvs-fwd-port.h"
#include "vlans.h"

static bool set_vlan(struct rvs_policy *policy, const char *value)
{
	char *end;
	const unsigned long vlan = strtoul(value, &end, 10);

	policy->vlan = (uint32_t)vlan;
	return *value >= '1' && *value <= '9' && !*end && vlan <= RVS_MAX_VLAN;
}

static bool set_trunk(struct rvs_policy *policy, const char *value)
{
	return vlans_parse(value, policy->trunk);
}

static const struct setting {
	const char *key;
	bool (*set)(struct rvs_policy *policy, const char *value);
} settings[] = {
	{"vlan=", set_vlan},
	{"trunk=", set_trunk},
};

static const struct setting *find(const char *text)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (!strncmp(text, settings[i].key, strlen(settings[i].key)))
			return &settings[i];
	return NULL;
}

/* From the end on, so that the first thing that is no setting ends the path. */
const char *port_settings(char *argument, struct rvs_policy *policy)
{
	char *comma;

	while ((comma = strrchr(argument, ','))) {
		const struct setting *setting = find(comma + 1);

		if (!setting)
			return NULL;
		if (!setting->set(policy, comma + 1 + strlen(setting->key)))
			return comma + 1;
		*comma = 0;
	}
	return NULL;
}
