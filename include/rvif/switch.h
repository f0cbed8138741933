/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch's side of a vNIC that is a file: find it, make it ours, map all of its region. The
 * file and all that its driver says are checked; nothing here waits for the driver.
 */
#ifndef RVIF_SWITCH_H
#define RVIF_SWITCH_H

#include <rvif/rvif.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All 0: nothing is open. */
struct rvif_mapping {
	uint8_t *region; /* NULL: not mapped (yet) */
	uint64_t size;
	uint64_t file_size;
	uint64_t device;
	uint64_t inode;
	int is_open;
	int fd; /* of the file, while it is open; holds the lock that makes the vNIC ours */
	int asked;
	int asked_by; /* the socket by which its driver gives memory, while it was asked for it */
};

/*
 * Opens, locks and maps. 0: it is mapped; -EAGAIN: its driver has not given its memory yet, call
 * again; another -errno, and *why in words: nothing is open. A part of the region without memory
 * behind it, as after the file was cut short, is one where accesses end with SIGBUS.
 */
int rvif_map(struct rvif_mapping *mapping, const char *path, const char **why);

/* Is there another file, or none, or a shorter one at the path? */
int rvif_map_is_old(const struct rvif_mapping *mapping, const char *path);

/* Lets go of the memory and the file. The mapping may be all 0. */
void rvif_unmap(struct rvif_mapping *mapping);

#ifdef __cplusplus
}
#endif

#endif
