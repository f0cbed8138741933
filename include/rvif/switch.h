/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch's side of a vNIC that is a file: find it, lock it for this switch, map all of its
 * region. The file and everything that its driver says are checked. No function here waits for the
 * driver.
 */
#ifndef RVIF_SWITCH_H
#define RVIF_SWITCH_H

#include <rvif/rvif.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All fields 0: nothing is open. */
struct rvif_mapping {
	uint8_t *region; /* NULL: not mapped, or not yet */
	uint64_t size;
	uint64_t file_size;
	uint64_t device;
	uint64_t inode;
	int is_open;
	/* the file, while is_open; its lock makes the vNIC this switch's */
	int fd;
	int asked;
	/* the socket by which the driver gives its memory, while `asked` */
	int asked_by;
};

/*
 * Opens, locks and maps the file. Returns 0: it is mapped. Returns -EAGAIN: the driver has not
 * given its memory yet; call again. Returns another -errno, and *why in words: nothing is open.
 *
 * A part of the region may have no memory behind it, as after the file was cut short. An access
 * there raises SIGBUS.
 */
int rvif_map(struct rvif_mapping *mapping, const char *path, const char **why);

/* Tells whether the path now names another file, a shorter one, or none. */
int rvif_map_is_old(const struct rvif_mapping *mapping, const char *path);

/* Lets go of the memory and the file. All fields of the mapping may be 0. */
void rvif_unmap(struct rvif_mapping *mapping);

#ifdef __cplusplus
}
#endif

#endif
