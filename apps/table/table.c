/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table for elisa-exec(1). A manager prepares it and gets the events of aborts. A guest puts,
 * gets and deletes, once or many times.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <elisa/exec.h>
#include <elisa/extra.h>
#include "manager.h"

#define PLACES_OFFSET (ELISA_OBJECT_SIZE / 2)
#define VALUE_OFFSET  256 /* in the exchange buffer, behind the key */

/* ------------------------------------------------------------------------------- manager */

static struct elisa_extra_image *image;
static struct table *object; /* the manager's own view of the table */

static int manager_init(struct elisa_export *export_, uint64_t offset, int argc, char **argv)
{
	uint64_t secret;
	int ret;

	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	/* a place for each guest: it gives a caller its number, and its share of the memory */
	ret = elisa_export_places(export_, PLACES_OFFSET, TABLE_PLACES, ELISA_PAGE_SIZE, 0);
	if (ret < 0)
		return ret;
	ret = elisa_extra_load(export_, argc > 1 ? argv[1] : "table_function.so", offset, &image);
	if (ret < 0)
		return ret;
	object = elisa_extra_address(image, "table");
	ret = object ? table_init(object, secret) : -ENOENT;
	return ret < 0 ? ret : elisa_extra_publish(image, "entry_function");
}

static void manager_event(struct elisa_export *export_, const struct elisa_event *event)
{
	(void)export_;
	elisa_callers_event(&object->callers, event);
}

static void manager_exit(struct elisa_export *export_)
{
	(void)export_;
	elisa_extra_unload(image);
}

/* --------------------------------------------------------------------------------- guest */

/* Calls the function. Returns its result, or a negative number of <errno.h>. If the table is busy,
 * it calls again. */
static long call(struct elisa_attachment *attachment, enum table_op op, const char *key,
		 const char *value, long length)
{
	char *buffer = elisa_attachment_exchange(attachment);
	const size_t key_length = key ? strlen(key) : 0;
	struct elisa_result result;

	if (key_length > TABLE_KEY_MAX || length > TABLE_VALUE_MAX)
		return -EINVAL;
	if (key)
		memcpy(buffer, key, key_length); /* NOLINT(bugprone-not-null-terminated-result) */
	if (value)
		memcpy(buffer + VALUE_OFFSET, value, (size_t)length);
	do
		result = elisa_call(attachment, op, 0, (long)key_length, VALUE_OFFSET, length, 0);
	while (!result.error && result.value == -EBUSY);
	if (!result.error)
		return result.value;
	fprintf(stderr, "table: %s\n", elisa_call_strerror(result.error));
	return -ECANCELED;
}

static int say(long result)
{
	if (result < 0)
		fprintf(stderr, "table: %s\n", strerror((int)-result));
	return result < 0;
}

static int get(struct elisa_attachment *attachment, const char *key)
{
	const char *buffer = elisa_attachment_exchange(attachment);
	const long length = call(attachment, TABLE_GET, key, NULL, TABLE_VALUE_MAX);

	if (length >= 0)
		printf("%.*s\n", (int)length, buffer + VALUE_OFFSET);
	return say(length);
}

/* Puts, gets and deletes keys of its own, and compares the values. */
static int many(struct elisa_attachment *attachment, long count, const char *name)
{
	const char *buffer = elisa_attachment_exchange(attachment);

	for (long i = 0; i < count; i++) {
		char key[64], value[64];
		int length;

		snprintf(key, sizeof(key), "%s-%ld", name, i % 100);
		length = snprintf(value, sizeof(value), "value %ld", i);
		if (call(attachment, TABLE_PUT, key, value, length) ||
		    call(attachment, TABLE_GET, key, NULL, TABLE_VALUE_MAX) != length ||
		    memcmp(buffer + VALUE_OFFSET, value, (size_t)length) ||
		    (i % 3 == 0 && call(attachment, TABLE_DELETE, key, NULL, 0))) {
			fprintf(stderr, "table: round %ld went wrong\n", i);
			return 1;
		}
	}
	printf("%ld rounds, %ld bytes\n", count, call(attachment, TABLE_USED, NULL, NULL, 0));
	return 0;
}

static int guest_main(struct elisa_attachment *attachment, int argc, char **argv)
{
	char *end = NULL;
	const long count = argc == 4 ? strtol(argv[2], &end, 10) : 0;

	if (argc == 3 && !strcmp(argv[1], "get"))
		return get(attachment, argv[2]);
	if (argc == 4 && !strcmp(argv[1], "put"))
		return say(call(attachment, TABLE_PUT, argv[2], argv[3], (long)strlen(argv[3])));
	if (argc == 3 && !strcmp(argv[1], "delete"))
		return say(call(attachment, TABLE_DELETE, argv[2], NULL, 0));
	if (argc == 4 && !strcmp(argv[1], "many") && count > 0 && !*end)
		return many(attachment, count, argv[3]);
	fprintf(stderr, "table: get KEY, put KEY VALUE, delete KEY, or many COUNT NAME\n");
	return 2;
}

const struct elisa_app elisa_app = {
	.version = ELISA_APP_VERSION,
	.exchange_size = ELISA_PAGE_SIZE,
	.manager_init = manager_init,
	.manager_event = manager_event,
	.manager_exit = manager_exit,
	.guest_main = guest_main,
};
