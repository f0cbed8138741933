/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the dynamic section, which says where the object's tables are. Refuses an object that needs
 * more than the sub context has, for example constructors.
 */
#include "elf_loader.h"

#ifndef DT_RELR
#define DT_RELR 36
#endif

static int take_dynamic(struct elf_loader *loader, const Elf64_Dyn *entry)
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
			return elf_refuse(loader, "symbols of %llu bytes; link it again",
					  (unsigned long long)value);
		break;
	case DT_RELAENT:
		if (value != sizeof(Elf64_Rela))
			return elf_refuse(loader, "relocations of %llu bytes; link it again",
					  (unsigned long long)value);
		break;
	case DT_PLTREL:
		if (value != DT_RELA)
			return elf_refuse(loader, "relocations of kind %llu; link it for x86-64",
					  (unsigned long long)value);
		break;
	case DT_REL:
		return elf_refuse(loader, "relocations without addend; link it for x86-64");
	case DT_INIT:
	case DT_INIT_ARRAY:
	case DT_INIT_ARRAYSZ:
		if (value)
			return elf_refuse(
				loader,
				"it has constructors (%s, %#llx), which nothing would run; "
				"initialize its variables without code or from the manager, and "
				"link it with -nostdlib: the compiler's start files have some",
				entry->d_tag == DT_INIT ? ".init" : ".init_array",
				(unsigned long long)value);
		break;
	case DT_RELR:
		return elf_refuse(loader,
				  "packed relocations; link it with -z nopack-relative-relocs");
	}
	return 0;
}

int elf_read_dynamic(struct elf_loader *loader)
{
	for (unsigned int i = 0; i < loader->header.e_phnum; i++) {
		Elf64_Phdr segment = elf_program_header(loader, i);

		if (segment.p_type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; elf_fits(at, sizeof(Elf64_Dyn), segment.p_memsz);
		     at += sizeof(Elf64_Dyn)) {
			Elf64_Dyn entry;
			int ret;

			if (!elf_image_copy(loader, &entry, segment.p_vaddr + at, sizeof(entry)))
				return elf_refuse(loader,
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
	return 0; /* there is nothing to relocate, and there are no symbols */
}
