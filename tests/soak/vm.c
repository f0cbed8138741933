// SPDX-License-Identifier: Apache-2.0
/*
 * The processes that live and die in the VMs of the soak test:
 *   manager NAME FILE  publishes NAME with the functions of FILE and stays
 *   steady NAME        calls until the export goes; every result must be right
 *   spin NAME          is in a call for ever; when the export goes it must get the error, and
 *                      attaches again; ends if its VM resets
 *   count NAME         one call of the shared counter
 *   strange SLOT       tries to enter a slot of another process
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <elisa/elisa.h>
#include <elisa/extra.h>
#include <elisa/gate_layout.h>

#include "../e2e/function.h"

#define LIMIT_US 300000 /* a process that is killed in a call dies after that */
#define WAIT_US	 50000
#define PATIENCE 4000 /* times WAIT_US */

static struct elisa *elisa;

static struct elisa_result call(struct elisa_attachment *a, int what, long x)
{
	return elisa_call(a, what, x, 2, 0, 0, 0);
}

static bool not_yet(int r)
{
	usleep(WAIT_US);
	return r == -EPERM || r == -ENOENT || r == -EAGAIN;
}

static int fail(const char *what, long value)
{
	printf("FAILED: %s: %ld (%s)\n", what, value, elisa_error(elisa));
	return 1;
}

static struct elisa_attachment *attach(const char *name)
{
	struct elisa_attachment *made;
	int r, tries = PATIENCE;

	do
		r = elisa_attach(elisa, name, 0, NULL, 0, &made);
	while (r < 0 && not_yet(r) && tries--);
	if (r < 0)
		exit(fail("attach", r));
	return made;
}

static int manager(const char *name, const char *file)
{
	struct elisa_extra_image *image;
	struct elisa_export *made;
	int r, tries = PATIENCE;

	do
		r = elisa_export_create(elisa, name, ELISA_EXPORT_GENERAL_REGS, LIMIT_US, &made);
	while (r < 0 && not_yet(r) && tries--);
	if (r < 0 || elisa_extra_load(made, file, 0, &image) < 0 ||
	    elisa_extra_publish(image, "entry_function") < 0)
		return fail("publish", r);
	printf("published\n");
	for (;;)
		pause();
}

static int steady(const char *name)
{
	struct elisa_attachment *a = attach(name);
	struct elisa_result r;
	long i, last = 0;

	for (i = 1;; i++) {
		r = call(a, E2E_COUNT, 0);
		if (r.error == ELISA_CALL_REVOKED) {
			printf("the export is gone\n");
			return 0;
		}
		if (r.error || r.value <= last)
			return fail("count", r.error);
		last = r.value;
		r = call(a, E2E_ADD, i);
		if (r.error != ELISA_CALL_REVOKED && (r.error || r.value != i + 2))
			return fail("add", r.error);
		if (i % 50 == 0)
			printf("steady\n");
		usleep(2000);
	}
}

static int spin(const char *name)
{
	struct elisa_attachment *a;
	struct elisa_result r;

	for (;;) {
		a = attach(name);
		r = call(a, E2E_ADD, 40);
		if (!r.error && r.value != 42)
			return fail("add", r.value);
		printf("in a call\n");
		do
			r = call(a, E2E_SPIN, 0);
		while (r.error == ELISA_CALL_TIMEOUT);
		if (r.error != ELISA_CALL_REVOKED)
			return fail("not revoked", r.error);
		r = call(a, E2E_ADD, 1);
		if (r.error == ELISA_CALL_NOT_ATTACHED)
			return 0; /* the driver lets go of all before a reset */
		if (r.error != ELISA_CALL_REVOKED)
			return fail("later not revoked", r.error);
		printf("revoked\n");
		if (elisa_detach(a) < 0)
			return fail("detach", 0);
	}
}

static int count(const char *name)
{
	struct elisa_result r = call(attach(name), E2E_COUNT, 0);

	printf("%ld\n", (long)r.value);
	return r.error;
}

static void illegal(int signal)
{
	(void)signal;
	_exit(0);
}

/* The gate of an attachment that is not this process's: an exception, as without VMFUNC. */
static int strange(unsigned int slot)
{
	signal(SIGILL, illegal);
	__asm__ volatile("vmfunc" : : "a"(0), "c"(ELISA_INDEX_GATE_IN(slot)));
	return fail("entered", slot);
}

int main(int argc, char **argv)
{
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "strange"))
		return strange(strtoul(argv[2], NULL, 0));
	r = elisa_open(NULL, &elisa);
	if (r < 0)
		return fail("open", r);
	if (!strcmp(argv[1], "manager") && argc == 4)
		return manager(argv[2], argv[3]);
	if (!strcmp(argv[1], "steady"))
		return steady(argv[2]);
	if (!strcmp(argv[1], "spin"))
		return spin(argv[2]);
	if (!strcmp(argv[1], "count"))
		return count(argv[2]);
	return 2;
}
