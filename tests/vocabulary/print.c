/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the vocabularies of the headers as the tables of the documents: print LIST. A row in
 * Markdown also has the number; a row in a manual page has the word and the text.
 */
#include <stdio.h>
#include <string.h>
#include <elisa/guest_ioctl.h>
#include <elisa/host_ioctl.h>
#include <rvs/rvs.h>
#include "seen.h"

#define MD_ROW(prefix, name, number, text) \
	printf("| `" prefix "%s` | %lld | %s |\n", #name, (long long)(number), text);

#define EXPORT_FLAG(name, bit, word, text) MD_ROW("ELISA_EXPORT_", name, 1u << (bit), text)
#define ATTACH_FLAG(name, bit, word, text) MD_ROW("ELISA_ATTACH_", name, 1u << (bit), text)
#define RIGHT(name, bit, word, text)	   MD_ROW("ELISA_GRANT_", name, 1u << (bit), text)
#define HOST_FLAG(name, bit, word, text)   MD_ROW("ELISA_HOST_", name, 1u << (bit), text)
#define CALL_ERROR(name, number, text)	   MD_ROW("ELISA_CALL_", name, number, text)
#define EVENT(name, number, word, text)	   MD_ROW("ELISA_EVENT_", name, number, text)
#define COUNTER(name, word, text)	   printf("| %d | `%s` | %s |\n", ELISA_COUNT_##name, word, text);
#define NUMBERED(name, number, word, text) printf("| %d | `%s` | %s |\n", number, word, text);
#define WHY(name, text, value) \
	printf("| %d | `%s` | %s | %s |\n", ELISA_WHY_##name, #name, text, value);
#define UPLINK_COUNTER(way, name, text) printf("| `%s.%s` | %s |\n", #way, #name, text);
#define DROP(name, word, text)		printf("| `%s` | %s |\n", #word, text);

#define MAN_ROW(word, text)		printf(".It Em %s\n%s.\n", word, text);
#define MAN_FLAG(name, bit, word, text) MAN_ROW(word, text)
#define MAN_COUNTER(name, word, text)	MAN_ROW(word, text)
#define HOST_EVENT(name, number, word, text) \
	printf("| %d | `%s` | %s |\n", ELISA_HOST_EVENT_##name, word, text);
#define MAN_DROP(name, word, text) MAN_ROW(#word, text)

static void export_flags(void)
{
	ELISA_EXPORT_FLAG_LIST(EXPORT_FLAG)
}

static void attach_flags(void)
{
	ELISA_ATTACH_FLAG_LIST(ATTACH_FLAG)
}

static void rights(void)
{
	ELISA_GRANT_LIST(RIGHT)
}

static void host_flags(void)
{
	ELISA_HOST_FLAG_LIST(HOST_FLAG)
}

static void call_errors(void)
{
	ELISA_CALL_ERROR_LIST(CALL_ERROR)
}

static void events(void)
{
	ELISA_EVENT_LIST(EVENT)
}

static void counters(void)
{
	ELISA_COUNTER_LIST(COUNTER)
}

static void vcpu_states(void)
{
	ELISA_VCPU_STATE_LIST(NUMBERED)
}

static void closed(void)
{
	ELISA_CLOSED_LIST(NUMBERED)
}

static void why(void)
{
	ELISA_WHY_LIST(WHY)
}

static void drops(void)
{
	RVS_DROP_LIST(DROP)
}

static void uplink_counters(void)
{
	UPLINK_COUNTER_LIST(UPLINK_COUNTER)
}

static void man_export_flags(void)
{
	ELISA_EXPORT_FLAG_LIST(MAN_FLAG)
}

static void man_host_flags(void)
{
	ELISA_HOST_FLAG_LIST(MAN_FLAG)
}

static void man_counters(void)
{
	ELISA_COUNTER_LIST(MAN_COUNTER)
}

static void man_vcpu_states(void)
{
	ELISA_VCPU_STATE_LIST(MAN_FLAG)
}

static void man_closed(void)
{
	ELISA_CLOSED_LIST(MAN_FLAG)
}

static void man_events(void)
{
	ELISA_EVENT_LIST(MAN_FLAG)
}

static void man_drops(void)
{
	RVS_DROP_LIST(MAN_DROP)
}

static void host_events(void)
{
	ELISA_HOST_EVENT_LIST(HOST_EVENT)
}

static void man_host_events(void)
{
	ELISA_HOST_EVENT_LIST(MAN_FLAG)
}

static const struct {
	const char *name;
	void (*print)(void);
} lists[] = {
	{"export-flags", export_flags},
	{"attach-flags", attach_flags},
	{"rights", rights},
	{"host-flags", host_flags},
	{"call-errors", call_errors},
	{"events", events},
	{"counters", counters},
	{"vcpu-states", vcpu_states},
	{"closed", closed},
	{"why", why},
	{"drops", drops},
	{"uplink-counters", uplink_counters},
	{"host-events", host_events},
	{"man-host-events", man_host_events},
	{"man-export-flags", man_export_flags},
	{"man-host-flags", man_host_flags},
	{"man-counters", man_counters},
	{"man-vcpu-states", man_vcpu_states},
	{"man-closed", man_closed},
	{"man-events", man_events},
	{"man-drops", man_drops},
};

/* Prints each list after a line with its name. */
int main(void)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		printf("= %s\n", lists[i].name);
		lists[i].print();
	}
	return 0;
}
