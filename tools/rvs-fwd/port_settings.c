/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the settings of a single port, behind its path. */
#include "fwd.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "address.h"
#include "vlans.h"

static int read_trunk(const struct program_option *option, const char *text, void *to)
{
	(void)option;
	return vlans_parse(text, to) ? 0 : -EINVAL;
}

static int read_addresses(const struct program_option *option, const char *text, void *to)
{
	char address[64];

	(void)option;
	for (;; text++) {
		const size_t length = strcspn(text, "+");

		if (length >= sizeof(address))
			return -EINVAL;
		memcpy(address, text, length);
		address[length] = 0;
		if (!address_add(to, address))
			return -EINVAL;
		text += length;
		if (!*text)
			return 0;
	}
}

#define AT(member)                                 \
	.at = offsetof(struct rvs_policy, member), \
	.size = sizeof(((struct rvs_policy *)NULL)->member)
#define RATE(called, what, limit)                                                              \
	{                                                                                      \
		.name = called, .value = "N", .must = "a number of " what " a second",         \
		.read = option_number, AT(per_second[limit]), .least = 1, .most = RVS_MAX_RATE \
	}

/* The settings, as options without the members that --help uses. */
static const struct program_option settings[] = {
	{.name = "vlan",
	 .value = "V",
	 .must = "a VLAN",
	 .read = option_number,
	 AT(vlan),
	 .least = 1,
	 .most = RVS_MAX_VLAN},
	{.name = "trunk",
	 .value = "V",
	 .must = "a list of VLANs, as 10+20-29",
	 .read = read_trunk,
	 AT(trunk)},
	{.name = "ip",
	 .value = "A",
	 .must = "a list of IP addresses, as 10.0.0.1+2001:db8::1, of at most 8 of each version",
	 .read = read_addresses},
	RATE("frames", "frames", RVS_LIMIT_FRAMES),
	RATE("bytes", "bytes", RVS_LIMIT_BYTES),
	RATE("floods", "frames", RVS_LIMIT_FLOODS),
	{.name = "isolated", .read = option_bits, AT(flags), .bits = RVS_ISOLATED},
	{.name = "share", .read = option_bits, AT(flags), .bits = RVS_SHARE_RING},
};

static const struct program_option *find(const char *name)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (!strcmp(name, settings[i].name))
			return &settings[i];
	return NULL;
}

/*
 * Takes the setting behind the argument's last comma, and cuts it off. Returns 0; 1 if the text is
 * no setting, and leaves the argument as it was; else the result of options_wrong().
 */
static int take_setting(char *argument, char *comma, struct rvs_policy *policy)
{
	char *value = strchr(comma, '=');
	const struct program_option *setting;
	int wrong = 0;

	if (value)
		*value++ = 0;
	setting = find(comma + 1);
	if (!setting || (setting->value && !value)) {
		if (value)
			value[-1] = '=';
		return 1;
	}
	/* a message shows the whole argument up to here, because it names the vNIC, too */
	if (value && !setting->value)
		return options_wrong(&program, "%s takes no value", argument);
	wrong = options_take(&program, setting, argument, value, policy);
	*comma = 0;
	return wrong;
}

/* Takes settings from the end on. The first text that is no setting is the end of the path. */
int port_settings(char *argument, struct rvs_policy *policy)
{
	char *comma;
	int taken = 0;

	while (!taken && (comma = strrchr(argument, ',')))
		taken = take_setting(argument, comma, policy);
	return taken == 1 ? 0 : taken;
}
