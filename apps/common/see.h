/* SPDX-License-Identifier: Apache-2.0 */
/* What operators may see of a switch: counters and the forwarding table. It only reads. */
#ifndef COMMON_SEE_H
#define COMMON_SEE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <rvs/rvs.h>

/* Ports from first on, and what they are called: NULL, if there is no port of that number. */
struct see {
	struct rvs *rvs;
	uint32_t first, count;
	const char *(*name)(const void *owner, uint32_t port);
	/* Is what the switch has counted there the port's own? NULL: it always is. */
	bool (*counted)(const void *owner, uint32_t port);
	void (*more)(FILE *to, const struct see *see); /* metrics of the owner's; or NULL */
	const void *owner;
};

/* A list of its queues' counters. */
json_object *see_queues(const struct see *see, uint32_t port);
/* The forwarding table: addresses, their ports and VLANs, and how long ago each was heard. */
json_object *see_table(const struct see *see, uint32_t now);
/* A part of it, from *position on, 0 at first; what is at *position then is the next part's, 0:
 * that was the last. A part has 1024 entries at most and takes some milliseconds at most, however
 * large the table is; it may be empty. */
json_object *see_table_part(const struct see *see, uint32_t now, uint64_t *position);

/* All counters as OpenMetrics text (Prometheus). */
void see_print(const struct see *see, FILE *to);
/* The same into a file that appears whole. 0, or -1 with errno. */
int see_metrics(const struct see *see, const char *file);
/* For more(): the label with the port's name, up to where other labels or a brace can follow. */
void see_label(FILE *to, const struct see *see, uint32_t port);

#endif
