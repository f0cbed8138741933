/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an image of a shared object, in the steps of elf_loader.h. This file has the order of the
 * steps. It also has the only ways to the bytes of the file and of the image, and both are checked.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "elf_loader.h"

int elf_refuse(struct elf_loader *loader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(loader->text, loader->text_size, format, arguments);
	va_end(arguments);
	return -ENOEXEC;
}

bool elf_fits(uint64_t at, uint64_t length, uint64_t size)
{
	return length <= size && at <= size - length;
}

const void *elf_file_at(const struct elf_loader *loader, uint64_t offset, uint64_t length)
{
	return elf_fits(offset, length, loader->file_size) ? loader->file + offset : NULL;
}

/* Finds an address of the object in the image. If the address is below the start, the subtraction
 * wraps, and the result does not fit. */
void *elf_image_at(const struct elf_loader *loader, uint64_t address, uint64_t length)
{
	uint64_t at = address - loader->start;

	return elf_fits(at, length, loader->image->size) ? loader->image->memory + at : NULL;
}

bool elf_image_copy(const struct elf_loader *loader, void *to, uint64_t address, uint64_t length)
{
	const void *from = elf_image_at(loader, address, length);

	if (from)
		memcpy(to, from, length);
	return from;
}

static int load(struct elf_loader *loader)
{
	int ret = elf_read_header(loader);

	if (!ret)
		ret = elf_reserve_image(loader);
	if (!ret)
		ret = elf_place_segments(loader);
	if (!ret)
		ret = elf_read_dynamic(loader);
	if (!ret)
		elf_read_properties(loader);
	if (!ret)
		ret = elf_copy_symbols(loader);
	if (!ret)
		ret = elf_relocate(loader, loader->rela, loader->rela_size);
	if (!ret)
		ret = elf_relocate(loader, loader->jmprel, loader->jmprel_size);
	if (!ret)
		elf_protect_relro(loader);
	return ret;
}

int elf_image_create(struct elf_image *image, const void *file, size_t size, uint64_t base,
		     char *text, size_t text_size)
{
	struct elf_loader loader = {
		.image = image,
		.file = file,
		.file_size = size,
		.base = base,
		.text = text,
		.text_size = text_size,
	};
	int ret;

	memset(image, 0, sizeof(*image));
	ret = load(&loader);
	if (ret < 0)
		elf_image_destroy(image);
	return ret;
}

void elf_image_destroy(struct elf_image *image)
{
	if (image->memory)
		munmap(image->memory, image->size);
	free(image->prot);
	free(image->symbols);
	free(image->names);
	memset(image, 0, sizeof(*image));
}

const struct elf_symbol *elf_image_symbol(const struct elf_image *image, const char *name)
{
	for (size_t i = 0; i < image->symbol_count; i++)
		if (!strcmp(image->symbols[i].name, name))
			return &image->symbols[i];
	return NULL;
}
