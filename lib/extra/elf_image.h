/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared object, laid out and relocated in memory of this process. Its bytes are hostile: every
 * offset, size and index in them is checked before use, and none is read a second time afterwards.
 */
#ifndef ELISA_ELF_IMAGE_H
#define ELISA_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_symbol {
	const char *name;
	uint64_t at; /* bytes from the image's start; all `size` bytes lie in the image */
	uint64_t size;
	unsigned char type; /* STT_NOTYPE, STT_OBJECT or STT_FUNC */
};

struct elf_image {
	uint8_t *memory; /* whole pages, anonymous */
	size_t size;
	uint8_t *prot; /* ELISA_PROT_* of each page, 0 for a gap between segments */

	/* The kinds of registers that the object uses, if it says so: 1 << 0 general registers,
	 * other bits other registers. */
	bool has_features;
	uint32_t features;

	/* Copies of the object's tables: once the image is shared, its own tables may change at any
	 * time. */
	struct elf_symbol *symbols;
	size_t symbol_count;
	char *names;
};

/*
 * Lays out `size` bytes of a file for the virtual address `base`. Returns 0, or -errno with the
 * reason in `text`: what is wrong, and what to do.
 */
int elf_image_create(struct elf_image *image, const void *file, size_t size, uint64_t base,
		     char *text, size_t text_size);
void elf_image_destroy(struct elf_image *image);

const struct elf_symbol *elf_image_symbol(const struct elf_image *image, const char *name);

#endif
