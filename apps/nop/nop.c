/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest ELISA application: both sides, as callbacks of elisa-exec(1). The manager publishes
 * a function. A guest calls it once, for a shared counter, or in a timed loop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elisa/exec.h>
#include <elisa/extra.h>
#include <x86intrin.h>

enum {
	RETURN_ONE,
	COUNT
}; /* as in nop_function.c */

static int manager_init(struct elisa_export *export_, uint64_t offset, int argc, char **argv)
{
	struct elisa_extra_image *image;
	int ret;

	ret = elisa_extra_load(export_, argc > 1 ? argv[1] : "nop_function.so", offset, &image);
	if (ret < 0)
		return ret;
	ret = elisa_extra_publish(image, "entry_function");
	elisa_extra_unload(image);
	return ret;
}

static int call_once(struct elisa_attachment *attachment, long what)
{
	struct elisa_result result = elisa_call(attachment, what, 0, 0, 0, 0, 0);

	if (result.error) {
		fprintf(stderr, "nop: %s\n", elisa_call_strerror(result.error));
		return 1;
	}
	printf("%ld\n", result.value);
	return 0;
}

static int call_many(struct elisa_attachment *attachment, long count)
{
	unsigned long long start = __rdtsc();

	for (long i = 0; i < count; i++) {
		struct elisa_result result = elisa_call(attachment, RETURN_ONE, 0, 0, 0, 0, 0);

		if (result.error) {
			fprintf(stderr, "nop: call %ld: %s\n", i,
				elisa_call_strerror(result.error));
			return 1;
		}
	}
	printf("%ld calls, %.1f cycles per call\n", count,
	       (double)(__rdtsc() - start) / (double)count);
	return 0;
}

static int guest_main(struct elisa_attachment *attachment, int argc, char **argv)
{
	const char *const number = argc > 2 ? argv[2] : "1000000";
	char *end;
	const long count = strtol(number, &end, 10);

	if (argc > 1 && !strcmp(argv[1], "count"))
		return call_once(attachment, COUNT);
	if (argc < 2 || strcmp(argv[1], "loop"))
		return call_once(attachment, RETURN_ONE);
	if (count > 0 && !*end)
		return call_many(attachment, count);
	fprintf(stderr, "nop: loop: '%s' is not a number of calls\n", number);
	return 2;
}

const struct elisa_app elisa_app = {
	.version = ELISA_APP_VERSION,
	.manager_init = manager_init,
	.guest_main = guest_main,
};
