/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, as text or as a line of JSON. The threads go on counting while they are read. */
#include <stdio.h>
#include <unistd.h>
#include "output.h"
#include "tap.h"
#include "utf8.h"

struct field {
	const char *name;
	size_t offset; /* of a uint64_t in struct queue */
};

#define SENT(name)                                       \
	{                                                \
#name, offsetof(struct queue, sent.name) \
	}
#define RECEIVED(name)                                       \
	{                                                    \
#name, offsetof(struct queue, received.name) \
	}

static const struct field sent_fields[] = {
	SENT(frames), SENT(bytes),	 SENT(gso),    SENT(dropped_length), SENT(dropped_offload),
	SENT(kicks),  SENT(kick_errors), SENT(sleeps), SENT(full),	     {NULL, 0},
};

static const struct field received_fields[] = {
	RECEIVED(frames),
	RECEIVED(bytes),
	RECEIVED(gso),
	RECEIVED(dropped_bad),
	RECEIVED(dropped_down),
	RECEIVED(dropped_refused),
	RECEIVED(dropped_on_purpose),
	RECEIVED(sleeps),
	RECEIVED(wakeups),
	{NULL, 0},
};

static uint64_t value_of(const struct queue *queue, const struct field *field)
{
	return __atomic_load_n(
		(const uint64_t *)(const void *)((const uint8_t *)queue + field->offset),
		__ATOMIC_RELAXED);
}

/* Returns the switch's counter. */
static uint64_t missed(const struct queue *queue)
{
	return __atomic_load_n(&queue->rx.ring.control->missed, __ATOMIC_RELAXED);
}

static json_object *as_json(const struct queue *queue, const struct field *fields)
{
	json_object *object = json_object_new_object();

	for (; fields->name; fields++)
		json_object_object_add(object, fields->name,
				       json_object_new_uint64(value_of(queue, fields)));
	return object;
}

static void print_json(FILE *to, struct daemon *d)
{
	json_object *root = json_object_new_object(), *queues = json_object_new_array();
	const uint32_t granted = rvif_load(&d->granted);

	json_object_object_add(root, "interface", utf8_json(interface_name(d)));
	json_object_object_add(root, "carrier", json_object_new_boolean(d->carrier));
	json_object_object_add(root, "csum", json_object_new_boolean(!!(granted & RVIF_F_CSUM)));
	json_object_object_add(root, "tso4", json_object_new_boolean(!!(granted & RVIF_F_TSO4)));
	json_object_object_add(root, "tso6", json_object_new_boolean(!!(granted & RVIF_F_TSO6)));
	for (uint32_t i = 0; i < d->options.queues; i++) {
		json_object *queue = json_object_new_object();
		json_object *received = as_json(&d->queues[i], received_fields);

		json_object_object_add(received, "missed",
				       json_object_new_uint64(missed(&d->queues[i])));
		json_object_object_add(queue, "sent", as_json(&d->queues[i], sent_fields));
		json_object_object_add(queue, "received", received);
		json_object_array_add(queues, queue);
	}
	json_object_object_add(root, "queues", queues);
	fprintf(to, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
	json_object_put(root);
}

static void print_queue(FILE *to, const struct queue *queue, const char *direction,
			const struct field *fields)
{
	fprintf(to, "  queue %u %s:", queue->number, direction);
	for (; fields->name; fields++)
		fprintf(to, " %s=%llu", fields->name, (unsigned long long)value_of(queue, fields));
}

static void print_text(FILE *to, struct daemon *d)
{
	const uint32_t granted = rvif_load(&d->granted);

	fprintf(to, "%s: carrier %s, offloads:%s%s%s\n", interface_name(d),
		d->carrier ? "on" : "off", granted & RVIF_F_CSUM ? " csum" : "",
		granted & RVIF_F_TSO4 ? " tso4" : "", granted & RVIF_F_TSO6 ? " tso6" : "");
	for (uint32_t i = 0; i < d->options.queues; i++) {
		print_queue(to, &d->queues[i], "sent", sent_fields);
		fputc('\n', to);
		print_queue(to, &d->queues[i], "received", received_fields);
		fprintf(to, " missed=%llu\n", (unsigned long long)missed(&d->queues[i]));
	}
}

void report(struct daemon *d)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return;
	if (d->options.json)
		print_json(to, d);
	else
		print_text(to, d);
	fclose(to);
	output_text(STDOUT_FILENO, text);
}
