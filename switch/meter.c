/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on a port's frames, as token buckets. The owner fills the buckets, because the switch has
 * no clock and a guest may set its own clock. A batch goes on while tokens are left, and pays at
 * once for all that it used. Batches of several queues may overdraw a bucket together, each by a
 * batch at most. The next tokens pay that back first. A sender that is stopped before it pays has
 * moved no frame. A sender that is stopped afterwards has paid for frames that it did not move.
 */
#include "internal.h"

#define MILLION		1000000ull
#define BURSTS_A_SECOND 10u

static const uint64_t least[RVS_LIMITS] = {
	[RVS_LIMIT_FRAMES] = 1,
	[RVS_LIMIT_BYTES] = 1514,
	[RVS_LIMIT_FLOODS] = 1,
};

void rvs_meter_set(struct rvs_port *port, const struct rvs_policy *policy)
{
	port->limits = 0;
	for (uint32_t i = 0; i < RVS_LIMITS; i++) {
		struct rvs_meter *meter = &rvs_rules_of(port)->meter[i];
		const uint64_t rate = policy->per_second[i] < RVS_MAX_RATE ? policy->per_second[i] :
									     RVS_MAX_RATE;

		if (rate)
			port->limits |= 1u << i;
		if (i != RVS_LIMIT_FLOODS && rate)
			port->each = 1;
		if (rate == meter->per_second)
			continue;
		meter->per_second = rate;
		meter->most = rate / BURSTS_A_SECOND > least[i] ? rate / BURSTS_A_SECOND : least[i];
		meter->rest = 0;
		__atomic_store_n(&meter->left, (int64_t)meter->most, __ATOMIC_RELAXED);
	}
}

void rvs_meter_open(struct rvs_sender *s)
{
	for (uint32_t i = 0; i < RVS_LIMITS; i++) {
		s->used[i] = 0;
		s->allowed[i] = INT64_MAX;
		if (s->port->limits & 1u << i)
			s->allowed[i] = __atomic_load_n(&rvs_rules_of(s->port)->meter[i].left,
							__ATOMIC_RELAXED);
	}
}

void rvs_meter_close(struct rvs_sender *s)
{
	for (uint32_t i = 0; i < RVS_LIMITS; i++)
		if (s->used[i] && s->port->limits & 1u << i)
			__atomic_fetch_sub(&rvs_rules_of(s->port)->meter[i].left, s->used[i],
					   __ATOMIC_RELAXED);
}

/* Fills a bucket. Returns 1 if it was not full. Senders take from it meanwhile. */
static int refill(struct rvs_meter *meter, uint32_t microseconds)
{
	const uint64_t due = meter->per_second * rvs_min(microseconds, MILLION) + meter->rest;
	const int64_t before = __atomic_load_n(&meter->left, __ATOMIC_RELAXED);
	const int64_t room = (int64_t)meter->most - before, add = (int64_t)(due / MILLION);

	meter->rest = add < room ? due % MILLION : 0;
	__atomic_fetch_add(&meter->left, add < room ? add : room, __ATOMIC_RELAXED);
	return room > 0;
}

int rvs_refill(struct rvs *rvs, uint32_t microseconds)
{
	int less = 0;

	for (uint32_t p = 0; p < rvs->config.ports; p++) {
		const struct rvs_port *port = rvs_port_at(rvs, p);
		int any = 0;

		for (uint32_t i = 0; i < RVS_LIMITS; i++)
			if (port->limits & 1u << i)
				any |= refill(&rvs_rules_of(port)->meter[i], microseconds);
		less += any;
	}
	return less;
}
