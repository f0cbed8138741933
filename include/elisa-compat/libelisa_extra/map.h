/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that map a shared object, as the research prototype's libelisa-extra made them. Programs
 * rely on what its header included, so this header includes that as well. It includes libelf's
 * headers only where there are any, because this library does not need them.
 */
#ifndef LIBELISA_EXTRA_MAP_H
#define LIBELISA_EXTRA_MAP_H

#include <assert.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<libelf.h>) && __has_include(<gelf.h>)
#include <gelf.h>
#include <libelf.h>
#endif
#endif
#include <libelisa.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Load a shared object in a namespace of its own, and append a request for each page of its
 * segments: code executable, data writable, constants neither. dlsym() on *dl_handle gives the
 * server's addresses, which are the function's as well. base_gpa is not used.
 *
 * *reqs grows by realloc(); it holds *nreqs requests and has room for *capacity (NULL, 0 and 0 at
 * first). Returns NULL. On failure it returns another value and sets errno, and nothing is changed:
 * ENOENT or ENOEXEC (the object cannot be loaded), EACCES (a segment is writable and executable),
 * ENOMEM. Do not call it for the same lists in two threads at once.
 */
void *elisa_create_program_map_req(const char *file, uint64_t base_gpa, void **dl_handle,
				   struct elisa_map_req **reqs, int *nreqs, int *capacity);

#ifdef __cplusplus
}
#endif

#endif
