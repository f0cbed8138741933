/* SPDX-License-Identifier: Apache-2.0 */
#include "access_options.h"

int option_mode(const struct program_option *option, const char *text, void *to)
{
	struct rvif_access *access = to;

	(void)option;
	return rvif_parse_mode(text, &access->mode);
}

int option_group(const struct program_option *option, const char *text, void *to)
{
	struct rvif_access *access = to;

	(void)option;
	access->has_group = 1;
	return rvif_parse_group(text, &access->group);
}
