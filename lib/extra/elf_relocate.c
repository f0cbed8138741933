/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relocation: writes addresses as they are when the object runs. A relocation that would need
 * another library, the dynamic loader or a thread is refused, with what to do instead.
 */
#include <string.h>
#include "elf_loader.h"

/* Tells whether compilers may call the function of their own accord. */
static bool is_memory_function(const char *name)
{
	return !strcmp(name, "memcpy") || !strcmp(name, "memmove") || !strcmp(name, "memset") ||
	       !strcmp(name, "memcmp");
}

static int undefined(struct elf_loader *loader, const char *name)
{
	const char *todo = "define it in the object: there is no C library in the sub context";

	if (!strcmp(name, "__stack_chk_fail"))
		todo = "build with -fno-stack-protector";
	else if (!strcmp(name, "__tls_get_addr"))
		todo = "use no thread-local variables";
	else if (is_memory_function(name))
		todo = "link the object with -lelisa-function";
	return elf_refuse(loader, "the symbol '%.80s' is undefined; %s", name, todo);
}

/* Finds the address that a relocation's symbol has when the object runs. */
static int resolve(struct elf_loader *loader, uint64_t index, uint64_t *address)
{
	Elf64_Sym symbol;
	const char *name;

	*address = 0;
	if (index == STN_UNDEF)
		return 0;
	if (!elf_read_symbol(loader, index, &symbol))
		return elf_refuse(loader,
				  "a relocation names symbol %llu, which is not there; link it "
				  "again",
				  (unsigned long long)index);
	name = elf_symbol_name(loader, &symbol);
	if (!name)
		name = "?";
	switch (ELF64_ST_TYPE(symbol.st_info)) {
	case STT_GNU_IFUNC:
		return elf_refuse(
			loader,
			"the symbol '%.80s' is chosen at load time (IFUNC); the sub context "
			"cannot: define an ordinary function",
			name);
	case STT_TLS:
		return elf_refuse(
			loader,
			"the symbol '%.80s' is thread-local; the sub context has no threads: "
			"use an ordinary variable",
			name);
	}
	if (symbol.st_shndx == SHN_UNDEF) {
		/* a weak symbol may stay 0, as with the dynamic loader */
		if (ELF64_ST_BIND(symbol.st_info) == STB_WEAK)
			return 0;
		return undefined(loader, name);
	}
	*address = symbol.st_value;
	if (symbol.st_shndx != SHN_ABS)
		*address += loader->base - loader->start;
	return 0;
}

static const char *relocation_symbol(const struct elf_loader *loader, const Elf64_Rela *relocation)
{
	const char *name = NULL;
	Elf64_Sym symbol;

	if (elf_read_symbol(loader, ELF64_R_SYM(relocation->r_info), &symbol))
		name = elf_symbol_name(loader, &symbol);
	return name && name[0] ? name : "(no name)";
}

/* Computes the value to write. Returns -ENOEXEC if this kind of relocation is not possible in the
 * sub context. */
static int relocation_value(struct elf_loader *loader, const Elf64_Rela *relocation,
			    uint64_t *value)
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
		return elf_refuse(loader,
				  "it has a function that is chosen at load time (IFUNC, "
				  "resolver at %#llx); define an ordinary function",
				  (unsigned long long)relocation->r_addend);
	case R_X86_64_DTPMOD64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_TLSDESC:
		return elf_refuse(
			loader,
			"the symbol '%.80s' is thread-local; the sub context has no threads: "
			"use an ordinary variable",
			relocation_symbol(loader, relocation));
	default:
		return elf_refuse(loader,
				  "relocation type %u for the symbol '%.80s'; build it with -fPIC",
				  type, relocation_symbol(loader, relocation));
	}
}

static bool is_writable(const struct elf_loader *loader, uint64_t address, uint64_t length)
{
	uint64_t at = address - loader->start;

	return elf_image_at(loader, address, length) &&
	       (loader->image->prot[at / PAGE] & ELISA_PROT_WRITE) &&
	       (loader->image->prot[(at + length - 1) / PAGE] & ELISA_PROT_WRITE);
}

static int relocate_one(struct elf_loader *loader, const Elf64_Rela *relocation)
{
	uint64_t value = 0;
	int ret;

	if (ELF64_R_TYPE(relocation->r_info) == R_X86_64_NONE)
		return 0;
	ret = relocation_value(loader, relocation, &value);
	if (ret < 0)
		return ret;
	if (!is_writable(loader, relocation->r_offset, sizeof(value)))
		return elf_refuse(
			loader,
			"a relocation writes at %#llx, which is not in a writable segment; "
			"build it with -fPIC",
			(unsigned long long)relocation->r_offset);
	memcpy(elf_image_at(loader, relocation->r_offset, sizeof(value)), &value, sizeof(value));
	return 0;
}

int elf_relocate(struct elf_loader *loader, uint64_t table, uint64_t size)
{
	if (!size)
		return 0;
	if (size % sizeof(Elf64_Rela) || !elf_image_at(loader, table, size))
		return elf_refuse(
			loader,
			"%#llx bytes of relocations at %#llx are outside of its segments; "
			"link it again",
			(unsigned long long)size, (unsigned long long)table);
	for (uint64_t at = 0; at < size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela relocation;
		int ret;

		elf_image_copy(loader, &relocation, table + at, sizeof(relocation));
		ret = relocate_one(loader, &relocation);
		if (ret < 0)
			return ret;
	}
	return 0;
}
