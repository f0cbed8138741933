/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's manager: publishes the object under two names, watches which guests come and go,
 * and ends when as many attachments have ended as its argument says.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <elisa/elisa.h>
#include <elisa/extra.h>

static struct elisa_export *publish(struct elisa *elisa, const char *name, const char *file)
{
	struct elisa_extra_image *image;
	struct elisa_export *made;
	int r, tries = 500;

	/* the administrator's grant may come a moment after the VM has started */
	while ((r = elisa_export_create(elisa, name, ELISA_EXPORT_GENERAL_REGS, 0, &made)) ==
		       -EPERM &&
	       tries--)
		usleep(20000);
	if (!r)
		r = elisa_extra_load(made, file, 0, &image);
	if (!r)
		r = elisa_extra_publish(image, "entry_function");
	if (r) {
		fprintf(stderr, "manager: %s\n", elisa_error(elisa));
		return NULL;
	}
	printf("published \"%s\": code, data and one entry function\n", name);
	return made;
}

static const char *what_happened(const struct elisa_event *event)
{
	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		return "attached";
	case ELISA_EVENT_DETACH:
		return "detached";
	case ELISA_EVENT_ABORT:
		return "had a call aborted";
	case ELISA_EVENT_MEMORY:
		return "is none: memory failed, and the export has ended";
	case ELISA_EVENT_DIRTY_LOG:
		return "is none: this VM's writes are logged, and the export has ended";
	}
	return "is part of lost events";
}

int main(int argc, char **argv)
{
	int ends = argc > 2 ? atoi(argv[2]) : 4;
	struct elisa_event event;
	struct elisa *elisa;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || elisa_open(NULL, &elisa) < 0) {
		fprintf(stderr, "manager: %s\n", argc < 2 ? "which object?" : elisa_error(NULL));
		return 1;
	}
	if (!publish(elisa, "demo.strict", argv[1]) || !publish(elisa, "demo.trusted", argv[1]))
		return 1;
	while (ends) {
		struct pollfd wait = {.fd = elisa_fd(elisa), .events = POLLIN};

		if (poll(&wait, 1, 60000) <= 0 || elisa_events_read(elisa, &event, 1) < 0) {
			fprintf(stderr, "manager: no guest came\n");
			return 1;
		}
		printf("event: attachment %llu of export %u %s\n",
		       (unsigned long long)event.attachment, event.export_id,
		       what_happened(&event));
		ends -= event.type == ELISA_EVENT_DETACH;
	}
	return 0;
}
