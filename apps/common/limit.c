/* SPDX-License-Identifier: Apache-2.0 */
#include "limit.h"

/* Forgives lines, and tells whether there is room for another one. A fraction of a second counts
 * for the next line, unless no line is left to forgive. */
static bool has_room(struct limit *limit, double now)
{
	const double seconds = now - limit->since;
	const uint32_t forgiven = seconds < LIMIT_BURST ? (uint32_t)seconds : LIMIT_BURST;

	limit->spent -= forgiven < limit->spent ? forgiven : limit->spent;
	limit->since = limit->spent ? limit->since + forgiven : now;
	return limit->spent < LIMIT_BURST;
}

bool limit_allows(struct limit *limit, double now)
{
	if (limit->left_out || !has_room(limit, now)) {
		limit->left_out++;
		return false;
	}
	limit->spent++;
	return true;
}

uint64_t limit_left_out(struct limit *limit, double now)
{
	const uint64_t count = limit->left_out;

	if (!count || !has_room(limit, now))
		return 0;
	limit->left_out = 0;
	return count;
}
