/* SPDX-License-Identifier: Apache-2.0 */
/* A port's address, and what the switch has counted for the port (struct rvs_stats), as reports
 * show them. */
#ifndef COMMON_PORT_STATS_H
#define COMMON_PORT_STATS_H

#include <json-c/json.h>
#include <rvs/rvs.h>
#include <stddef.h>
#include <stdio.h>

#define MAC_TEXT_SIZE 18
void mac_text(const uint8_t mac[6], char text[MAC_TEXT_SIZE]);

/* What each queue counts, by its names in JSON and in OpenMetrics. These names do not change. */
struct port_counter {
	const char *key, *metric, *help;
	size_t offset; /* in struct rvs_stats */
};

#define PORT_COUNTERS 7
extern const struct port_counter port_counters[PORT_COUNTERS];
uint64_t port_counter_of(const struct port_counter *counter, const struct rvs_stats *stats);
/* Returns the name of a reason (enum rvs_verdict). */
const char *port_drop_name(uint32_t reason);

/* Adds "vlan" and "trunk" to an object, if the port has them. */
void port_stats_add_vlans(json_object *to, const struct rvs_policy *policy);

/* Adds a key for each counter to an object; "drops" has the reasons that occurred. */
void port_stats_add(json_object *to, const struct rvs_stats *stats);
void port_stats_add_rate(json_object *to, const char *key, uint64_t frames, double seconds);

/* Returns the sum for all reasons. */
uint64_t port_stats_drops(const struct rvs_stats *stats);
/* Prints " reason=count" for each reason that occurred, and the end of the line. */
void port_stats_print_drops(FILE *to, const struct rvs_stats *stats);

#endif
