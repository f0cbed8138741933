/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a port behind its path; see rvs-fwd-port.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "address.h"
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

static bool set_addresses(struct rvs_policy *policy, const char *value)
{
	char text[64];

	for (;; value++) {
		const size_t length = strcspn(value, "+");

		if (length >= sizeof(text))
			return false;
		memcpy(text, value, length);
		text[length] = 0;
		if (!address_add(policy, text))
			return false;
		value += length;
		if (!*value)
			return true;
	}
}

static bool set_limit(struct rvs_policy *policy, enum rvs_limit limit, const char *value)
{
	char *end;

	policy->per_second[limit] = strtoull(value, &end, 10);
	return *value >= '1' && *value <= '9' && !*end && policy->per_second[limit] <= RVS_MAX_RATE;
}

static bool set_frames(struct rvs_policy *policy, const char *value)
{
	return set_limit(policy, RVS_LIMIT_FRAMES, value);
}

static bool set_bytes(struct rvs_policy *policy, const char *value)
{
	return set_limit(policy, RVS_LIMIT_BYTES, value);
}

static bool set_floods(struct rvs_policy *policy, const char *value)
{
	return set_limit(policy, RVS_LIMIT_FLOODS, value);
}

static bool set_isolated(struct rvs_policy *policy, const char *value)
{
	policy->flags |= RVS_ISOLATED;
	return !*value;
}

static bool set_share(struct rvs_policy *policy, const char *value)
{
	policy->flags |= RVS_SHARE_RING;
	return !*value;
}

static const struct setting {
	const char *key;
	bool (*set)(struct rvs_policy *policy, const char *value);
} settings[] = {
	{"vlan=", set_vlan},	    {"trunk=", set_trunk}, {"ip=", set_addresses},
	{"frames=", set_frames},    {"bytes=", set_bytes}, {"floods=", set_floods},
	{"isolated", set_isolated}, {"share", set_share},
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
