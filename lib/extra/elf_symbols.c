/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object's symbols: reads them by index, counts them by a hash table, and copies those that the
 * manager may ask for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "elf_loader.h"

bool elf_read_symbol(const struct elf_loader *loader, uint64_t index, Elf64_Sym *symbol)
{
	return loader->symtab && index <= ELISA_EXTRA_IMAGE_MAX / sizeof(*symbol) &&
	       elf_image_copy(loader, symbol, loader->symtab + index * sizeof(*symbol),
			      sizeof(*symbol));
}

const char *elf_symbol_name(const struct elf_loader *loader, const Elf64_Sym *symbol)
{
	const char *name;
	uint64_t room;

	if (symbol->st_name >= loader->strtab_size)
		return NULL;
	room = loader->strtab_size - symbol->st_name;
	name = elf_image_at(loader, loader->strtab + symbol->st_name, room);
	return name && memchr(name, 0, room) ? name : NULL;
}

static bool read_word(const struct elf_loader *loader, uint64_t table, uint64_t index,
		      uint32_t *word)
{
	return index <= ELISA_EXTRA_IMAGE_MAX / sizeof(*word) &&
	       elf_image_copy(loader, word, table + index * sizeof(*word), sizeof(*word));
}

/*
 * Counts the symbols by the GNU hash table, which does not contain their number. The last symbol is
 * the end of the chain of the highest bucket: the first hash value there with its lowest bit set.
 */
static bool count_gnu_symbols(const struct elf_loader *loader, uint64_t *count)
{
	uint32_t buckets, first, bloom, word, last = 0;
	uint64_t chain;

	if (!read_word(loader, loader->gnu_hash, 0, &buckets) ||
	    !read_word(loader, loader->gnu_hash, 1, &first) ||
	    !read_word(loader, loader->gnu_hash, 2, &bloom))
		return false;
	chain = 4 + 2 * (uint64_t)bloom;
	for (uint32_t i = 0; i < buckets; i++) {
		if (!read_word(loader, loader->gnu_hash, chain + i, &word))
			return false;
		if (word > last)
			last = word;
	}
	if (last < first) {
		*count = first; /* all buckets are empty */
		return true;
	}
	chain += buckets;
	do {
		if (!read_word(loader, loader->gnu_hash, chain + last - first, &word))
			return false;
		last++;
	} while (!(word & 1));
	*count = last;
	return true;
}

static bool count_symbols(const struct elf_loader *loader, uint64_t *count)
{
	uint32_t chains;

	*count = 0;
	if (loader->hash) {
		if (!read_word(loader, loader->hash, 1, &chains))
			return false;
		*count = chains;
		return true;
	}
	return !loader->gnu_hash || count_gnu_symbols(loader, count);
}

/* Tells whether the manager may ask for the symbol by its name. */
static bool is_offered(const struct elf_loader *loader, const Elf64_Sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);
	unsigned int binding = ELF64_ST_BIND(symbol->st_info);

	return (binding == STB_GLOBAL || binding == STB_WEAK) &&
	       (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC) &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < SHN_LORESERVE &&
	       symbol->st_value - loader->start < loader->image->size &&
	       elf_image_at(loader, symbol->st_value, symbol->st_size);
}

int elf_copy_symbols(struct elf_loader *loader)
{
	struct elf_image *image = loader->image;
	const char *strings = NULL;
	uint64_t count;

	if (loader->strtab_size)
		strings = elf_image_at(loader, loader->strtab, loader->strtab_size);
	if (!count_symbols(loader, &count) || (loader->strtab_size && !strings) ||
	    count > image->size / sizeof(Elf64_Sym) ||
	    (count && !elf_image_at(loader, loader->symtab, count * sizeof(Elf64_Sym))))
		return elf_refuse(loader, "its symbol, string or hash table is outside of its "
					  "segments; link it again");
	if (!count || !strings)
		return 0;

	image->symbols = calloc(count, sizeof(*image->symbols));
	image->names = malloc(loader->strtab_size);
	if (!image->symbols || !image->names) {
		elf_refuse(loader, "no memory for %llu symbols; free memory",
			   (unsigned long long)count);
		return -ENOMEM;
	}
	memcpy(image->names, strings, loader->strtab_size);
	for (uint64_t i = 1; i < count; i++) {
		struct elf_symbol *copy = &image->symbols[image->symbol_count];
		Elf64_Sym symbol;

		if (!elf_read_symbol(loader, i, &symbol) || !is_offered(loader, &symbol) ||
		    !elf_symbol_name(loader, &symbol))
			continue;
		copy->name = image->names + symbol.st_name;
		copy->at = symbol.st_value - loader->start;
		copy->size = symbol.st_size;
		copy->type = ELF64_ST_TYPE(symbol.st_info);
		image->symbol_count++;
	}
	return 0;
}
