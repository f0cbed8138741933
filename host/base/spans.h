/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A histogram of how long an attachment's calls were suspended. A suspended call is counted at its
 * vCPU's next entry. A call without an interruption never comes here.
 */
#ifndef ELISA_HOST_SPANS_H
#define ELISA_HOST_SPANS_H

#include "base/objects.h"

/* Counts one suspension of @ns. In any context. */
static inline void eh_spans_count(struct eh_spans *spans, u64 ns)
{
	const unsigned int bucket = fls64(ns >> ELISA_SPAN_LOG2_NS);

	atomic64_add(ns, &spans->ns);
	atomic64_inc(&spans->times[min(bucket, ELISA_SPANS - 1u)]);
}

/* Adds the counts of an attachment that ends to its export's counts. */
static inline void eh_spans_add(struct eh_spans *to, const struct eh_spans *from)
{
	int i;

	atomic64_add(atomic64_read(&from->ns), &to->ns);
	for (i = 0; i < ELISA_SPANS; i++)
		atomic64_add(atomic64_read(&from->times[i]), &to->times[i]);
}

/* Adds the counts to a report, which may have counts of others. */
static inline void eh_spans_report(struct elisa_host_spans *to, const struct eh_spans *from)
{
	int i;

	to->ns += atomic64_read(&from->ns);
	for (i = 0; i < ELISA_SPANS; i++)
		to->times[i] += atomic64_read(&from->times[i]);
}

#endif
