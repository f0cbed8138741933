/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from the environment, for programs written for the prototype: its calls have no
 * arguments for these. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

bool compat_switch(const char *name)
{
	const char *text = getenv(name);

	return text && *text && strcmp(text, "0");
}

int compat_number(const char *name, uint64_t limit, uint64_t otherwise, uint64_t *number)
{
	const char *text = getenv(name);
	char *end;

	*number = otherwise;
	if (!text)
		return 0;
	errno = 0;
	*number = strtoull(text, &end, 0);
	if (errno || *text < '0' || *text > '9' || *end || *number > limit)
		return compat_fail(EINVAL, "%s is '%.40s'; give a number from 0 to %" PRIu64, name,
				   text, limit);
	return 0;
}
