/* SPDX-License-Identifier: Apache-2.0 */
#include "port_stats.h"

/* Each reason of the switch has a name: both are of one list. */
#define DROP_NAME(name, text) [RVS_DROP_##name] = #text,

static const char *const drop_names[RVS_DROPS] = {[RVS_GOOD] = "good", RVS_DROP_LIST(DROP_NAME)};

void mac_text(const uint8_t mac[6], char text[MAC_TEXT_SIZE])
{
	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

static void add(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void port_stats_add(json_object *to, const struct rvs_stats *stats)
{
	json_object *drops = json_object_new_object();

	add(to, "sent", stats->frames);
	add(to, "sent_bytes", stats->bytes);
	add(to, "copies", stats->copies);
	add(to, "delivered", stats->delivered);
	add(to, "received", stats->rx_frames);
	add(to, "received_bytes", stats->rx_bytes);
	add(to, "missed", stats->rx_missed);
	for (int reason = 0; reason < RVS_DROPS; reason++)
		if (stats->drops[reason])
			add(drops, drop_names[reason], stats->drops[reason]);
	json_object_object_add(to, "drops", drops);
}

void port_stats_add_rate(json_object *to, const char *key, uint64_t frames, double seconds)
{
	add(to, key, (uint64_t)((double)frames / seconds));
}

uint64_t port_stats_drops(const struct rvs_stats *stats)
{
	uint64_t sum = 0;

	for (int reason = 0; reason < RVS_DROPS; reason++)
		sum += stats->drops[reason];
	return sum;
}

void port_stats_print_drops(FILE *to, const struct rvs_stats *stats)
{
	for (int reason = 0; reason < RVS_DROPS; reason++)
		if (stats->drops[reason])
			fprintf(to, " %s=%llu", drop_names[reason],
				(unsigned long long)stats->drops[reason]);
	fputc('\n', to);
}
