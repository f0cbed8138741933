/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vNIC's region as a switch maps it: the driver's file, and behind it the memory that the driver
 * gives over a socket. See <rvif/switch.h>.
 *
 * The driver is not trusted. It chooses the file and each descriptor, and may change or truncate
 * them at any time. So this file checks each of them: type, size and file system. A page of a
 * descriptor must never make the switch wait for another process, as a page of a FUSE file could.
 * So descriptors must be of tmpfs or hugetlbfs. A file that is cut short later gives SIGBUS at an
 * access, for which the switch's owner must be prepared.
 */
#include "sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <rvif/switch.h>

static int failed(const char **why, int error, const char *what)
{
	*why = what;
	return error;
}

static int system_failed(const char **why)
{
	const int error = errno;

	return failed(why, -error, strerrordesc_np(error));
}

/*
 * Locks the file for this switch. With two switches, each would take frames that the other one has
 * delivered, and answer the driver. The lock belongs to this open file description. So it also
 * excludes a second path to the file, such as a link, in the same process. The driver's own lock is
 * of another kind (flock), and does not conflict.
 */
static int lock_file(int fd)
{
	struct flock header = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = RVIF_HEADER_SIZE};

	return fcntl(fd, F_OFD_SETLK, &header);
}

static int check_file(struct rvif_mapping *mapping, const char **why)
{
	struct stat st;

	if (fstat(mapping->fd, &st) < 0)
		return system_failed(why);
	if (!S_ISREG(st.st_mode))
		return failed(why, -EINVAL, "no regular file");
	if (st.st_size < RVIF_HEADER_SIZE)
		return failed(why, -EINVAL, "shorter than the header of a vNIC");
	if ((uint64_t)st.st_size > RVIF_MAX_REGION)
		return failed(why, -EFBIG, "longer than a vNIC can be");
	if (lock_file(mapping->fd) < 0)
		return errno != EAGAIN && errno != EACCES ?
			       system_failed(why) :
			       failed(why, -EBUSY,
				      "in use: another switch, or another path here, has this file");
	mapping->file_size = (uint64_t)st.st_size;
	mapping->device = st.st_dev;
	mapping->inode = st.st_ino;
	return 0;
}

/* Tells whether the region is larger than the file, so that the driver has memory to give. */
static int is_shared(const struct rvif_mapping *mapping)
{
	struct rvif_config config;

	return pread(mapping->fd, &config, sizeof(config), 0) == sizeof(config) &&
	       config.magic == RVIF_MAGIC && config.region_size > mapping->file_size;
}

/* Connects to the driver's socket. It lies beside the file itself, not beside a link to the
 * file. */
static int ask(const struct rvif_mapping *mapping)
{
	char link[32], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", mapping->fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return -errno;
	path[length] = 0;
	return sharing_ask(path, mapping->inode);
}

/* Returns the page size of a piece that the driver gave, or 0 if the piece is not acceptable. */
static uint64_t check_piece(const struct rvif_memory *piece)
{
	struct statfs fs;
	struct stat st;

	if (fstat(piece->fd, &st) < 0 || fstatfs(piece->fd, &fs) < 0 ||
	    (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return 0;
	if (piece->at > (uint64_t)st.st_size || piece->size > (uint64_t)st.st_size - piece->at)
		return 0;
	return (uint64_t)fs.f_bsize;
}

/* Reserves addresses for the region. They begin at a multiple of the largest page size. */
static uint8_t *reserve(uint64_t size, uint64_t page)
{
	uint8_t *all = mmap(NULL, size + page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const uint64_t before = -(uintptr_t)all & (page - 1);

	if (all == MAP_FAILED)
		return NULL;
	if (before)
		munmap(all, before);
	munmap(all + before + size, page - before);
	return all + before;
}

static int map_at(uint8_t *at, uint64_t size, int fd, uint64_t from)
{
	return mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)from) ==
			       MAP_FAILED ?
		       -1 :
		       0;
}

/* Maps the file, and then the pieces over it. Where there is a gap before a piece, the mapping of
 * the file stays. */
static int map_region(struct rvif_mapping *mapping, struct rvif_memory *memory, uint32_t count,
		      const char **why)
{
	const uint64_t own = (mapping->file_size + 4095) & ~UINT64_C(4095);
	uint64_t size, page = 4096;
	uint8_t *region;
	int error;

	for (uint32_t i = 0; i < count; i++) {
		memory[i].page = check_piece(&memory[i]);
		if (memory[i].page > page)
			page = memory[i].page;
	}
	size = rvif_place(memory, count, own);
	if (!size)
		return failed(why, -EINVAL, "its driver gives memory that cannot be mapped");
	region = reserve(size, page);
	if (!region)
		return system_failed(why);
	error = map_at(region, size, mapping->fd, 0);
	for (uint32_t i = 0; i < count && !error; i++)
		error = map_at(region + memory[i].offset, memory[i].size, memory[i].fd,
			       memory[i].at);
	if (error) {
		error = system_failed(why);
		munmap(region, size);
		return error;
	}
	mapping->region = region;
	mapping->size = count ? size : mapping->file_size;
	return 0;
}

/* Asks for the driver's memory if there is some, and maps all. Without the memory that should be
 * there, only the file is mapped: attaching then tells the driver what is missing. */
static int map_all(struct rvif_mapping *mapping, const char **why)
{
	struct rvif_memory memory[RVIF_MAX_MEMORY];
	int count = 0, error;

	if (!mapping->asked && is_shared(mapping)) {
		mapping->asked_by = ask(mapping);
		mapping->asked = mapping->asked_by >= 0;
	}
	if (mapping->asked) {
		count = sharing_receive(mapping->asked_by, memory);
		if (count == -EAGAIN)
			return -EAGAIN;
		close(mapping->asked_by);
		mapping->asked = 0;
		count = count < 0 ? 0 : count;
	}
	error = map_region(mapping, memory, (uint32_t)count, why);
	while (count--)
		close(memory[count].fd);
	return error;
}

int rvif_map(struct rvif_mapping *mapping, const char *path, const char **why)
{
	int error = 0;

	if (mapping->region)
		return 0;
	if (!mapping->is_open) {
		mapping->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (mapping->fd < 0)
			return system_failed(why);
		mapping->is_open = 1;
		error = check_file(mapping, why);
	}
	if (!error)
		error = map_all(mapping, why);
	if (error && error != -EAGAIN)
		rvif_unmap(mapping);
	return error;
}

int rvif_map_is_old(const struct rvif_mapping *mapping, const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || st.st_dev != mapping->device || st.st_ino != mapping->inode ||
	       (uint64_t)st.st_size < mapping->file_size;
}

void rvif_unmap(struct rvif_mapping *mapping)
{
	if (mapping->region)
		munmap(mapping->region, mapping->size);
	if (mapping->asked)
		close(mapping->asked_by);
	if (mapping->is_open)
		close(mapping->fd);
	memset(mapping, 0, sizeof(*mapping));
}
