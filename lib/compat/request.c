/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what a request may ask for. A request that cannot be granted is refused, never reduced
 * silently. Only fields that have no meaning any more are ignored: see struct elisa_map_req.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "internal.h"

#define MEMORY_TYPE	(7UL << 3)
#define KNOWN_PT_FLAGS	(PT_P | PT_W | PT_U | PT_NX | (3UL << 5)) /* with the bits A and D */
#define KNOWN_EPT_FLAGS (EPT_R | EPT_W | EPT_X | MEMORY_TYPE | EPT_A | (1UL << 9) | EPT_U)

static int check_place(const struct elisa_map_req *req, int i)
{
	if (req->flags & ~ELISA_MAP_REQ_FLAGS_SRC_GPA)
		return compat_fail(EINVAL,
				   "map request %d: unknown flags %#" PRIx64
				   "; use ELISA_MAP_REQ_FLAGS_SRC_GPA or 0",
				   i, req->flags);
	if (req->level != 1)
		return compat_fail(EINVAL,
				   "map request %d: level %d; only pages of 4096 bytes can be "
				   "mapped: give a request of level 1 for each",
				   i, req->level);
	if (req->src_gxa % ELISA_PAGE_SIZE || req->dst_gva % ELISA_PAGE_SIZE)
		return compat_fail(EINVAL,
				   "map request %d: %#" PRIx64 " to %#" PRIx64
				   " is not aligned; use multiples of 4096",
				   i, req->src_gxa, req->dst_gva);
	if (req->dst_gva < ELISA_OBJECT_BASE || req->dst_gva >= COMPAT_OBJECT_END)
		return compat_fail(EINVAL,
				   "map request %d: dst_gva %#" PRIx64
				   " is outside of the object area, %#llx to %#llx; map memory "
				   "there, or after elisa_compat_place()",
				   i, req->dst_gva, ELISA_OBJECT_BASE, COMPAT_OBJECT_END);
	return 0;
}

static int check_flags(const struct elisa_map_req *req, int i)
{
	if (!(req->pt_flags & PT_P) || !(req->pt_flags & PT_U) || !(req->ept_flags & EPT_R))
		return compat_fail(EINVAL,
				   "map request %d: pt_flags %#" PRIx64 ", ept_flags %#" PRIx64
				   " give ring 3 no page to read; set PT_P, PT_U and EPT_R",
				   i, req->pt_flags, req->ept_flags);
	if ((req->ept_flags & MEMORY_TYPE) != EPT_MT)
		return compat_fail(EINVAL,
				   "map request %d: memory type %" PRIu64
				   "; memory is write-back always: use EPT_MT",
				   i, (req->ept_flags & MEMORY_TYPE) >> 3);
	if ((req->pt_flags & ~KNOWN_PT_FLAGS) || (req->ept_flags & ~KNOWN_EPT_FLAGS))
		return compat_fail(EINVAL,
				   "map request %d: pt_flags %#" PRIx64 ", ept_flags %#" PRIx64
				   ": no other caching and no large pages can be had; use the "
				   "flags that struct elisa_map_req lists",
				   i, req->pt_flags, req->ept_flags);
	return 0;
}

static uint32_t prot_of(const struct elisa_map_req *req)
{
	uint32_t prot = ELISA_PROT_READ;

	if ((req->pt_flags & PT_W) && (req->ept_flags & EPT_W))
		prot |= ELISA_PROT_WRITE;
	if (!(req->pt_flags & PT_NX) && (req->ept_flags & EPT_X))
		prot |= ELISA_PROT_EXEC;
	return prot;
}

static bool goes_on(const struct compat_run *run, const struct compat_run *next)
{
	return run->prot == next->prot && run->physical == next->physical &&
	       run->source + run->length == next->source &&
	       run->offset + run->length == next->offset;
}

int compat_runs(const struct elisa_map_req *reqs, int count, struct compat_run **runs)
{
	int made = 0;

	if (!reqs || count <= 0)
		return compat_fail(EINVAL,
				   "the server's callback gave %d map requests; give the "
				   "function's code at least",
				   reqs ? count : 0);
	*runs = calloc((size_t)count, sizeof(**runs));
	if (!*runs)
		return compat_fail(ENOMEM, "no memory for %d map requests", count);
	for (int i = 0; i < count; i++) {
		struct compat_run run = {
			.source = reqs[i].src_gxa,
			.offset = reqs[i].dst_gva - ELISA_OBJECT_BASE,
			.length = ELISA_PAGE_SIZE,
			.prot = prot_of(&reqs[i]),
			.physical = reqs[i].flags & ELISA_MAP_REQ_FLAGS_SRC_GPA,
			.first = i,
		};

		if (check_place(&reqs[i], i) < 0 || check_flags(&reqs[i], i) < 0) {
			free(*runs);
			return -1;
		}
		if (made && goes_on(&(*runs)[made - 1], &run))
			(*runs)[made - 1].length += ELISA_PAGE_SIZE;
		else
			(*runs)[made++] = run;
	}
	return made;
}
