/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the steps of elf_image_create() share. They must never trust a number of the file. They
 * reach bytes by elf_file_at() and elf_image_at() alone, and copy every structure before they look
 * at it. They read what a dynamic loader reads (program headers, PT_DYNAMIC), never sections.
 */
#ifndef ELISA_ELF_LOADER_H
#define ELISA_ELF_LOADER_H

#include <elf.h>
#include <elisa/extra.h>
#include "elf_image.h"

#define PAGE ((uint64_t)ELISA_PAGE_SIZE)

struct elf_loader {
	struct elf_image *image;
	const uint8_t *file;
	size_t file_size;
	uint64_t base;	/* address of the image's first byte when it runs */
	uint64_t start; /* the object's own address of that byte */
	Elf64_Ehdr header;

	/* From PT_DYNAMIC: addresses in the object, and sizes; 0 if absent. */
	uint64_t symtab, strtab, strtab_size;
	uint64_t rela, rela_size, jmprel, jmprel_size;
	uint64_t hash, gnu_hash;

	char *text;
	size_t text_size;
};

/* A function that returns int returns 0, or -errno with the reason in loader->text. */

/* ---- elf_image.c */

/* Notes the reason; returns -ENOEXEC. */
int elf_refuse(struct elf_loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool elf_fits(uint64_t at, uint64_t length, uint64_t size);
/* Return NULL (or false) unless all bytes are there. address is one of the object. */
const void *elf_file_at(const struct elf_loader *loader, uint64_t offset, uint64_t length);
void *elf_image_at(const struct elf_loader *loader, uint64_t address, uint64_t length);
bool elf_image_copy(const struct elf_loader *loader, void *to, uint64_t address, uint64_t length);

/* ---- elf_segments.c, in the order of their calls */

int elf_read_header(struct elf_loader *loader);
/* i must be below header.e_phnum. */
Elf64_Phdr elf_program_header(const struct elf_loader *loader, unsigned int i);
/* Finds the span of all segments, and allocates memory for it. */
int elf_reserve_image(struct elf_loader *loader);
int elf_place_segments(struct elf_loader *loader);
/* The last step: makes pages read-only that only relocation has to write. */
void elf_protect_relro(struct elf_loader *loader);

/* ---- elf_dynamic.c, elf_property.c */

int elf_read_dynamic(struct elf_loader *loader);
void elf_read_properties(struct elf_loader *loader);

/* ---- elf_symbols.c */

bool elf_read_symbol(const struct elf_loader *loader, uint64_t index, Elf64_Sym *symbol);
/* Returns NULL unless the name and its NUL lie in the string table and in the image. */
const char *elf_symbol_name(const struct elf_loader *loader, const Elf64_Sym *symbol);
int elf_copy_symbols(struct elf_loader *loader);

/* ---- elf_relocate.c */

/* Applies `size` bytes of Elf64_Rela at the object's address `table`. */
int elf_relocate(struct elf_loader *loader, uint64_t table, uint64_t size);

#endif
