/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that map a shared object, as the research prototype's libelisa-extra made them. */
#ifndef LIBELISA_EXTRA_MAP_H
#define LIBELISA_EXTRA_MAP_H

#include <libelisa.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Load a shared object in a namespace of its own, and append a request for each page of its
 * segments: code executable, data writable, constants neither. dlsym() on *dl_handle gives the
 * server's addresses, which are the function's as well. base_gpa: not used. *reqs grows by realloc();
 * *nreqs requests are in it, with room for *capacity (NULL, 0 and 0 at first).
 * 0, or -1 with errno and nothing changed: ENOENT or ENOEXEC (it cannot be loaded), EACCES (a
 * segment is writable and executable), ENOMEM. Not beside another call of the same lists.
 */
int elisa_create_program_map_req(const char *file, uint64_t base_gpa, void **dl_handle,
				 struct elisa_map_req **reqs, int *nreqs, int *capacity);

#ifdef __cplusplus
}
#endif

#endif
