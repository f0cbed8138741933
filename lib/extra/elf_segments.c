/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object's header and segments: finds them, checks them, and lays them out in memory with their
 * protection. No page becomes writable and executable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "elf_loader.h"

int elf_read_header(struct elf_loader *loader)
{
	Elf64_Ehdr *header = &loader->header;
	const void *at = elf_file_at(loader, 0, sizeof(*header));

	if (!at)
		return elf_refuse(loader,
				  "%zu bytes are too few for an ELF file; give a shared object",
				  loader->file_size);
	memcpy(header, at, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG))
		return elf_refuse(loader, "it is not an ELF file; give a shared object");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return elf_refuse(loader,
				  "class %u, machine %u; build it for 64-bit x86 (gcc -m64)",
				  header->e_ident[EI_CLASS], header->e_machine);
	if (header->e_type != ET_DYN)
		return elf_refuse(loader,
				  "ELF type %u is not a shared object; link it with -shared",
				  header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum >= PN_XNUM ||
	    !elf_file_at(loader, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr)))
		return elf_refuse(
			loader,
			"%u program headers of %u bytes at %#llx are not in the file; link it "
			"again",
			header->e_phnum, header->e_phentsize, (unsigned long long)header->e_phoff);
	return 0;
}

/* i must be below e_phnum: elf_read_header() has checked the table. */
Elf64_Phdr elf_program_header(const struct elf_loader *loader, unsigned int i)
{
	Elf64_Phdr segment;

	memcpy(&segment, loader->file + loader->header.e_phoff + i * sizeof(segment),
	       sizeof(segment));
	return segment;
}

static int check_segment(struct elf_loader *loader, unsigned int i, const Elf64_Phdr *segment)
{
	if (segment->p_memsz < segment->p_filesz ||
	    !elf_file_at(loader, segment->p_offset, segment->p_filesz))
		return elf_refuse(
			loader,
			"segment %u: %#llx bytes at %#llx are not in the file; link it again", i,
			(unsigned long long)segment->p_filesz,
			(unsigned long long)segment->p_offset);
	if (segment->p_vaddr > INT64_MAX || segment->p_memsz > INT64_MAX - PAGE)
		return elf_refuse(loader, "segment %u: address %#llx, size %#llx; link it again", i,
				  (unsigned long long)segment->p_vaddr,
				  (unsigned long long)segment->p_memsz);
	if ((segment->p_flags & PF_W) && (segment->p_flags & PF_X))
		return elf_refuse(loader,
				  "segment %u is writable and executable; link it without -N and "
				  "without writable code sections",
				  i);
	return 0;
}

int elf_reserve_image(struct elf_loader *loader)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = elf_program_header(loader, i);
		int ret;

		if (segment.p_type == PT_TLS && segment.p_memsz)
			return elf_refuse(
				loader,
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
		return elf_refuse(loader, "it has nothing to load; link it again");
	loader->start = low & ~(PAGE - 1);
	high = (high + PAGE - 1) & ~(PAGE - 1);
	if (high - loader->start > ELISA_EXTRA_IMAGE_MAX) {
		elf_refuse(loader,
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
		elf_refuse(loader, "no memory for an image of %zu bytes; free memory",
			   loader->image->size);
		return -ENOMEM;
	}
	return 0;
}

static int place_segment(struct elf_loader *loader, unsigned int i, const Elf64_Phdr *segment)
{
	uint64_t at = segment->p_vaddr - loader->start;
	uint8_t prot = ELISA_PROT_READ;

	if (segment->p_flags & PF_W)
		prot |= ELISA_PROT_WRITE;
	if (segment->p_flags & PF_X)
		prot |= ELISA_PROT_EXEC;
	/* elf_reserve_image() has checked both ends */
	memcpy(loader->image->memory + at, loader->file + segment->p_offset, segment->p_filesz);
	for (uint64_t page = at / PAGE; page <= (at + segment->p_memsz - 1) / PAGE; page++) {
		loader->image->prot[page] |= prot;
		if ((loader->image->prot[page] & ELISA_PROT_WRITE) &&
		    (loader->image->prot[page] & ELISA_PROT_EXEC))
			return elf_refuse(
				loader,
				"segment %u shares the page at %#llx with another, which makes "
				"it writable and executable; link it with -z separate-code",
				i, (unsigned long long)(loader->start + page * PAGE));
	}
	return 0;
}

int elf_place_segments(struct elf_loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = elf_program_header(loader, i);
		int ret;

		if (segment.p_type != PT_LOAD || !segment.p_memsz)
			continue;
		ret = place_segment(loader, i, &segment);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void elf_protect_relro(struct elf_loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = elf_program_header(loader, i);
		uint64_t first, end;

		if (segment.p_type != PT_GNU_RELRO ||
		    !elf_image_at(loader, segment.p_vaddr, segment.p_memsz))
			continue;
		first = (segment.p_vaddr - loader->start) / PAGE;
		end = (segment.p_vaddr - loader->start + segment.p_memsz) / PAGE;
		for (uint64_t page = first; page < end; page++)
			loader->image->prot[page] &= (uint8_t)~ELISA_PROT_WRITE;
	}
}
