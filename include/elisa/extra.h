/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libelisa-extra: a shared object as the code and data of an export. The file is not trusted:
 * nothing in it may make the loader read or write outside the file and the image.
 *
 * The object is placed in the object area, which has the same address in every attachment. The
 * manager relocates it once. It runs without a C library, constructors, thread-local storage or any
 * symbol from outside. Build it with
 *   gcc -ffreestanding -fPIC -fno-stack-protector -shared -nostdlib
 * plus -mgeneral-regs-only -Wa,-mx86-used-note=yes for an ELISA_EXPORT_GENERAL_REGS export, or as
 * pkg-config libelisa-sub says.
 *
 * Failures set the text of the export's handle (elisa_error). Several threads may use an image at
 * once.
 */
#ifndef ELISA_EXTRA_H
#define ELISA_EXTRA_H

#include <elisa/elisa.h>

#ifdef __cplusplus
extern "C" {
#endif

struct elisa_extra_image; /* a loaded shared object: the manager's own view of its pages */

#define ELISA_EXTRA_FILE_MAX  (64u << 20)  /* bytes of a file */
#define ELISA_EXTRA_IMAGE_MAX (256u << 20) /* bytes of its image in the object area */

/*
 * Load an x86-64 ELF shared object into the export, its first page at offset (bytes, page aligned).
 * Code becomes READ | EXEC, constants READ, data READ | WRITE. *made: out; release it with
 * elisa_extra_unload().
 * Errors: -ENOEXEC (not an object that can be loaded: the text says why and names the symbol),
 * -EFBIG (above the limits), those of open(2), read(2) and elisa_export_map(). After a failure
 * nothing of it is left in the export.
 */
int elisa_extra_load(struct elisa_export *export_, const char *file, uint64_t offset,
		     struct elisa_extra_image **made);

/* Load an object from size bytes of memory, for example one that is linked into the manager. */
int elisa_extra_load_memory(struct elisa_export *export_, const void *data, size_t size,
			    uint64_t offset, struct elisa_extra_image **made);

/* Get the offset of a symbol in the object area. The object must define the symbol. Errors:
 * -ENOENT, -EINVAL. */
int elisa_extra_symbol(struct elisa_extra_image *image, const char *name, uint64_t *offset);

/*
 * Return the manager's own pointer to a symbol, to fill in variables or to read them. The whole
 * symbol (its st_size) lies in the image. Code and constants are read-only through the pointer.
 * NULL if the object does not define the symbol.
 */
void *elisa_extra_address(struct elisa_extra_image *image, const char *name);

/* Return how many bytes of the object area the image takes from its offset on, in whole pages. */
uint64_t elisa_extra_size(const struct elisa_extra_image *image);

/* Publish the export as elisa_export_publish() does, with the named function as the entry. -EINVAL
 * if it is not a function. */
int elisa_extra_publish(struct elisa_extra_image *image, const char *function);

/*
 * Free the manager's view of the image. The export keeps its pages until they are unmapped or it is
 * destroyed. NULL is allowed. Call it before or after elisa_export_destroy() of its export, not at
 * the same time.
 */
void elisa_extra_unload(struct elisa_extra_image *image);

#ifdef __cplusplus
}
#endif

#endif
