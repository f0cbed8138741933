// SPDX-License-Identifier: Apache-2.0
/* Walks of page tables and EPTs, see walk.h. */
#include "walk.h"

#define PRESENT	       1ULL
#define USER	       4ULL
#define LARGE	       0x80ULL
#define NOT_EXECUTABLE (1ULL << 63)
#define EPT_PARTS      (EPT_PART(2) | EPT_PART(3))

static u64 canonical(const struct space *space, u64 address)
{
	const u64 sign = 1ULL << (11 + 9 * space->levels);

	return address & sign ? address | -sign : address;
}

/* Table 4-15 ff. of SDM vol. 3: bits that make the walk fault when they are set. */
static bool x86_reserved(const struct space *space, u64 entry, int level)
{
	u64 address = entry & 0x000fffffffffffffULL;

	if (address >> space->physical_bits)
		return true;
	if (!(entry & LARGE) || level == 1)
		return false;
	if (level >= 4)
		return true;
	/* bit 12 is PAT */
	return address & (level_size(level) - 1) & ~0x1fffULL;
}

static void add(struct reaches *found, u64 from, u64 to, u64 size, u64 rights)
{
	shim_assert(found->count < REACH_MAX);
	found->at[found->count++] = (struct reach){from, to, size, rights};
}

static void x86_level(const struct space *space, u64 gpa, int level, u64 address,
		      struct reaches *found)
{
	const u64 *table = gpa >> space->physical_bits ? NULL : space->table(space, gpa);

	if (!table) {
		found->faults++;
		return;
	}
	for (u64 i = 0; i < 512; i++) {
		u64 entry = table[i], at = canonical(space, address | i * level_size(level));
		u64 target = entry & EPT_ADDRESS;

		if (!(entry & PRESENT))
			continue;
		if (x86_reserved(space, entry, level) || !(entry & USER))
			found->faults++;
		else if (level > 1 && !(entry & LARGE))
			x86_level(space, target, level - 1, at, found);
		else
			add(found, at, target & ~(level_size(level) - 1), level_size(level),
			    entry & NOT_EXECUTABLE ? 0 : EPT_EXEC);
	}
}

void x86_enumerate(const struct space *space, u64 cr3, struct reaches *found)
{
	found->count = found->faults = 0;
	x86_level(space, cr3 & EPT_ADDRESS, space->levels, 0, found);
}

static void ept_level(u64 table_entry, int level, u64 address, u64 above, struct reaches *found)
{
	const u64 *table = __va(table_entry & EPT_ADDRESS);

	for (u64 i = 0; i < 512; i++) {
		u64 entry = table[i], rights = entry & EPT_TABLE;
		u64 at = address | i * level_size(level);

		if (!entry)
			continue;
		/* bits that are reserved, and those that the module has no use for */
		if (level > 1 && !(entry & EPT_LARGE)) {
			shim_assert((entry & ~EPT_ADDRESS) == EPT_TABLE ||
				    (level == 4 &&
				     (entry & ~EPT_ADDRESS) == (EPT_TABLE & ~EPT_EXEC_KERNEL)));
			ept_level(entry, level - 1, at, above & rights, found);
			continue;
		}
		shim_assert(level < 4 && !(entry & (level_size(level) - 1) & EPT_ADDRESS));
		shim_assert((entry & ~EPT_ADDRESS & ~EPT_TABLE & ~EPT_PARTS) ==
			    (EPT_WB_IPAT | (level > 1 ? EPT_LARGE : 0)));
		shim_assert(level == 1 || !(rights & EPT_EXEC));
		shim_assert(!(rights & EPT_EXEC) || (rights & EPT_EXEC) == EPT_EXEC);
		shim_assert(rights && (rights & EPT_READ || !(rights & EPT_WRITE)));
		shim_assert(!(rights & EPT_WRITE && rights & EPT_EXEC));
		add(found, at, entry & EPT_ADDRESS, level_size(level), above & rights);
	}
}

void ept_enumerate(u64 eptp, struct reaches *found)
{
	/* write-back, 4 levels, no A/D bits: page walks read, they do not write */
	shim_assert((eptp & ~EPT_ADDRESS) == ELISA_EPTP_ARMED);
	found->count = found->faults = 0;
	ept_level(eptp, 4, 0, EPT_TABLE, found);
}

u64 ept_find(u64 eptp, u64 gpa)
{
	u64 entry = eptp;

	if (gpa >> 48)
		return 0;
	for (int level = 4; level; level--) {
		entry = ((const u64 *)__va(entry & EPT_ADDRESS))[level_index(gpa, level)];
		if (!(entry & EPT_TABLE) || (level > 1 && entry & EPT_LARGE))
			break;
	}
	return entry & EPT_TABLE ? entry : 0;
}

static const u64 *table_through_ept(const struct space *space, u64 gpa)
{
	u64 leaf = ept_find(*(const u64 *)space->data, gpa);

	return leaf & EPT_READ ? __va(leaf & EPT_ADDRESS) : NULL;
}

struct space ept_space(const u64 *eptp, int levels)
{
	return (struct space){table_through_ept, eptp, boot_cpu_data.x86_phys_bits, levels};
}

const struct reach *reach_of(const struct reaches *found, u64 from)
{
	for (unsigned int i = 0; i < found->count; i++)
		if (from >= found->at[i].from && from - found->at[i].from < found->at[i].size)
			return &found->at[i];
	return NULL;
}
