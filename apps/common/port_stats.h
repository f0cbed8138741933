/* SPDX-License-Identifier: Apache-2.0 */
/* A port's address and what the switch counted of it (struct rvs_stats), as reports show them. */
#ifndef COMMON_PORT_STATS_H
#define COMMON_PORT_STATS_H

#include <json-c/json.h>
#include <rvs.h>
#include <stdio.h>

#define MAC_TEXT_SIZE 18
void mac_text(const uint8_t mac[6], char text[MAC_TEXT_SIZE]);

/* Adds a key for each counter to an object; "drops" has the reasons that occurred. */
void port_stats_add(json_object *to, const struct rvs_stats *stats);
void port_stats_add_rate(json_object *to, const char *key, uint64_t frames, double seconds);

/* All reasons together. */
uint64_t port_stats_drops(const struct rvs_stats *stats);
/* " reason=count" for each that occurred, and the end of the line. */
void port_stats_print_drops(FILE *to, const struct rvs_stats *stats);

#endif
