/* SPDX-License-Identifier: Apache-2.0 */
#include "latency.h"

/* Returns the step of a time: up to 63 the time itself; above, its highest six bits and how many
 * bits are below. */
static uint32_t step_of(uint64_t ns)
{
	const uint32_t shift = ns < 64 ? 0 : 58 - (uint32_t)__builtin_clzll(ns);

	return shift * 32 + (uint32_t)(ns >> shift);
}

static uint64_t time_of(uint32_t step)
{
	const uint32_t shift = step < 64 ? 0 : step / 32 - 1;

	return (uint64_t)(step - shift * 32) << shift;
}

void latency_note(struct latency *l, uint64_t ns)
{
	if (!l->frames || ns < l->least)
		l->least = ns;
	if (ns > l->most)
		l->most = ns;
	l->frames++;
	l->count[step_of(ns)]++;
}

void latency_add(struct latency *to, const struct latency *from)
{
	if (from->frames && (!to->frames || from->least < to->least))
		to->least = from->least;
	if (from->most > to->most)
		to->most = from->most;
	to->frames += from->frames;
	for (uint32_t step = 0; step < LATENCY_STEPS; step++)
		to->count[step] += from->count[step];
}

uint64_t latency_percentile(const struct latency *l, double part)
{
	const double wanted = part * (double)l->frames;
	uint64_t seen = 0;

	if (part <= 0 || !l->frames)
		return l->least;
	if (part >= 1)
		return l->most;
	for (uint32_t step = 0; step < LATENCY_STEPS; step++) {
		seen += l->count[step];
		if ((double)seen >= wanted)
			return time_of(step);
	}
	return l->most;
}
