/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the module's events as they happen: a line, or with --json an object, for each event. */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "elisactl.h"

#define BATCH 32

static void show(const struct options *options, const struct elisa_host_event *event)
{
	json_object *shown;
	char text[512];

	if (options->json) {
		shown = event_json(event);
		puts(json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(shown);
		return;
	}
	event_text(event, text, sizeof(text));
	printf("%llu.%06llu %s\n", (unsigned long long)event->time_ns / 1000000000,
	       (unsigned long long)event->time_ns / 1000 % 1000000, text);
}

int run_events(const struct options *options)
{
	struct elisa_host_watch watch = {.kinds = ELISA_HOST_EVENT_KINDS,
					 .size = sizeof(struct elisa_host_event)};
	struct elisa_host_event events[BATCH];
	const int fd = open_device(options);
	ssize_t n = 1;
	int error = 0;

	if (fd < 0)
		return 1;
	if (ioctl(fd, ELISA_HOST_IOC_WATCH, &watch) < 0)
		error = errno;
	do {
		n = error ? 0 : read(fd, events, sizeof(events));
		if (n < 0)
			error = errno;
		for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*events); i++)
			show(options, &events[i]);
	} while (n > 0 && !fflush(stdout) && options->follow);
	close(fd);
	if (error == EBUSY) {
		fprintf(stderr, "elisactl: events: the module allows no more readers: end one\n");
		return 1;
	}
	return error ? fail("events", error) : ferror(stdout) != 0;
}
