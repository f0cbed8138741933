/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared object as requests. The system's loader loads it into the object area. So dlsym() works,
 * and its addresses are the same for the server and for the function.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <libelisa_extra/map.h>
#include "internal.h"

#define PAGE ((uint64_t)ELISA_PAGE_SIZE)

/* Makes malloc() take memory of a page or more from mmap(), and none from its old heap. */
static void place_allocations(void)
{
	mallopt(M_MMAP_THRESHOLD, ELISA_PAGE_SIZE);
	mallopt(M_TOP_PAD, 0);
	mallopt(M_TRIM_THRESHOLD, 0);
	malloc_trim(0);
}

/*
 * Makes mmap() without an address return places in the object area. It takes the highest free place
 * or, in the old layout, the lowest. So this fills all places that come before the object area with
 * mappings without access, the large places first.
 */
COMPAT_PUBLIC int elisa_compat_place(void)
{
	for (uint64_t size = 1ULL << 46; size >= PAGE; size >>= 1) {
		for (;;) {
			void *at = mmap(NULL, size, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
			uint64_t start = (uintptr_t)at;

			if (at == MAP_FAILED)
				break;
			if (start >= COMPAT_OBJECT_END || start + size <= ELISA_OBJECT_BASE)
				continue;
			munmap(at, size);
			if (size > PAGE)
				break;
			place_allocations();
			return 0;
		}
	}
	return compat_fail(ENOMEM,
			   "no memory can be had in the object area at %#llx; raise ulimit -v",
			   ELISA_OBJECT_BASE);
}

static int append(struct elisa_map_req **reqs, int *nreqs, int *capacity,
		  const struct elisa_map_req *req)
{
	if (*nreqs == *capacity) {
		int room = *capacity ? 2 * *capacity : 64;
		struct elisa_map_req *grown = reallocarray(*reqs, (size_t)room, sizeof(**reqs));

		if (!grown)
			return compat_fail(ENOMEM, "no memory for %d map requests", room);
		*reqs = grown;
		*capacity = room;
	}
	(*reqs)[(*nreqs)++] = *req;
	return 0;
}

/*
 * Makes a page of a file this process's own memory, by writing a byte as it is. So an object that
 * was loaded before the first client is shared by all clients (memory.c).
 */
static void own_page(uint64_t address)
{
	volatile uint8_t *byte = (void *)(uintptr_t)address;

	/* cppcheck-suppress selfAssignment */
	*byte = *byte;
}

struct program {
	const char *file;
	uint64_t bias, base_gpa;
	uint64_t constant, constant_end; /* pages that only relocation writes */
};

static int append_segment(const struct program *program, const ElfW(Phdr) * segment,
			  struct elisa_map_req **reqs, int *nreqs, int *capacity)
{
	uint64_t start = (program->bias + segment->p_vaddr) & ~(PAGE - 1);
	uint64_t end = (program->bias + segment->p_vaddr + segment->p_memsz + PAGE - 1) &
		       ~(PAGE - 1);
	bool writable = segment->p_flags & PF_W, executable = segment->p_flags & PF_X;

	if (writable && executable)
		return compat_fail(EACCES,
				   "load '%.200s': a segment is writable and executable; link it "
				   "without -N and without writable code",
				   program->file);
	if (start < ELISA_OBJECT_BASE || end > COMPAT_OBJECT_END)
		return compat_fail(ENOMEM, "load '%.200s': the object area is full", program->file);
	for (uint64_t at = start; at < end; at += PAGE) {
		bool constant = at >= program->constant && at < program->constant_end;
		struct elisa_map_req req = {
			.src_gxa = at,
			.dst_gva = at,
			.dst_gpa = program->base_gpa + (uint64_t)*nreqs * PAGE,
			.pt_flags = PT_P | PT_U | (executable ? 0 : PT_NX),
			.ept_flags = EPT_R | EPT_MT | (executable ? EPT_X : 0),
			.level = 1,
		};

		if (writable && !constant) {
			req.pt_flags |= PT_W;
			req.ept_flags |= EPT_W;
			own_page(at);
		}
		if (append(reqs, nreqs, capacity, &req) < 0)
			return -1;
	}
	return 0;
}

static int append_program(const char *file, void *object, uint64_t base_gpa,
			  struct elisa_map_req **reqs, int *nreqs, int *capacity)
{
	struct program program = {.file = file, .base_gpa = base_gpa};
	const ElfW(Phdr) * segments;
	struct link_map *map;
	int count = dlinfo(object, RTLD_DI_PHDR, &segments);

	if (count <= 0 || dlinfo(object, RTLD_DI_LINKMAP, &map) < 0)
		return compat_fail(ENOEXEC, "load '%.200s': %s", file, dlerror());
	program.bias = map->l_addr;
	for (int i = 0; i < count; i++) {
		if (segments[i].p_type != PT_GNU_RELRO)
			continue;
		program.constant = (program.bias + segments[i].p_vaddr) & ~(PAGE - 1);
		program.constant_end = (program.bias + segments[i].p_vaddr + segments[i].p_memsz) &
				       ~(PAGE - 1);
	}
	for (int i = 0; i < count; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_memsz &&
		    append_segment(&program, &segments[i], reqs, nreqs, capacity) < 0)
			return -1;
	return 0;
}

static int create(const char *file, uint64_t base_gpa, void **dl_handle,
		  struct elisa_map_req **reqs, int *nreqs, int *capacity)
{
	const char *why;
	void *object;
	int before;

	if (!file || !dl_handle || !reqs || !nreqs || !capacity)
		return compat_fail(EINVAL, "load: an argument is NULL; give all of them");
	if (elisa_compat_place() < 0)
		return -1;
	before = *nreqs;
	object = dlmopen(LM_ID_NEWLM, file, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		why = dlerror();
		return compat_fail(errno == ENOENT ? ENOENT : ENOEXEC,
				   "load '%.200s': %.300s; give a shared object", file, why);
	}
	if (append_program(file, object, base_gpa, reqs, nreqs, capacity) < 0) {
		int error = errno;

		*nreqs = before;
		dlclose(object);
		errno = error;
		return -1;
	}
	*dl_handle = object;
	return 0;
}

COMPAT_PUBLIC void *elisa_create_program_map_req(const char *file, uint64_t base_gpa,
						 void **dl_handle, struct elisa_map_req **reqs,
						 int *nreqs, int *capacity)
{
	return create(file, base_gpa, dl_handle, reqs, nreqs, capacity) < 0 ? MAP_FAILED : NULL;
}
