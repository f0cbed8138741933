/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of VLANs; see vlans.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vlans.h"

#define MOST 4094u

static bool has(const uint64_t vlans[VLANS_WORDS], uint32_t vlan)
{
	return vlans[vlan / 64] >> vlan % 64 & 1;
}

/* Takes a number of decimal digits, and moves the text behind them. Returns 0 if there is none, or
 * it is out of range. */
static uint32_t take_number(const char **text)
{
	uint32_t number = 0;

	for (; **text >= '0' && **text <= '9' && number <= MOST; ++*text)
		number = number * 10 + (uint32_t)(**text - '0');
	return number <= MOST ? number : 0;
}

bool vlans_parse(const char *text, uint64_t vlans[VLANS_WORDS])
{
	memset(vlans, 0, VLANS_WORDS * sizeof(*vlans));
	for (;; text++) {
		uint32_t first = take_number(&text), last = first;

		if (*text == '-') {
			text++;
			last = take_number(&text);
		}
		if (!first || last < first)
			return false;
		for (uint32_t vlan = first; vlan <= last; vlan++)
			vlans[vlan / 64] |= 1ull << vlan % 64;
		if (*text != ',' && *text != '+')
			return !*text;
	}
}

uint32_t vlans_count(const uint64_t vlans[VLANS_WORDS])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < VLANS_WORDS; i++)
		count += (uint32_t)__builtin_popcountll(vlans[i]);
	return count;
}

void vlans_print(const uint64_t vlans[VLANS_WORDS], char *text, size_t size)
{
	size_t at = 0;

	*text = 0;
	for (uint32_t vlan = 1; vlan <= MOST && at < size; vlan++) {
		const uint32_t first = vlan;

		if (!has(vlans, vlan))
			continue;
		while (vlan < MOST && has(vlans, vlan + 1))
			vlan++;
		at += (size_t)snprintf(text + at, size - at, "%s%u", at ? "," : "", first);
		if (vlan > first && at < size)
			at += (size_t)snprintf(text + at, size - at, "-%u", vlan);
	}
}
