/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Larger stacks for the function. The prototype's function had a stack of 8 MiB on each vCPU, and
 * programs rely on more than the host's few pages. An export belongs to one client here, so one
 * place is enough.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include "internal.h"

#define PAGE	      ((uint64_t)ELISA_PAGE_SIZE)
#define DEFAULT_STACK (1u << 20)
#define DEFAULT_VCPUS 16
#define MAX_STACK     (1u << 30)

/* Reserves addresses in the object area where this process has no memory and will map none.
 * Requests are for memory of this process, so they cannot lie there. */
static int reserve(uint64_t length, uint64_t *offset)
{
	void *at =
		mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t start = (uintptr_t)at;

	if (at == MAP_FAILED || start < ELISA_OBJECT_BASE || start + length > COMPAT_OBJECT_END)
		return compat_fail(ENOMEM,
				   "stacks: no %" PRIu64 " bytes are free in the object area; set "
				   "ELISA_COMPAT_STACK to fewer",
				   length);
	*offset = start - ELISA_OBJECT_BASE;
	return 0;
}

int compat_stacks(struct elisa_export *export_, uint32_t vcpus)
{
	uint64_t size, most, offset = 0;
	int ret;

	if (compat_number("ELISA_COMPAT_STACK", MAX_STACK, DEFAULT_STACK, &size) < 0 ||
	    compat_number("ELISA_COMPAT_VCPUS", WIRE_MAX_VCPUS, DEFAULT_VCPUS, &most) < 0)
		return -1;
	if (!size)
		/* 0: the host's own stacks are enough */
		return 0;
	if (vcpus > most)
		return compat_fail(EDQUOT,
				   "the client has %u vCPUs, and stacks are for %" PRIu64
				   "; set ELISA_COMPAT_VCPUS in the server",
				   vcpus, most);
	size = (size + PAGE - 1) & ~(PAGE - 1);
	if (reserve(2 * PAGE + 2 * size * vcpus, &offset) < 0)
		return -1;
	ret = elisa_export_places(export_, offset, 1, PAGE, 0);
	if (!ret)
		ret = elisa_export_stacks(export_, offset + PAGE, size, vcpus);
	return ret < 0 ? compat_fail_elisa(elisa_export_handle(export_), ret) : 0;
}
