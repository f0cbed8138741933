/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the self-test runs: all programs of the folders machine and attack, the tests that an
 * emulator cannot run (docs/hardware.md says why), and the benchmark.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "selftest.h"

#define HARDWARE(called, path, ...)                                                                \
	{                                                                                          \
		.group = "hardware", .name = called, .program = path, .arguments = { __VA_ARGS__ } \
	}

static const struct selftest_item others[] = {
	HARDWARE("call", "probe", NULL),
	{"hardware", "apicv", "machine/apicv", {NULL}, "enable_apicv"},
	{"hardware", "preemption-timer", "probe", {"timer"}, "preemption_timer"},
	{"hardware", "page-modification-log", "machine/memslot", {NULL}, "pml"},
	HARDWARE("cr4-la57", "probe", "cr4", "12"),
	HARDWARE("cr4-pcide", "probe", "cr4", "17"),
	HARDWARE("cr4-cet", "probe", "cr4", "23"),
	HARDWARE("cr4-uintr", "probe", "cr4", "25"),
	HARDWARE("cr4-lam", "probe", "cr4", "28"),
	HARDWARE("guest-pebs", "probe", "msr", "0x3f1", "1"),
	HARDWARE("guest-lbr", "probe", "msr", "0x1d9", "1"),
	HARDWARE("guest-bts", "probe", "msr", "0x1d9", "0x80"),
	HARDWARE("host-nmi", "sampled", "cycles", "machine/strict"),
	HARDWARE("host-pebs", "sampled", "cycles:pp", "machine/strict"),
	{"bench", "calls", "bench", {NULL}, NULL},
};

static int add(struct selftest_list *list, const struct selftest_item *item)
{
	struct selftest_item *more = reallocarray(list->item, list->count + 1, sizeof(*list->item));

	if (!more)
		return ENOMEM;
	list->item = more;
	more[list->count++] = *item;
	return 0;
}

static int add_program(struct selftest_list *list, const char *group, const char *name)
{
	struct selftest_item item = {.group = ""};

	if (strlen(name) >= sizeof(item.name))
		return ENAMETOOLONG;
	strcpy(item.group, group);
	strcpy(item.name, name);
	snprintf(item.program, sizeof(item.program), "%s/%s", item.group, item.name);
	return add(list, &item);
}

/* Adds all programs of one folder below @folder; the folder's name is the group. */
static int add_folder(struct selftest_list *list, const char *folder, const char *group)
{
	char path[512];
	struct dirent **entry;
	int count, error = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, group);
	count = scandir(path, &entry, NULL, alphasort);
	if (count < 0)
		return errno;
	for (int i = 0; i < count; i++) {
		if (!error && entry[i]->d_name[0] != '.')
			error = add_program(list, group, entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return error;
}

int selftest_list_read(const char *folder, struct selftest_list *list)
{
	int error;

	*list = (struct selftest_list){.item = NULL};
	error = add_folder(list, folder, "machine");
	if (!error)
		error = add_folder(list, folder, "attack");
	for (size_t i = 0; !error && i < sizeof(others) / sizeof(*others); i++)
		error = add(list, &others[i]);
	return error;
}
