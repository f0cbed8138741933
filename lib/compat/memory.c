/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's memory behind a run. Each client has a child process of the server. The child pins
 * the pages of its client's export, and a pin breaks copy-on-write. So a private page that the
 * child still shares with the server would become a copy that no other client sees.
 *
 * Such pages therefore move into a file in memory first. Each page moves to the offset that equals
 * its address, so all children find it there. A child holds a lock on that range of the file
 * meanwhile: the first child writes the page, and the others map what is there. A page that the
 * child itself wrote or allocated belongs to its client alone, and must never get into the file.
 * /proc/self/pagemap tells the two kinds apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

#define PAGE	     ((uint64_t)ELISA_PAGE_SIZE)
#define ADDRESSES    ((off_t)1 << 47) /* bytes of a process, and of the file, which is sparse */

/* bits of /proc/PID/pagemap */
#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)
#define PAGE_OF_FILE (1ULL << 61)
#define PAGE_OURS    (1ULL << 56) /* mapped by one process only */

struct mapping {
	uint64_t start, end;
	int prot; /* PROT_* */
	bool private;
};

static int shared_fd = -1;

int compat_memory_init(void)
{
	if (shared_fd >= 0)
		return 0;
	shared_fd = memfd_create("elisa-compat", MFD_CLOEXEC);
	if (shared_fd < 0)
		return compat_fail(errno, "no memory file: %s", strerrordesc_np(errno));
	if (ftruncate(shared_fd, ADDRESSES) < 0) {
		compat_fail(errno, "no memory file of %lld bytes: %s; raise ulimit -f",
			    (long long)ADDRESSES, strerrordesc_np(errno));
		close(shared_fd);
		shared_fd = -1;
		return -1;
	}
	return 0;
}

/* Finds the mapping at an address, in /proc/self/maps. */
static bool find_mapping(uint64_t address, struct mapping *mapping)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char flags[5] = "";
	bool found = false;

	if (!maps)
		return false;
	while (!found && fscanf(maps, "%" SCNx64 "-%" SCNx64 " %4s%*[^\n]", &mapping->start,
				&mapping->end, flags) == 3)
		found = address >= mapping->start && address < mapping->end;
	fclose(maps);
	mapping->prot = (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) |
			(flags[2] == 'x' ? PROT_EXEC : 0);
	mapping->private = flags[3] == 'p';
	return found;
}

/* Moves one page to the file. If another child has moved it there already, maps that page. */
static int share_page(uint64_t address, int prot)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)address,
		.l_len = ELISA_PAGE_SIZE,
	};
	void *page = (void *)(uintptr_t)address;
	int ret = 0;

	if (fcntl(shared_fd, F_SETLKW, &lock) < 0)
		return -errno;
	if (lseek(shared_fd, (off_t)address, SEEK_DATA) != (off_t)address &&
	    pwrite(shared_fd, page, PAGE, (off_t)address) != ELISA_PAGE_SIZE)
		ret = -ENOMEM;
	if (!ret &&
	    mmap(page, PAGE, prot, MAP_SHARED | MAP_FIXED, shared_fd, (off_t)address) == MAP_FAILED)
		ret = -errno;
	lock.l_type = F_UNLCK;
	fcntl(shared_fd, F_SETLK, &lock);
	return ret;
}

/* Shares the pages from address to end that the child still has in common with the server. The
 * mapping is private. */
static int share_pages(uint64_t address, uint64_t end, int prot)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int ret = pagemap < 0 ? -errno : 0;

	for (; !ret && address < end; address += PAGE) {
		uint64_t page;

		if (pread(pagemap, &page, sizeof(page), (off_t)(address / PAGE * sizeof(page))) !=
		    sizeof(page))
			ret = -EIO;
		else if ((page & (PAGE_PRESENT | PAGE_SWAPPED)) &&
			 !(page & (PAGE_OF_FILE | PAGE_OURS)))
			ret = share_page(address, prot);
	}
	if (pagemap >= 0)
		close(pagemap);
	return ret;
}

/* Computes the protection of a page. If it was to be writable and executable, the server's own
 * mapping decides which of the two it becomes. */
static int settle(const struct compat_run *run, uint64_t address, const struct mapping *mapping,
		  uint32_t *prot)
{
	const uint32_t both = ELISA_PROT_WRITE | ELISA_PROT_EXEC;

	*prot = run->prot;
	if ((*prot & both) != both)
		return 0;
	if ((mapping->prot & PROT_EXEC) && (mapping->prot & PROT_WRITE))
		return compat_fail(EACCES,
				   "map request %d: the page at %#" PRIx64
				   " is writable and executable; let code be executable only, and "
				   "data writable only",
				   run->first, address);
	*prot &= mapping->prot & PROT_EXEC ? ~ELISA_PROT_WRITE : ~ELISA_PROT_EXEC;
	compat_report("map request %d asks for a writable and executable page at %#" PRIx64
		      ": it is made %s",
		      run->first, address,
		      *prot & ELISA_PROT_EXEC ? "executable only" : "writable only");
	return 0;
}

/* Maps a part of a run that lies in one mapping. A pin needs a writable mapping, whatever prot
 * is. */
static int map_part(struct elisa_export *export_, const struct compat_run *run, uint64_t done,
		    uint64_t length, const struct mapping *mapping)
{
	void *address = (void *)(uintptr_t)(run->source + done);
	uint32_t prot;
	int ret = 0;

	if (settle(run, run->source + done, mapping, &prot) < 0)
		return -1;
	if (mapping->private && (prot & ELISA_PROT_WRITE))
		ret = share_pages(run->source + done, run->source + done + length, mapping->prot);
	if (ret < 0)
		return compat_fail(-ret, "map request %d: cannot share the memory at %p: %s",
				   run->first, address, strerrordesc_np(-ret));
	if (!(mapping->prot & PROT_WRITE) && mprotect(address, length, PROT_READ | PROT_WRITE) < 0)
		return compat_fail(errno,
				   "map request %d: the memory at %p is read-only and cannot be "
				   "made writable, as sharing needs it; use memory of this process",
				   run->first, address);
	ret = elisa_export_map(export_, run->offset + done, address, length, prot);
	if (!(mapping->prot & PROT_WRITE))
		mprotect(address, length, mapping->prot);
	if (ret < 0)
		return compat_fail(-ret, "map request %d: %s", run->first,
				   elisa_error(elisa_export_handle(export_)));
	return 0;
}

static int map_physical(struct elisa_export *export_, const struct compat_run *run)
{
	uint32_t prot = run->prot;
	int ret;

	/* memory of a device is data */
	if (prot & ELISA_PROT_WRITE)
		prot &= ~ELISA_PROT_EXEC;
	ret = elisa_export_map_physical(export_, run->offset, run->source, run->length, prot);
	if (ret < 0)
		return compat_fail(-ret, "map request %d: %s", run->first,
				   elisa_error(elisa_export_handle(export_)));
	return 0;
}

int compat_memory_map(struct elisa_export *export_, const struct compat_run *run)
{
	struct mapping mapping;
	uint64_t length;

	if (run->physical)
		return map_physical(export_, run);
	for (uint64_t done = 0; done < run->length; done += length) {
		if (!find_mapping(run->source + done, &mapping))
			return compat_fail(EFAULT,
					   "map request %d: nothing is mapped at %#" PRIx64
					   " in the server; map memory first",
					   run->first, run->source + done);
		length = mapping.end - (run->source + done);
		if (length > run->length - done)
			length = run->length - done;
		if (map_part(export_, run, done, length, &mapping) < 0)
			return -1;
	}
	return 0;
}
