/* SPDX-License-Identifier: Apache-2.0 */
#include "port_stats.h"
#include "vlans.h"

/* The names come from the list of the switch's reasons, so each reason has one. */
#define DROP_NAME(name, word, text) [RVS_DROP_##name] = #word,

static const char *const drop_names[RVS_DROPS] = {[RVS_GOOD] = "good", RVS_DROP_LIST(DROP_NAME)};

#define COUNTER(its_key, its_metric, member, text)                         \
	{                                                                  \
		.key = its_key, .metric = "rvs_" its_metric,               \
		.offset = offsetof(struct rvs_stats, member), .help = text \
	}

const struct port_counter port_counters[PORT_COUNTERS] = {
	COUNTER("sent", "sent_frames", frames, "Frames that the switch took from the port."),
	COUNTER("sent_bytes", "sent_bytes", bytes, "Bytes of these."),
	COUNTER("copies", "copied_frames", copies,
		"More receivers of flooded frames, more segments of cut ones."),
	COUNTER("delivered", "delivered_frames", delivered,
		"Frames of the port that others received."),
	COUNTER("received", "received_frames", rx_frames, "Frames that the port received."),
	COUNTER("received_bytes", "received_bytes", rx_bytes, "Bytes of these."),
	COUNTER("missed", "missed_frames", rx_missed, "Frames for the port that found no buffers."),
};

uint64_t port_counter_of(const struct port_counter *counter, const struct rvs_stats *stats)
{
	return *(const uint64_t *)(const void *)((const uint8_t *)stats + counter->offset);
}

const char *port_drop_name(uint32_t reason)
{
	return drop_names[reason];
}

void mac_text(const uint8_t mac[6], char text[MAC_TEXT_SIZE])
{
	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

static void add(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void port_stats_add_vlans(json_object *to, const struct rvs_policy *policy)
{
	char trunk[4096];

	if (policy->vlan)
		add(to, "vlan", policy->vlan);
	vlans_print(policy->trunk, trunk, sizeof(trunk));
	if (*trunk)
		json_object_object_add(to, "trunk", json_object_new_string(trunk));
}

void port_stats_add(json_object *to, const struct rvs_stats *stats)
{
	json_object *drops = json_object_new_object();

	for (size_t i = 0; i < PORT_COUNTERS; i++)
		add(to, port_counters[i].key, port_counter_of(&port_counters[i], stats));
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
