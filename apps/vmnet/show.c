/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include "show.h"

uint64_t show_number(json_object *object, const char *key)
{
	return json_object_get_uint64(json_object_object_get(object, key));
}

const char *show_link(json_object *port)
{
	json_object *state =
		json_object_object_get(json_object_object_get(port, "uplink"), "state");

	if (json_object_get_boolean(json_object_object_get(port, "closed")))
		return "closed";
	if (show_number(port, "kept_out"))
		return "out";
	if (!json_object_get_boolean(json_object_object_get(port, "link")))
		return "down";
	return json_object_is_type(state, json_type_string) ? json_object_get_string(state) : "up";
}

static void show_port(FILE *to, json_object *port)
{
	json_object *drops = json_object_object_get(port, "drops");

	fprintf(to, "%-16s %-6s %12llu %12llu %12llu ",
		json_object_get_string(json_object_object_get(port, "name")), show_link(port),
		(unsigned long long)show_number(port, "sent"),
		(unsigned long long)show_number(port, "received"),
		(unsigned long long)show_number(port, "missed"));
	json_object_object_foreach(drops, reason, count)
		fprintf(to, " %s=%s", reason, json_object_get_string(count));
	fputc('\n', to);
}

void show_ports(FILE *to, json_object *ports)
{
	fprintf(to, "%-16s %-6s %12s %12s %12s  %s\n", "port", "link", "sent", "received", "missed",
		"drops");
	for (size_t i = 0; i < json_object_array_length(ports); i++)
		show_port(to, json_object_array_get_idx(ports, i));
}

void show_table(FILE *to, json_object *table)
{
	fprintf(to, "%-18s %5s %-16s %s\n", "address", "vlan", "port", "heard");
	for (size_t i = 0; i < json_object_array_length(table); i++) {
		json_object *entry = json_object_array_get_idx(table, i), *age;

		if (!json_object_is_type(entry, json_type_object))
			continue;
		age = json_object_object_get(entry, "age");
		fprintf(to, "%-18s %5llu %-16s %s%s\n",
			json_object_get_string(json_object_object_get(entry, "mac")),
			(unsigned long long)show_number(entry, "vlan"),
			json_object_get_string(json_object_object_get(entry, "port")),
			age ? json_object_get_string(age) : "static", age ? " s ago" : "");
	}
}

static bool is_port(json_object *port)
{
	return json_object_is_type(port, json_type_object) &&
	       json_object_is_type(json_object_object_get(port, "name"), json_type_string) &&
	       json_object_is_type(json_object_object_get(port, "drops"), json_type_object);
}

json_object *show_ports_of(json_object *root)
{
	json_object *ports = json_object_is_type(root, json_type_object) ?
				     json_object_object_get(root, "ports") :
				     NULL;

	if (!json_object_is_type(ports, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(ports); i++)
		if (!is_port(json_object_array_get_idx(ports, i)))
			return NULL;
	return ports;
}
