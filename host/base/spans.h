/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For how long calls were suspended, as a histogram of an attachment's. It is counted when a
 * suspended call comes to its next entry: a call that nothing interrupts never gets here.
 */
#ifndef ELISA_HOST_SPANS_H
#define ELISA_HOST_SPANS_H

#include "base/objects.h"

static inline void eh_spans_count(struct eh_spans *spans, u64 ns)
{
	const unsigned int bucket = fls64(ns >> ELISA_SPAN_LOG2_NS);

	atomic64_add(ns, &spans->ns);
	atomic64_inc(&spans->times[min(bucket, ELISA_SPANS - 1u)]);
}

/* What an attachment that ends has counted is its export's. */
static inline void eh_spans_add(struct eh_spans *to, const struct eh_spans *from)
{
	int i;

	atomic64_add(atomic64_read(&from->ns), &to->ns);
	for (i = 0; i < ELISA_SPANS; i++)
		atomic64_add(atomic64_read(&from->times[i]), &to->times[i]);
}

/* Onto what @to has already. */
static inline void eh_spans_report(struct elisa_host_spans *to, const struct eh_spans *from)
{
	int i;

	to->ns += atomic64_read(&from->ns);
	for (i = 0; i < ELISA_SPANS; i++)
		to->times[i] += atomic64_read(&from->times[i]);
}

#endif
