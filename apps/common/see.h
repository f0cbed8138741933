/* SPDX-License-Identifier: Apache-2.0 */
/* What operators may see of a switch: counters and the forwarding table. This code only reads. */
#ifndef COMMON_SEE_H
#define COMMON_SEE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <rvs/rvs.h>

/* The ports from `first` on, and their names; NULL: there is no port of that number. */
struct see {
	struct rvs *rvs;
	uint32_t first, count;
	const char *(*name)(const void *owner, uint32_t port);
	/* tells whether the switch's counters there are the port's own; NULL: they always are */
	bool (*counted)(const void *owner, uint32_t port);
	void (*more)(FILE *to, const struct see *see); /* prints metrics of the owner; or NULL */
	const void *owner;
};

/* Returns a list of the counters of the port's queues. */
json_object *see_queues(const struct see *see, uint32_t port);
/* Returns the forwarding table: addresses, their ports and VLANs, and how long ago each was
 * heard. */
json_object *see_table(const struct see *see, uint32_t now);
/* Returns a part of the table, from *position on, which is 0 at first. Then *position is where the
 * next part begins; 0: that was the last one. A part has 1024 entries at most and takes some
 * milliseconds at most, however large the table is. It may be empty. */
json_object *see_table_part(const struct see *see, uint32_t now, uint64_t *position);

/* Prints all counters as OpenMetrics text (Prometheus). */
void see_print(const struct see *see, FILE *to);
/* Writes all counters to a file, which appears complete or not at all. Returns 0, or -1 with
 * errno. */
int see_metrics(const struct see *see, const char *file);
/* For more(): prints the label with the port's name, up to where other labels or a brace can
 * follow. */
void see_label(FILE *to, const struct see *see, uint32_t port);

#endif
