/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark's manager: one export for each way to call, and one for each size. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <elisa/elisa.h>
#include <elisa/extra.h>

static int publish(struct elisa *elisa, const char *name, uint32_t flags, const char *file,
		   size_t size)
{
	struct elisa_extra_image *image;
	struct elisa_export *made;
	int r, tries = 500;
	void *data;

	while ((r = elisa_export_create(elisa, name, flags, 0, &made)) == -EPERM && tries--)
		usleep(20000);
	if (!r)
		r = elisa_extra_load(made, file, 0, &image);
	if (!r && size) {
		data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		r = data == MAP_FAILED ? -ENOMEM :
					 elisa_export_map(made, 1 << 30, data, size,
							  ELISA_PROT_READ | ELISA_PROT_WRITE);
	}
	if (!r)
		r = elisa_extra_publish(image, "entry_function");
	if (r)
		fprintf(stderr, "bench manager: %s: %s\n", name, elisa_error(elisa));
	return r;
}

int main(int argc, char **argv)
{
	const char *file = argc > 1 ? argv[1] : "bench_function.so";
	struct elisa *elisa;

	if (elisa_open(NULL, &elisa) < 0 || publish(elisa, "bench.strict.any", 0, file, 0) ||
	    publish(elisa, "bench.strict.general", ELISA_EXPORT_GENERAL_REGS, file, 0) ||
	    publish(elisa, "bench.strict.full", 0, file, 0) ||
	    publish(elisa, "bench.trusted.general", ELISA_EXPORT_GENERAL_REGS, file, 0) ||
	    publish(elisa, "bench.trusted.full", 0, file, 0) ||
	    publish(elisa, "bench.strict.4KiB", ELISA_EXPORT_GENERAL_REGS, file, 4 << 10) ||
	    publish(elisa, "bench.strict.1MiB", ELISA_EXPORT_GENERAL_REGS, file, 1 << 20) ||
	    publish(elisa, "bench.strict.64MiB", ELISA_EXPORT_GENERAL_REGS, file, 64 << 20))
		return 1;
	puts("bench manager is ready");
	fflush(stdout);
	for (;;)
		pause();
}
