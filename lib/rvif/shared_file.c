/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport over a file that driver and switch map. The file appears under its name complete or
 * not at all; the driver holds a lock on it as long as it lives. It must never replace the file of
 * a driver that lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <rvif/driver.h>

struct shared_file {
	int fd;
	int announced;
	char path[PATH_MAX];
	char temporary[PATH_MAX];
};

static void shared_file_close(struct rvif_vnic *vnic)
{
	struct shared_file *file = vnic->private_data;

	if (vnic->region)
		munmap(vnic->region, vnic->size);
	vnic->region = NULL;
	if (file->fd >= 0) {
		unlink(file->announced ? file->path : file->temporary);
		close(file->fd);
	}
	free(file);
	vnic->private_data = NULL;
}

/* -EBUSY if a driver lives that made the file which is there. */
static int in_use(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int error = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return error;
}

static int shared_file_open(struct rvif_vnic *vnic, const char *where)
{
	struct shared_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	vnic->private_data = file;
	file->fd = -1;
	if ((size_t)snprintf(file->path, sizeof(file->path), "%s", where) >= sizeof(file->path) ||
	    (size_t)snprintf(file->temporary, sizeof(file->temporary), "%s.XXXXXX", where) >=
		    sizeof(file->temporary)) {
		error = -ENAMETOOLONG;
		goto err;
	}
	error = in_use(file->path);
	if (error)
		goto err;
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) < 0) {
		error = -errno;
		goto err;
	}
	/* all of it now: a full disk must not become a signal later */
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
	return 0;
err:
	shared_file_close(vnic);
	return error;
}

static int shared_file_announce(struct rvif_vnic *vnic)
{
	struct shared_file *file = vnic->private_data;

	if (rename(file->temporary, file->path) < 0)
		return -errno;
	file->announced = 1;
	return 0;
}

/* The switch polls. */
static int shared_file_kick(struct rvif_vnic *vnic, uint32_t queue)
{
	(void)vnic;
	(void)queue;
	return 0;
}

static int shared_file_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen,
			    uint32_t timeout_us)
{
	struct rvif_queue *control = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	const struct timespec timeout = {
		.tv_sec = timeout_us / 1000000,
		.tv_nsec = timeout_us % 1000000 * 1000L,
	};

	if (syscall(SYS_futex, &control->completed, FUTEX_WAIT, seen, &timeout, NULL, 0) < 0)
		return errno == EAGAIN ? 0 : -errno;
	return 0;
}

const struct rvif_transport rvif_shared_file = {
	.name = "shared file",
	.open = shared_file_open,
	.announce = shared_file_announce,
	.kick = shared_file_kick,
	.wait = shared_file_wait,
	.close = shared_file_close,
};
