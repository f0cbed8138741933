/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * Finds the prototype of a kernel function in the kernel's own type information (BTF), such as "int
 * (struct kvm_vcpu *, bool)". For the host's module and `elisactl check`. Types and strings of a
 * module come after those of the kernel, and refer to them by number. Every number and length is
 * checked: a malformed file has no functions.
 *
 * Format: the kernel's Documentation/bpf/btf.rst.
 */
#ifndef ELISA_PROTOTYPE_H
#define ELISA_PROTOTYPE_H

#ifdef __KERNEL__
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <linux/types.h>
#endif

#include <elisa/kvm_hooks.h>

#define ELISA_BTF_MAGIC	    0xeb9f
#define ELISA_PROTOTYPE_MAX 128 /* characters of a prototype, with the final NUL */

enum elisa_btf_kind {
	ELISA_BTF_VOID,
	ELISA_BTF_INT,
	ELISA_BTF_PTR,
	ELISA_BTF_ARRAY,
	ELISA_BTF_STRUCT,
	ELISA_BTF_UNION,
	ELISA_BTF_ENUM,
	ELISA_BTF_FWD,
	ELISA_BTF_TYPEDEF,
	ELISA_BTF_VOLATILE,
	ELISA_BTF_CONST,
	ELISA_BTF_RESTRICT,
	ELISA_BTF_FUNC,
	ELISA_BTF_FUNC_PROTO,
	ELISA_BTF_VAR,
	ELISA_BTF_DATASEC,
	ELISA_BTF_FLOAT,
	ELISA_BTF_DECL_TAG,
	ELISA_BTF_TYPE_TAG,
	ELISA_BTF_ENUM64,
	ELISA_BTF_KINDS
};

struct elisa_btf {
	const struct elisa_btf *base; /* for a module's BTF: the kernel's; else NULL */
	const char *types, *strings;
	__u32 types_size, strings_size, strings_first;
	__u32 first, count; /* numbers of its own types */
	__u32 *at;	    /* where each of these types begins; memory of the caller */
};

struct elisa_btf_type {
	__u32 name, info, type;
};

static inline enum elisa_btf_kind elisa_btf_kind(const struct elisa_btf_type *type)
{
	return (enum elisa_btf_kind)(type->info >> 24 & 31);
}

/* Returns how many bytes follow a type of this kind. */
static inline __u32 elisa_btf_extra(enum elisa_btf_kind kind)
{
	switch (kind) {
	case ELISA_BTF_INT:
	case ELISA_BTF_VAR:
	case ELISA_BTF_DECL_TAG:
		return 4;
	case ELISA_BTF_ARRAY:
		return 12;
	default:
		return 0;
	}
}

/* Returns the bytes of each member of a type of this kind. */
static inline __u32 elisa_btf_member(enum elisa_btf_kind kind)
{
	switch (kind) {
	case ELISA_BTF_ENUM:
	case ELISA_BTF_FUNC_PROTO:
		return 8;
	case ELISA_BTF_STRUCT:
	case ELISA_BTF_UNION:
	case ELISA_BTF_DATASEC:
	case ELISA_BTF_ENUM64:
		return 12;
	default:
		return 0;
	}
}

/* Reads the type at @offset, and where the next one begins. Returns false if there is none. */
static inline bool elisa_btf_read(const struct elisa_btf *btf, __u32 offset,
				  struct elisa_btf_type *type, __u32 *next)
{
	enum elisa_btf_kind kind;
	__u32 left, more;

	if (offset > btf->types_size || btf->types_size - offset < sizeof(*type))
		return false;
	memcpy(type, btf->types + offset, sizeof(*type));
	kind = elisa_btf_kind(type);
	if (kind >= ELISA_BTF_KINDS)
		return false;
	left = btf->types_size - offset - (__u32)sizeof(*type);
	more = elisa_btf_extra(kind) + elisa_btf_member(kind) * (type->info & 0xffff);
	if (more > left)
		return false;
	*next = offset + (__u32)sizeof(*type) + more;
	return true;
}

/* Opens BTF data. Returns false if it is no BTF. Otherwise the caller must call elisa_btf_index(),
 * with memory for ->count numbers. */
static inline bool elisa_btf_open(struct elisa_btf *btf, const void *data, size_t size,
				  const struct elisa_btf *base)
{
	struct {
		__u16 magic;
		__u8 version, flags;
		__u32 length, types, types_size, strings, strings_size;
	} head;
	struct elisa_btf_type type;
	__u32 offset = 0;

	if (size < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.magic != ELISA_BTF_MAGIC || head.version != 1 || head.length > size ||
	    head.types > size - head.length || head.types_size > size - head.length - head.types ||
	    head.strings > size - head.length || !head.strings_size ||
	    head.strings_size > size - head.length - head.strings)
		return false;
	memset(btf, 0, sizeof(*btf));
	btf->base = base;
	btf->types = (const char *)data + head.length + head.types;
	btf->types_size = head.types_size;
	btf->strings = (const char *)data + head.length + head.strings;
	btf->strings_size = head.strings_size;
	btf->strings_first = base ? base->strings_first + base->strings_size : 0;
	btf->first = base ? base->first + base->count : 1;
	while (elisa_btf_read(btf, offset, &type, &offset))
		btf->count++;
	return offset == btf->types_size && !btf->strings[btf->strings_size - 1];
}

static inline void elisa_btf_index(struct elisa_btf *btf, __u32 *at)
{
	struct elisa_btf_type type;
	__u32 i, offset = 0;

	btf->at = at;
	for (i = 0; i < btf->count; i++) {
		at[i] = offset;
		elisa_btf_read(btf, offset, &type, &offset);
	}
}

/* Reads type @number. Makes *btf the file that has it. *members: where its members begin. Returns
 * false if no file has it; void (0) is in no file. */
static inline bool elisa_btf_type(const struct elisa_btf **btf, __u32 number,
				  struct elisa_btf_type *type, __u32 *members)
{
	__u32 next;

	while (*btf && number < (*btf)->first)
		*btf = (*btf)->base;
	if (!*btf || number - (*btf)->first >= (*btf)->count)
		return false;
	*members = (*btf)->at[number - (*btf)->first] + (__u32)sizeof(*type);
	return elisa_btf_read(*btf, *members - (__u32)sizeof(*type), type, &next);
}

static inline const char *elisa_btf_string(const struct elisa_btf *btf, __u32 offset)
{
	while (btf && offset < btf->strings_first)
		btf = btf->base;
	if (!btf || offset - btf->strings_first >= btf->strings_size)
		return "";
	return btf->strings + (offset - btf->strings_first);
}

/* Appends to @text, which keeps below ELISA_PROTOTYPE_MAX characters. */
static inline void elisa_prototype_add(char *text, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, ELISA_PROTOTYPE_MAX - length, "%s", more);
}

/* Appends the name of a type as in C, without const and the like. */
static inline void elisa_prototype_type(const struct elisa_btf *btf, __u32 number, char *text)
{
	struct elisa_btf_type type;
	unsigned int stars = 0, steps;
	__u32 members;

	for (steps = 0; steps < 8; steps++) {
		if (!elisa_btf_type(&btf, number, &type, &members)) {
			elisa_prototype_add(text, number ? "?" : "void");
			break;
		}
		number = type.type;
		switch (elisa_btf_kind(&type)) {
		case ELISA_BTF_PTR:
			stars++;
			continue;
		case ELISA_BTF_VOLATILE:
		case ELISA_BTF_CONST:
		case ELISA_BTF_RESTRICT:
		case ELISA_BTF_TYPE_TAG:
			continue;
		case ELISA_BTF_STRUCT:
		case ELISA_BTF_FWD:
			elisa_prototype_add(text, "struct ");
			break;
		case ELISA_BTF_UNION:
			elisa_prototype_add(text, "union ");
			break;
		case ELISA_BTF_ENUM:
		case ELISA_BTF_ENUM64:
			elisa_prototype_add(text, "enum ");
			break;
		default:
			break;
		}
		elisa_prototype_add(text, elisa_btf_string(btf, type.name));
		break;
	}
	while (stars--)
		elisa_prototype_add(text, *text && text[strlen(text) - 1] == '*' ? "*" : " *");
}

/* Writes the prototype of a module's function to @text. Returns false if the file does not have the
 * function. */
static inline bool elisa_prototype(const struct elisa_btf *btf, const char *function,
				   char text[ELISA_PROTOTYPE_MAX])
{
	struct elisa_btf_type type, parameter;
	const struct elisa_btf *owner = btf;
	__u32 i, members;

	for (i = 0; i < btf->count; i++) {
		elisa_btf_read(btf, btf->at[i], &type, &members);
		if (elisa_btf_kind(&type) == ELISA_BTF_FUNC &&
		    !strcmp(elisa_btf_string(btf, type.name), function))
			break;
	}
	if (i == btf->count || !elisa_btf_type(&owner, type.type, &type, &members) ||
	    elisa_btf_kind(&type) != ELISA_BTF_FUNC_PROTO)
		return false;
	text[0] = 0;
	elisa_prototype_type(owner, type.type, text);
	elisa_prototype_add(text, " (");
	for (i = 0; i < (type.info & 0xffff); i++) {
		/* a parameter is a name and a type */
		memcpy(&parameter, owner->types + members + 8 * i, 8);
		elisa_prototype_add(text, i ? ", " : "");
		elisa_prototype_type(owner, parameter.info, text);
	}
	elisa_prototype_add(text, i ? ")" : "void)");
	return true;
}

/* Compares two prototypes. @known may end in "...)", for any further arguments. */
static inline bool elisa_prototype_is(const char *found, const char *known)
{
	size_t length = strlen(known);

	if (length < 4 || strcmp(known + length - 4, "...)"))
		return !strcmp(found, known);
	return !strncmp(found, known, length - 4);
}

#define ELISA_TESTED_SERIES(series) series ".",

/* Tells whether this release's series has been tested, so that a lack of type information is
 * accepted. */
static inline bool elisa_kernel_is_tested(const char *release)
{
	static const char *const tested[] = {ELISA_TESTED_KERNELS(ELISA_TESTED_SERIES)};
	unsigned int i;

	for (i = 0; i < sizeof(tested) / sizeof(tested[0]); i++)
		if (!strncmp(release, tested[i], strlen(tested[i])))
			return true;
	return false;
}

#endif
