/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parser of shared objects. It must never trust a number of the file: file_at() and image_at() are
 * the only ways to its bytes, both checked, and every structure is copied out before it is looked
 * at. It reads what the dynamic loader reads (program headers, PT_DYNAMIC), never sections.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <elisa/extra.h>
#include "elf_image.h"

#define PAGE ((uint64_t)ELISA_PAGE_SIZE)

#ifndef DT_RELR
#define DT_RELR 36
#endif

struct loader {
	struct elf_image *image;
	const uint8_t *file;
	size_t file_size;
	uint64_t base;	/* address of the image's first byte when it runs */
	uint64_t start; /* the object's own address of that byte */
	Elf64_Ehdr header;

	/* From PT_DYNAMIC: addresses of the object and sizes, 0 if absent. */
	uint64_t symtab, strtab, strtab_size;
	uint64_t rela, rela_size, jmprel, jmprel_size;
	uint64_t hash, gnu_hash;

	char *text;
	size_t text_size;
};

static int refuse(struct loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(struct loader *loader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(loader->text, loader->text_size, format, arguments);
	va_end(arguments);
	return -ENOEXEC;
}

static bool fits(uint64_t at, uint64_t length, uint64_t size)
{
	return length <= size && at <= size - length;
}

static const void *file_at(const struct loader *loader, uint64_t offset, uint64_t length)
{
	return fits(offset, length, loader->file_size) ? loader->file + offset : NULL;
}

/* address is one of the object; subtraction wraps for one below the start and then does not fit. */
static void *image_at(const struct loader *loader, uint64_t address, uint64_t length)
{
	uint64_t at = address - loader->start;

	return fits(at, length, loader->image->size) ? loader->image->memory + at : NULL;
}

static bool image_copy(const struct loader *loader, void *to, uint64_t address, uint64_t length)
{
	const void *from = image_at(loader, address, length);

	if (from)
		memcpy(to, from, length);
	return from;
}

/* ------------------------------------------------------------------ headers, segments */

static int read_header(struct loader *loader)
{
	Elf64_Ehdr *header = &loader->header;
	const void *at = file_at(loader, 0, sizeof(*header));

	if (!at)
		return refuse(loader, "%zu bytes are too few for an ELF file; give a shared object",
			      loader->file_size);
	memcpy(header, at, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG))
		return refuse(loader, "it is not an ELF file; give a shared object");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return refuse(loader, "class %u, machine %u; build it for 64-bit x86 (gcc -m64)",
			      header->e_ident[EI_CLASS], header->e_machine);
	if (header->e_type != ET_DYN)
		return refuse(loader, "ELF type %u is not a shared object; link it with -shared",
			      header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum >= PN_XNUM ||
	    !file_at(loader, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr)))
		return refuse(
			loader,
			"%u program headers of %u bytes at %#llx are not in the file; link it "
			"again",
			header->e_phnum, header->e_phentsize, (unsigned long long)header->e_phoff);
	return 0;
}

/* i < e_phnum: read_header() has checked the table. */
static Elf64_Phdr program_header(const struct loader *loader, unsigned int i)
{
	Elf64_Phdr segment;

	memcpy(&segment, loader->file + loader->header.e_phoff + i * sizeof(segment),
	       sizeof(segment));
	return segment;
}

static int check_segment(struct loader *loader, unsigned int i, const Elf64_Phdr *segment)
{
	if (segment->p_memsz < segment->p_filesz ||
	    !file_at(loader, segment->p_offset, segment->p_filesz))
		return refuse(loader,
			      "segment %u: %#llx bytes at %#llx are not in the file; link it again",
			      i, (unsigned long long)segment->p_filesz,
			      (unsigned long long)segment->p_offset);
	if (segment->p_vaddr > INT64_MAX || segment->p_memsz > INT64_MAX - PAGE)
		return refuse(loader, "segment %u: address %#llx, size %#llx; link it again", i,
			      (unsigned long long)segment->p_vaddr,
			      (unsigned long long)segment->p_memsz);
	if ((segment->p_flags & PF_W) && (segment->p_flags & PF_X))
		return refuse(loader,
			      "segment %u is writable and executable; link it without -N and "
			      "without writable code sections",
			      i);
	return 0;
}

/* Find the span of all segments and get memory for it. */
static int reserve_image(struct loader *loader)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = program_header(loader, i);
		int ret;

		if (segment.p_type == PT_TLS && segment.p_memsz)
			return refuse(loader,
				      "it has %llu bytes of thread-local storage; the sub context "
				      "has no threads: use ordinary variables",
				      (unsigned long long)segment.p_memsz);
		if (segment.p_type != PT_LOAD || !segment.p_memsz)
			continue;
		ret = check_segment(loader, i, &segment);
		if (ret < 0)
			return ret;
		if (segment.p_vaddr < low)
			low = segment.p_vaddr;
		if (segment.p_vaddr + segment.p_memsz > high)
			high = segment.p_vaddr + segment.p_memsz;
	}
	if (low >= high)
		return refuse(loader, "it has nothing to load; link it again");
	loader->start = low & ~(PAGE - 1);
	high = (high + PAGE - 1) & ~(PAGE - 1);
	if (high - loader->start > ELISA_EXTRA_IMAGE_MAX) {
		refuse(loader,
		       "its image takes %#llx bytes, the limit is %#x; map large data with "
		       "elisa_export_map() instead",
		       (unsigned long long)(high - loader->start), ELISA_EXTRA_IMAGE_MAX);
		return -EFBIG;
	}

	loader->image->size = high - loader->start;
	loader->image->prot = calloc(loader->image->size / PAGE, 1);
	loader->image->memory = mmap(NULL, loader->image->size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (loader->image->memory == MAP_FAILED)
		loader->image->memory = NULL;
	if (!loader->image->prot || !loader->image->memory) {
		refuse(loader, "no memory for an image of %zu bytes; free memory",
		       loader->image->size);
		return -ENOMEM;
	}
	return 0;
}

static int place_segment(struct loader *loader, unsigned int i, const Elf64_Phdr *segment)
{
	uint64_t at = segment->p_vaddr - loader->start;
	uint8_t prot = ELISA_PROT_READ;

	if (segment->p_flags & PF_W)
		prot |= ELISA_PROT_WRITE;
	if (segment->p_flags & PF_X)
		prot |= ELISA_PROT_EXEC;
	/* reserve_image() has checked both ends. */
	memcpy(loader->image->memory + at, loader->file + segment->p_offset, segment->p_filesz);
	for (uint64_t page = at / PAGE; page <= (at + segment->p_memsz - 1) / PAGE; page++) {
		loader->image->prot[page] |= prot;
		if ((loader->image->prot[page] & ELISA_PROT_WRITE) &&
		    (loader->image->prot[page] & ELISA_PROT_EXEC))
			return refuse(
				loader,
				"segment %u shares the page at %#llx with another, which makes "
				"it writable and executable; link it with -z separate-code",
				i, (unsigned long long)(loader->start + page * PAGE));
	}
	return 0;
}

static int place_segments(struct loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = program_header(loader, i);
		int ret;

		if (segment.p_type != PT_LOAD || !segment.p_memsz)
			continue;
		ret = place_segment(loader, i, &segment);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* What only relocation has to write becomes constant. */
static void protect_relro(struct loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = program_header(loader, i);
		uint64_t first, end;

		if (segment.p_type != PT_GNU_RELRO ||
		    !image_at(loader, segment.p_vaddr, segment.p_memsz))
			continue;
		first = (segment.p_vaddr - loader->start) / PAGE;
		end = (segment.p_vaddr - loader->start + segment.p_memsz) / PAGE;
		for (uint64_t page = first; page < end; page++)
			loader->image->prot[page] &= (uint8_t)~ELISA_PROT_WRITE;
	}
}

/* ------------------------------------------------------------------- dynamic section */

static int take_dynamic(struct loader *loader, const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_SYMTAB:
		loader->symtab = value;
		break;
	case DT_STRTAB:
		loader->strtab = value;
		break;
	case DT_STRSZ:
		loader->strtab_size = value;
		break;
	case DT_RELA:
		loader->rela = value;
		break;
	case DT_RELASZ:
		loader->rela_size = value;
		break;
	case DT_JMPREL:
		loader->jmprel = value;
		break;
	case DT_PLTRELSZ:
		loader->jmprel_size = value;
		break;
	case DT_HASH:
		loader->hash = value;
		break;
	case DT_GNU_HASH:
		loader->gnu_hash = value;
		break;
	case DT_SYMENT:
		if (value != sizeof(Elf64_Sym))
			return refuse(loader, "symbols of %llu bytes; link it again",
				      (unsigned long long)value);
		break;
	case DT_RELAENT:
		if (value != sizeof(Elf64_Rela))
			return refuse(loader, "relocations of %llu bytes; link it again",
				      (unsigned long long)value);
		break;
	case DT_PLTREL:
		if (value != DT_RELA)
			return refuse(loader, "relocations of kind %llu; link it for x86-64",
				      (unsigned long long)value);
		break;
	case DT_REL:
		return refuse(loader, "relocations without addend; link it for x86-64");
	case DT_INIT:
	case DT_INIT_ARRAY:
	case DT_INIT_ARRAYSZ:
		if (value)
			return refuse(
				loader,
				"it has constructors (%s, %#llx), which nothing would run; "
				"initialize its variables without code or from the manager, and "
				"link it with -nostdlib: the compiler's start files have some",
				entry->d_tag == DT_INIT ? ".init" : ".init_array",
				(unsigned long long)value);
		break;
	case DT_RELR:
		return refuse(loader, "packed relocations; link it with -z nopack-relative-relocs");
	}
	return 0;
}

static int read_dynamic(struct loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = program_header(loader, i);

		if (segment.p_type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; fits(at, sizeof(Elf64_Dyn), segment.p_memsz);
		     at += sizeof(Elf64_Dyn)) {
			Elf64_Dyn entry;
			int ret;

			if (!image_copy(loader, &entry, segment.p_vaddr + at, sizeof(entry)))
				return refuse(loader,
					      "the dynamic section at %#llx is outside of its "
					      "segments; link it again",
					      (unsigned long long)segment.p_vaddr);
			if (entry.d_tag == DT_NULL)
				return 0;
			ret = take_dynamic(loader, &entry);
			if (ret < 0)
				return ret;
		}
		return 0;
	}
	return 0; /* nothing to relocate and no symbols */
}

/* ----------------------------------------------------------------------- properties */

/*
 * The property by which the assembler says which registers an object uses (x86-64 psABI, "program
 * property", GNU_PROPERTY_X86_FEATURE_2_USED). The linker keeps it only if all parts of an
 * object have it, and joins their bits.
 */
#define FEATURES_USED 0xc0010001u

/* One note: a header of three words, the name "GNU", then properties, each padded to 8 bytes. */
static void read_properties(struct loader *loader, const Elf64_Phdr *segment)
{
	Elf64_Nhdr note;
	uint64_t at = segment->p_vaddr + sizeof(note) + 4, left;

	if (!image_copy(loader, &note, segment->p_vaddr, sizeof(note)) || note.n_namesz != 4 ||
	    note.n_type != NT_GNU_PROPERTY_TYPE_0)
		return;
	for (left = note.n_descsz; left >= 12;) {
		uint32_t property[3]; /* type, bytes, and the first four of these */
		uint64_t length;

		if (!image_copy(loader, property, at, sizeof(property)))
			return;
		if (property[0] == FEATURES_USED && property[1] == 4) {
			loader->image->has_features = true;
			loader->image->features = property[2];
		}
		length = (8 + (uint64_t)property[1] + 7) & ~7ULL;
		if (length > left)
			return;
		left -= length;
		at += length;
	}
}

static void find_properties(struct loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = program_header(loader, i);

		if (segment.p_type == PT_GNU_PROPERTY)
			read_properties(loader, &segment);
	}
}

/* ------------------------------------------------------------------------- symbols */

static bool read_symbol(const struct loader *loader, uint64_t index, Elf64_Sym *symbol)
{
	return loader->symtab && index <= ELISA_EXTRA_IMAGE_MAX / sizeof(*symbol) &&
	       image_copy(loader, symbol, loader->symtab + index * sizeof(*symbol),
			  sizeof(*symbol));
}

/* NULL unless the name and its NUL lie in the string table and in the image. */
static const char *symbol_name(const struct loader *loader, const Elf64_Sym *symbol)
{
	const char *name;
	uint64_t room;

	if (symbol->st_name >= loader->strtab_size)
		return NULL;
	room = loader->strtab_size - symbol->st_name;
	name = image_at(loader, loader->strtab + symbol->st_name, room);
	return name && memchr(name, 0, room) ? name : NULL;
}

static bool read_word(const struct loader *loader, uint64_t table, uint64_t index, uint32_t *word)
{
	return index <= ELISA_EXTRA_IMAGE_MAX / sizeof(*word) &&
	       image_copy(loader, word, table + index * sizeof(*word), sizeof(*word));
}

/*
 * The GNU hash table does not say how many symbols there are: they end with the chain of the
 * highest bucket, at the first hash value whose lowest bit is set.
 */
static bool count_gnu_symbols(const struct loader *loader, uint64_t *count)
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

static bool count_symbols(const struct loader *loader, uint64_t *count)
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

/* A symbol that others may ask for by name. */
static bool is_offered(const struct loader *loader, const Elf64_Sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);
	unsigned int binding = ELF64_ST_BIND(symbol->st_info);

	return (binding == STB_GLOBAL || binding == STB_WEAK) &&
	       (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC) &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < SHN_LORESERVE &&
	       symbol->st_value - loader->start < loader->image->size &&
	       image_at(loader, symbol->st_value, symbol->st_size);
}

static int copy_symbols(struct loader *loader)
{
	struct elf_image *image = loader->image;
	const char *strings = NULL;
	uint64_t count;

	if (loader->strtab_size)
		strings = image_at(loader, loader->strtab, loader->strtab_size);
	if (!count_symbols(loader, &count) || (loader->strtab_size && !strings) ||
	    count > image->size / sizeof(Elf64_Sym) ||
	    (count && !image_at(loader, loader->symtab, count * sizeof(Elf64_Sym))))
		return refuse(loader, "its symbol, string or hash table is outside of its "
				      "segments; link it again");
	if (!count || !strings)
		return 0;

	image->symbols = calloc(count, sizeof(*image->symbols));
	image->names = malloc(loader->strtab_size);
	if (!image->symbols || !image->names) {
		refuse(loader, "no memory for %llu symbols; free memory",
		       (unsigned long long)count);
		return -ENOMEM;
	}
	memcpy(image->names, strings, loader->strtab_size);
	for (uint64_t i = 1; i < count; i++) {
		struct elf_symbol *copy = &image->symbols[image->symbol_count];
		Elf64_Sym symbol;

		if (!read_symbol(loader, i, &symbol) || !is_offered(loader, &symbol) ||
		    !symbol_name(loader, &symbol))
			continue;
		copy->name = image->names + symbol.st_name;
		copy->at = symbol.st_value - loader->start;
		copy->size = symbol.st_size;
		copy->type = ELF64_ST_TYPE(symbol.st_info);
		image->symbol_count++;
	}
	return 0;
}

/* --------------------------------------------------------------------- relocations */

/* What compilers call without being asked to. */
static bool is_memory_function(const char *name)
{
	return !strcmp(name, "memcpy") || !strcmp(name, "memmove") || !strcmp(name, "memset") ||
	       !strcmp(name, "memcmp");
}

static int undefined(struct loader *loader, const char *name)
{
	const char *todo = "define it in the object: there is no C library in the sub context";

	if (!strcmp(name, "__stack_chk_fail"))
		todo = "build with -fno-stack-protector";
	else if (!strcmp(name, "__tls_get_addr"))
		todo = "use no thread-local variables";
	else if (is_memory_function(name))
		todo = "link the object with -lelisa-function";
	return refuse(loader, "the symbol '%.80s' is undefined; %s", name, todo);
}

/* Where the symbol of a relocation is when the object runs. */
static int resolve(struct loader *loader, uint64_t index, uint64_t *address)
{
	Elf64_Sym symbol;
	const char *name;

	*address = 0;
	if (index == STN_UNDEF)
		return 0;
	if (!read_symbol(loader, index, &symbol))
		return refuse(loader,
			      "a relocation names symbol %llu, which is not there; link it "
			      "again",
			      (unsigned long long)index);
	name = symbol_name(loader, &symbol);
	if (!name)
		name = "?";
	switch (ELF64_ST_TYPE(symbol.st_info)) {
	case STT_GNU_IFUNC:
		return refuse(loader,
			      "the symbol '%.80s' is chosen at load time (IFUNC); the sub context "
			      "cannot: define an ordinary function",
			      name);
	case STT_TLS:
		return refuse(loader,
			      "the symbol '%.80s' is thread-local; the sub context has no threads: "
			      "use an ordinary variable",
			      name);
	}
	if (symbol.st_shndx == SHN_UNDEF) {
		/* A weak one may stay 0, as the dynamic loader does. */
		if (ELF64_ST_BIND(symbol.st_info) == STB_WEAK)
			return 0;
		return undefined(loader, name);
	}
	*address = symbol.st_value;
	if (symbol.st_shndx != SHN_ABS)
		*address += loader->base - loader->start;
	return 0;
}

static const char *relocation_symbol(const struct loader *loader, const Elf64_Rela *relocation)
{
	const char *name = NULL;
	Elf64_Sym symbol;

	if (read_symbol(loader, ELF64_R_SYM(relocation->r_info), &symbol))
		name = symbol_name(loader, &symbol);
	return name && name[0] ? name : "(no name)";
}

/* The value to be written, or -ENOEXEC if this kind is not for the sub context. */
static int relocation_value(struct loader *loader, const Elf64_Rela *relocation, uint64_t *value)
{
	unsigned int type = ELF64_R_TYPE(relocation->r_info);
	int ret;

	switch (type) {
	case R_X86_64_RELATIVE:
		*value = loader->base - loader->start + (uint64_t)relocation->r_addend;
		return 0;
	case R_X86_64_64:
		ret = resolve(loader, ELF64_R_SYM(relocation->r_info), value);
		*value += (uint64_t)relocation->r_addend;
		return ret;
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
		return resolve(loader, ELF64_R_SYM(relocation->r_info), value);
	case R_X86_64_IRELATIVE:
		return refuse(loader,
			      "it has a function that is chosen at load time (IFUNC, "
			      "resolver at %#llx); define an ordinary function",
			      (unsigned long long)relocation->r_addend);
	case R_X86_64_DTPMOD64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_TLSDESC:
		return refuse(loader,
			      "the symbol '%.80s' is thread-local; the sub context has no threads: "
			      "use an ordinary variable",
			      relocation_symbol(loader, relocation));
	default:
		return refuse(loader,
			      "relocation type %u for the symbol '%.80s'; build it with -fPIC",
			      type, relocation_symbol(loader, relocation));
	}
}

static bool is_writable(const struct loader *loader, uint64_t address, uint64_t length)
{
	uint64_t at = address - loader->start;

	return image_at(loader, address, length) &&
	       (loader->image->prot[at / PAGE] & ELISA_PROT_WRITE) &&
	       (loader->image->prot[(at + length - 1) / PAGE] & ELISA_PROT_WRITE);
}

static int relocate_one(struct loader *loader, const Elf64_Rela *relocation)
{
	uint64_t value = 0;
	int ret;

	if (ELF64_R_TYPE(relocation->r_info) == R_X86_64_NONE)
		return 0;
	ret = relocation_value(loader, relocation, &value);
	if (ret < 0)
		return ret;
	if (!is_writable(loader, relocation->r_offset, sizeof(value)))
		return refuse(loader,
			      "a relocation writes at %#llx, which is not in a writable segment; "
			      "build it with -fPIC",
			      (unsigned long long)relocation->r_offset);
	memcpy(image_at(loader, relocation->r_offset, sizeof(value)), &value, sizeof(value));
	return 0;
}

static int relocate(struct loader *loader, uint64_t table, uint64_t size)
{
	if (!size)
		return 0;
	if (size % sizeof(Elf64_Rela) || !image_at(loader, table, size))
		return refuse(loader,
			      "%#llx bytes of relocations at %#llx are outside of its segments; "
			      "link it again",
			      (unsigned long long)size, (unsigned long long)table);
	for (uint64_t at = 0; at < size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela relocation;
		int ret;

		image_copy(loader, &relocation, table + at, sizeof(relocation));
		ret = relocate_one(loader, &relocation);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ------------------------------------------------------------------------- the whole */

static int load(struct loader *loader)
{
	int ret = read_header(loader);

	if (!ret)
		ret = reserve_image(loader);
	if (!ret)
		ret = place_segments(loader);
	if (!ret)
		ret = read_dynamic(loader);
	if (!ret)
		find_properties(loader);
	if (!ret)
		ret = copy_symbols(loader);
	if (!ret)
		ret = relocate(loader, loader->rela, loader->rela_size);
	if (!ret)
		ret = relocate(loader, loader->jmprel, loader->jmprel_size);
	if (!ret)
		protect_relro(loader);
	return ret;
}

int elf_image_create(struct elf_image *image, const void *file, size_t size, uint64_t base,
		     char *text, size_t text_size)
{
	struct loader loader = {
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
