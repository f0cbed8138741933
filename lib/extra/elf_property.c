/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the property by which the assembler says which registers an object uses (x86-64 psABI,
 * "program property", GNU_PROPERTY_X86_FEATURE_2_USED). The linker keeps it only if all parts of an
 * object have it, and combines their bits.
 */
#include "elf_loader.h"

#define FEATURES_USED 0xc0010001u

/* Reads a note: a header of three words, the name "GNU", then properties, each padded to 8
 * bytes. */
static void read_note(struct elf_loader *loader, const Elf64_Phdr *segment)
{
	Elf64_Nhdr note;
	uint64_t at = segment->p_vaddr + sizeof(note) + 4, left;

	if (!elf_image_copy(loader, &note, segment->p_vaddr, sizeof(note)) || note.n_namesz != 4 ||
	    note.n_type != NT_GNU_PROPERTY_TYPE_0)
		return;
	for (left = note.n_descsz; left >= 12;) {
		uint32_t property[3]; /* type, number of bytes, and the first four bytes */
		uint64_t length;

		if (!elf_image_copy(loader, property, at, sizeof(property)))
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

void elf_read_properties(struct elf_loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = elf_program_header(loader, i);

		if (segment.p_type == PT_GNU_PROPERTY)
			read_note(loader, &segment);
	}
}
