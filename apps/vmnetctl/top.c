/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rates of all ports, from the counters of two views. Each view clears a terminal; in a file or a
 * pipe, views follow one another. A slow terminal delays only this program.
 */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "clock.h"
#include "show.h"
#include "view.h"

static uint64_t drops(json_object *port)
{
	uint64_t sum = 0;

	json_object_object_foreach(json_object_object_get(port, "drops"), reason, count)
	{
		(void)reason;
		sum += json_object_get_uint64(count);
	}
	return sum;
}

/* Returns the same port in the last view, or NULL if another VM had it then: the counters begin
 * anew with the next VM. */
static json_object *before(json_object *ports, json_object *port)
{
	const char *name = json_object_get_string(json_object_object_get(port, "name"));

	for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
		json_object *old = json_object_array_get_idx(ports, i);

		if (!strcmp(json_object_get_string(json_object_object_get(old, "name")), name))
			return show_number(old, "attachment") == show_number(port, "attachment") ?
				       old :
				       NULL;
	}
	return NULL;
}

static void add_rate(json_object *rates, const char *name, double value)
{
	json_object_object_add(rates, name, json_object_new_uint64((uint64_t)(value + 0.5)));
}

static json_object *rates_of(json_object *port, json_object *old, double seconds)
{
	static const struct {
		const char *counter, *rate;
		double factor;
	} known[] = {
		{"sent", "sent_per_second", 1},
		{"received", "received_per_second", 1},
		{"sent_bytes", "sent_bits_per_second", 8},
		{"received_bytes", "received_bits_per_second", 8},
		{"missed", "missed_per_second", 1},
	};
	json_object *rates = json_object_new_object();

	json_object_object_add(rates, "name",
			       json_object_get(json_object_object_get(port, "name")));
	json_object_object_add(rates, "link", json_object_new_string(show_link(port)));
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		add_rate(rates, known[i].rate,
			 known[i].factor *
				 view_per_second(show_number(port, known[i].counter),
						 old ? show_number(old, known[i].counter) : 0,
						 seconds));
	add_rate(rates, "drops_per_second",
		 view_per_second(drops(port), old ? drops(old) : 0, seconds));
	return rates;
}

static json_object *all_rates(json_object *ports, json_object *old, double seconds)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);

		json_object_array_add(list, rates_of(port, before(old, port), seconds));
	}
	return list;
}

static void print_rates(FILE *to, json_object *list)
{
	view_begin(to);
	fprintf(to, "%-16s %-6s %11s %11s %11s %11s %9s %9s\n", "port", "link", "sent/s",
		"received/s", "out Mbit/s", "in Mbit/s", "missed/s", "drops/s");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *port = json_object_array_get_idx(list, i);

		fprintf(to, "%-16s %-6s %11llu %11llu %11.1f %11.1f %9llu %9llu\n",
			json_object_get_string(json_object_object_get(port, "name")),
			json_object_get_string(json_object_object_get(port, "link")),
			(unsigned long long)show_number(port, "sent_per_second"),
			(unsigned long long)show_number(port, "received_per_second"),
			1e-6 * (double)show_number(port, "sent_bits_per_second"),
			1e-6 * (double)show_number(port, "received_bits_per_second"),
			(unsigned long long)show_number(port, "missed_per_second"),
			(unsigned long long)show_number(port, "drops_per_second"));
	}
}

static int view(json_object *rates, bool json)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	int error;

	if (!to)
		return -1;
	if (json)
		fprintf(to, "%s\n", json_object_to_json_string_ext(rates, JSON_C_TO_STRING_PLAIN));
	else
		print_rates(to, rates);
	error = fclose(to) ? -1 : put(text);
	free(text);
	return error;
}

/* Gets a view, on a connection of its own: the daemon drops a connection that asks nothing for a
 * time, which the interval may exceed. */
static json_object *look(const struct options *options)
{
	const int fd = ask_open(options->socket);
	json_object *report;

	if (fd < 0)
		return NULL;
	report = ask(fd, &(struct question){.command = "ports"});
	close(fd);
	return report;
}

int top(const struct options *options)
{
	json_object *last = look(options);
	double then = monotonic();
	int error = show_ports_of(last) ? 0 : -1;

	for (uint64_t i = 0; !error && (!options->count || i < options->count); i++) {
		json_object *next, *rates;
		double now;

		view_rest(options->interval);
		next = look(options);
		now = monotonic();
		error = show_ports_of(next) ? 0 : -1;
		if (!error) {
			rates = all_rates(show_ports_of(next), show_ports_of(last), now - then);
			error = view(rates, options->json);
			json_object_put(rates);
		}
		json_object_put(last);
		last = next;
		then = now;
	}
	json_object_put(last);
	return error;
}
