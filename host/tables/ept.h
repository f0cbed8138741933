/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The formats of EPT and APT entries, and the guest-physical layout of the gate and sub contexts.
 * All of it is arithmetic without a kernel's help, so native tests cover it, too. Only apt_fill()
 * writes memory: the arrays that its caller passes.
 *
 * Guest-physical addresses of a slot's contexts start at `base`, 128 GiB below the end
 * of what the CPU can address (the same for all slots and VMs):
 *
 *   base +  0 GiB  APT pages and the code page
 *   base +  1 GiB  this vCPU's pages: list and data (gate), stack, caller's identity (sub)
 *   base +  2 GiB  the exchange buffer (sub)
 *   base + 64 GiB  the object (sub), in the order of the object area
 *
 * The APT maps the window to these addresses with all rights. Each context's EPT alone decides
 * which of them the vCPU can access, and how.
 */
#ifndef ELISA_HOST_EPT_H
#define ELISA_HOST_EPT_H

#include <elisa/abi.h>
#include <elisa/gate_layout.h>

#define GIB		     0x40000000ULL
#define EH_GPA_SPAN	     (128 * GIB)
#define EH_GPA_PRIVATE	     (1 * GIB)
#define EH_GPA_EXCHANGE	     (2 * GIB)
#define EH_GPA_OBJECT	     (64 * GIB)

/*
 * Offsets of the 4 KiB leaves. No leaf may lie in the first 8 KiB of its 2 MiB. The reason is an
 * attacker who loads CR3 with an APT page's own address. The CPU then reads the APT's last-level
 * entries as entries of a higher level. Bit 7 is set in each of them, so a PDE or PDPTE maps a
 * large page. Bits 20:13 of a large page's entry are reserved and must be zero (SDM 4.5). They are
 * not zero beyond the first 8 KiB, so the walk faults. In a PML4 or PML5 entry bit 7 alone makes
 * the walk fault.
 */
#define EH_GPA_CODE	     0x20000ULL
#define EH_GPA_APT	     0x40000ULL
#define EH_GPA_LIST	     (EH_GPA_PRIVATE + 0x10000ULL)
#define EH_GPA_DATA	     (EH_GPA_PRIVATE + 0x14000ULL)
#define EH_GPA_STACK	     (EH_GPA_PRIVATE + 0x20000ULL)
#define EH_GPA_SELF	     (EH_GPA_PRIVATE + 0x30000ULL)
#define EH_GPA_EXCHANGE_LEAF (EH_GPA_EXCHANGE + 0x100000ULL)

/*
 * The pages of a slot's APT, in the order of their guest-physical addresses. A guest pages with 4
 * levels or with 5 (CR4.LA57), and a slot has an APT for each. With the wrong APT the CPU would
 * take entries of one level for those of another.
 */
enum eh_apt {
	EH_APT_ROOT, /* PML4 or PML5; the EPT shows it at the process's own root address */
	EH_APT_PDPT,
	EH_APT_PD,
	EH_APT_PT_CODE,
	EH_APT_PT_PRIVATE,
	EH_APT_PT_EXCHANGE,
	EH_APT_PD_SELF,
	EH_APT_PT_SELF,
	EH_APT_PML4, /* below a PML5 */
	EH_APT_PAGES
};

/* Returns how many pages an APT of @levels levels has. */
static inline unsigned int eh_apt_pages(unsigned int levels)
{
	return levels == 5 ? EH_APT_PAGES : EH_APT_PML4;
}

/* x86 page tables, SDM table 4-15 ff. A and D are set already: no EPT lets the CPU write them. */
#define APT_TABLE	0x27ULL /* present, writable, user, accessed */
#define APT_PAGE	0xe7ULL /* ... and dirty; bit 7 is PAT in a PTE, PS in a PDPTE */

/*
 * EPT, SDM table 29-1 ff. With mode-based execute control, bit 2 allows execution from supervisor
 * linear addresses only, and bit 10 from user ones. Without it the CPU ignores bit 10.
 */
#define EPT_READ	1ULL
#define EPT_WRITE	2ULL
#define EPT_EXEC_KERNEL 4ULL
#define EPT_EXEC_USER	0x400ULL
#define EPT_EXEC	(EPT_EXEC_KERNEL | EPT_EXEC_USER)
#define EPT_TABLE	(EPT_READ | EPT_WRITE | EPT_EXEC)
#define EPT_LARGE	0x80ULL			 /* a leaf of 2 MiB or 1 GiB */
#define EPT_PART(level) (1ULL << (50 + (level))) /* the CPU ignores it: a part of such a leaf */
#define EPT_WB_IPAT	((6ULL << 3) | (1ULL << 6))
#define EPT_ADDRESS	0x000ffffffffff000ULL

/* Returns the index of @address in a table of this level. */
static inline unsigned int level_index(__u64 address, int level)
{
	return (address >> (12 + 9 * (level - 1))) & 511;
}

/* Makes a leaf: write-back memory, whatever the guest's PAT says. EPT_LARGE is the caller's. */
static inline __u64 ept_leaf(__u64 physical, __u64 rights)
{
	return physical | rights | EPT_WB_IPAT;
}

/* Returns the bytes that an entry of a table of this level maps. */
static inline __u64 level_size(int level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

/* Returns the level of the leaves of pages of this order. */
static inline int level_of(__u32 order)
{
	return 1 + order / 9;
}

/* Returns the level of the leaf that first mapped the page: @level, unless a leaf was split. */
static inline int ept_mapped_level(__u64 entry, int level)
{
	return entry & EPT_PART(3) ? 3 : entry & EPT_PART(2) ? 2 : level;
}

/* Makes entry @i of the table that replaces @leaf of this level. The table maps the same memory. */
static inline __u64 ept_part(__u64 leaf, int level, unsigned int i)
{
	__u64 part = (leaf | EPT_PART(ept_mapped_level(leaf, level))) + i * level_size(level - 1);

	return level == 2 ? part & ~EPT_LARGE : part;
}

/* Makes an entry that leads to a table. The leaves below limit the rights, not this entry. */
static inline __u64 ept_table(__u64 physical)
{
	return physical | EPT_TABLE;
}

/*
 * Makes an entry of a context's PML4, which limits the rights of all memory below it. With
 * mode-based control (@by_mode) it forbids execution from supervisor linear addresses. Whatever
 * page tables are loaded, kernel mode then executes nothing in gate or sub: SMEP keeps it from user
 * addresses.
 */
static inline __u64 ept_root_entry(__u64 physical, bool by_mode)
{
	return physical | (by_mode ? EPT_TABLE & ~EPT_EXEC_KERNEL : EPT_TABLE);
}

/* Returns the EPT rights for ELISA_PROT_*. Memory of an object is always readable. */
static inline __u64 ept_rights(__u32 prot)
{
	return EPT_READ | (prot & ELISA_PROT_WRITE ? EPT_WRITE : 0) |
	       (prot & ELISA_PROT_EXEC ? EPT_EXEC : 0);
}

/* Returns the first guest-physical address of the contexts. Page-table roots must lie below it. */
static inline __u64 eh_gpa_base(unsigned int physical_bits)
{
	return (1ULL << physical_bits) - EH_GPA_SPAN;
}

/* Returns where the APT maps this offset of the window, or 0: the APT has no entry for it. */
static inline __u64 apt_private_gpa(__u64 offset)
{
	if (offset == ELISA_LIST_OFFSET)
		return EH_GPA_LIST;
	if (offset == ELISA_DATA_OFFSET)
		return EH_GPA_DATA;
	if (offset >= ELISA_STACK_OFFSET &&
	    offset < ELISA_STACK_OFFSET + ELISA_STACK_PAGES * ELISA_PAGE_SIZE)
		return EH_GPA_STACK + (offset - ELISA_STACK_OFFSET);
	return 0;
}

/*
 * Fills the eh_apt_pages() pages of @slot's APT, an array of 512 entries each. They were zero.
 * @base is eh_gpa_base(). The guest-physical addresses in an APT say nothing of the host's memory.
 */
static inline void apt_fill(__u64 *pages[EH_APT_PAGES], unsigned int levels, unsigned int slot,
			    __u64 base)
{
	__u64 window = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE;
	__u64 apt = base + EH_GPA_APT;
	__u64 *pml4 = pages[EH_APT_ROOT], *pt = pages[EH_APT_PT_PRIVATE];
	__u64 region = ELISA_LIST_OFFSET & ~0x1fffffULL;
	unsigned int i;

	if (levels == 5) {
		pml4 = pages[EH_APT_PML4];
		pages[EH_APT_ROOT][level_index(window, 5)] = (apt + EH_APT_PML4 * ELISA_PAGE_SIZE) |
							     APT_TABLE;
	}
	pml4[level_index(window, 4)] = (apt + EH_APT_PDPT * ELISA_PAGE_SIZE) | APT_TABLE;
	pages[EH_APT_PDPT][level_index(window, 3)] = (apt + EH_APT_PD * ELISA_PAGE_SIZE) |
						     APT_TABLE;
	for (i = 0; i < ELISA_OBJECT_SIZE / GIB; i++)
		pages[EH_APT_PDPT][level_index(ELISA_OBJECT_BASE, 3) + i] =
			(base + EH_GPA_OBJECT + i * GIB) | APT_PAGE;
	/* its own table: the window's PD would show list and data pages at this address, too */
	pages[EH_APT_PDPT][level_index(ELISA_SELF_ADDRESS, 3)] =
		(apt + EH_APT_PD_SELF * ELISA_PAGE_SIZE) | APT_TABLE;
	pages[EH_APT_PD_SELF][level_index(ELISA_SELF_ADDRESS, 2)] =
		(apt + EH_APT_PT_SELF * ELISA_PAGE_SIZE) | APT_TABLE;
	pages[EH_APT_PT_SELF][level_index(ELISA_SELF_ADDRESS, 1)] = (base + EH_GPA_SELF) | APT_PAGE;
	pages[EH_APT_PD][level_index(ELISA_CODE_OFFSET, 2)] =
		(apt + EH_APT_PT_CODE * ELISA_PAGE_SIZE) | APT_TABLE;
	pages[EH_APT_PD][level_index(region, 2)] = (apt + EH_APT_PT_PRIVATE * ELISA_PAGE_SIZE) |
						   APT_TABLE;
	pages[EH_APT_PD][level_index(ELISA_EXCHANGE_OFFSET, 2)] =
		(apt + EH_APT_PT_EXCHANGE * ELISA_PAGE_SIZE) | APT_TABLE;
	pages[EH_APT_PT_CODE][level_index(ELISA_CODE_OFFSET, 1)] = (base + EH_GPA_CODE) | APT_PAGE;
	for (i = 0; i < 512; i++) {
		__u64 gpa = apt_private_gpa(region + i * ELISA_PAGE_SIZE);

		pt[i] = gpa ? (base + gpa) | APT_PAGE : 0;
	}
	for (i = 0; i < ELISA_EXCHANGE_MAX_PAGES; i++)
		pages[EH_APT_PT_EXCHANGE][level_index(ELISA_EXCHANGE_OFFSET, 1) + i] =
			(base + EH_GPA_EXCHANGE_LEAF + i * ELISA_PAGE_SIZE) | APT_PAGE;
}

#endif
