/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport over a file that driver and switch map. The driver holds a lock on its file (flock)
 * as long as it lives. It must never replace or remove the file of another driver that lives.
 *
 * The file appears under its name complete or not at all: the driver makes it under a temporary
 * name first. What can happen then:
 *
 * - There is no file of the name. link(2) gives the file its name. It fails if another driver was
 *   faster, so one driver wins.
 * - There is a file that a dead driver left behind. Its lock is free. Of several drivers that find
 *   it, one gets the lock, and holds it until rename(2) has put its own file there. The others find
 *   the lock held (-EBUSY). A driver that opened the old file before, and locks it afterwards, sees
 *   that the name now leads to another file, and begins anew.
 * - There is the file of a driver that lives. Its lock is held: -EBUSY.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <rvif/driver.h>
#include "sharing.h"
#include "sleep.h"

struct shared_file {
	int fd;
	int listener; /* for switches that ask for the driver's memory; -1: none */
	uint64_t inode;
	/* the locked file of a dead driver, which has the name now; -1: none */
	int left_behind;
	int announced;
	char path[PATH_MAX];
	char temporary[PATH_MAX];
};

/* Tells whether the open file is the one that the path names now. */
static int is_at(int fd, const char *path)
{
	struct stat opened, named;

	return !fstat(fd, &opened) && !stat(path, &named) && opened.st_dev == named.st_dev &&
	       opened.st_ino == named.st_ino;
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

static void shared_file_close(struct rvif_vnic *vnic)
{
	struct shared_file *file = vnic->private_data;

	if (vnic->region)
		munmap(vnic->region, vnic->size);
	vnic->region = NULL;
	if (file->listener >= 0) {
		close(file->listener);
		sharing_remove(file->path, file->inode);
	}
	if (file->fd >= 0) {
		if (!file->announced)
			unlink(file->temporary);
		else if (is_at(file->fd, file->path))
			unlink(file->path);
		close(file->fd);
	}
	if (file->left_behind >= 0)
		close(file->left_behind);
	free(file);
	vnic->private_data = NULL;
}

/* Locks the file that a dead driver left behind, if there is one. Returns -EBUSY if its driver
 * lives. */
static int take_left_behind(struct shared_file *file)
{
	int error;

	for (;;) {
		const int fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0)
			return errno == ENOENT ? 0 : -errno;
		error = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
		if (!error && is_at(fd, file->path)) {
			file->left_behind = fd;
			sharing_remove(file->path, inode_of(fd));
			return 0;
		}
		close(fd);
		if (error)
			return error == -EWOULDBLOCK ? -EBUSY : error;
		/* the file was replaced or removed meanwhile */
	}
}

static int set_access(int fd, const struct rvif_access *access)
{
	if (access->has_group && fchown(fd, (uid_t)-1, access->group) < 0)
		return -errno;
	if (access->mode && fchmod(fd, access->mode) < 0)
		return -errno;
	return 0;
}

static int shared_file_open(struct rvif_vnic *vnic, const char *where)
{
	struct shared_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	vnic->private_data = file;
	file->fd = file->listener = file->left_behind = -1;
	if ((size_t)snprintf(file->path, sizeof(file->path), "%s", where) >= sizeof(file->path) ||
	    (size_t)snprintf(file->temporary, sizeof(file->temporary), "%s.XXXXXX", where) >=
		    sizeof(file->temporary)) {
		error = -ENAMETOOLONG;
		goto err;
	}
	error = take_left_behind(file);
	if (error)
		goto err;
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) < 0) {
		error = -errno;
		goto err;
	}
	error = set_access(file->fd, &vnic->access);
	if (error)
		goto err;
	/* allocate everything now: a full disk must not cause SIGBUS later */
	error = -posix_fallocate(file->fd, 0, (off_t)vnic->size);
	if (error)
		goto err;
	vnic->region = mmap(NULL, vnic->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			    file->fd, 0);
	if (vnic->region == MAP_FAILED) {
		vnic->region = NULL;
		error = -errno;
		goto err;
	}
	if (vnic->sharing) {
		file->inode = inode_of(file->fd);
		file->listener = sharing_listen(file->path, file->inode, &vnic->access);
		error = file->listener < 0 ? file->listener : 0;
		if (error)
			goto err;
	}
	return 0;
err:
	shared_file_close(vnic);
	return error;
}

static int shared_file_announce(struct rvif_vnic *vnic)
{
	struct shared_file *file = vnic->private_data;

	if (file->left_behind >= 0) {
		if (rename(file->temporary, file->path) < 0)
			return -errno;
		close(file->left_behind);
		file->left_behind = -1;
	} else {
		if (link(file->temporary, file->path) < 0)
			return errno == EEXIST ? -EBUSY : -errno;
		unlink(file->temporary);
	}
	file->announced = 1;
	return 0;
}

int rvif_sharing_fd(const struct rvif_vnic *vnic)
{
	const struct shared_file *file = vnic->private_data;

	return vnic->sharing ? file->listener : -1;
}

void rvif_share(const struct rvif_vnic *vnic)
{
	const struct shared_file *file = vnic->private_data;

	sharing_serve(file->listener, vnic->sharing);
}

/* Tells whether a switch has the file. A switch holds a lock of its own on the header while it maps
 * the file, see <rvif/switch.h>. The kernel drops the lock of a switch that was killed. */
static int shared_file_changed(struct rvif_vnic *vnic)
{
	const struct shared_file *file = vnic->private_data;
	struct flock header = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = RVIF_HEADER_SIZE};

	if (fcntl(file->fd, F_OFD_GETLK, &header) < 0)
		return -errno;
	return header.l_type == F_UNLCK ? -ENOTCONN : 0;
}

const struct rvif_transport rvif_shared_file = {
	.name = "shared file",
	.open = shared_file_open,
	.announce = shared_file_announce,
	.kick = rvif_futex_kick,
	.wait = rvif_futex_wait,
	.changed = shared_file_changed,
	.close = shared_file_close,
	.takes_memory = 1,
};
