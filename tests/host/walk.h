/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks page tables and an EPT as a CPU does, by the SDM's rules: paging with 4 and 5 levels (4.5)
 * and its reserved bits, and EPT (29.3) without A/D bits. It enumerates all mappings, so that a
 * test can check that nothing else is mapped.
 */
#ifndef TESTS_WALK_H
#define TESTS_WALK_H

#include "tables/ept.h"

#define REACH_MAX 200000

/* One leaf: `size` bytes from `from` on map to `to`. */
struct reach {
	u64 from, to, size, rights;
};
struct reaches {
	unsigned int count;
	unsigned int faults; /* present entries that fault: reserved bits, unreadable tables */
	struct reach at[REACH_MAX];
};

/* Returns the table at this guest-physical address as the CPU reads it; NULL: an EPT violation. */
struct space {
	const u64 *(*table)(const struct space *space, u64 gpa);
	const void *data;
	unsigned int physical_bits;
	int levels; /* levels of the page tables */
};

/* Enumerates the virtual addresses that are mapped with this CR3, and the rights of ring 3. */
void x86_enumerate(const struct space *space, u64 cr3, struct reaches *found);

/*
 * Enumerates the guest-physical addresses that an EPT maps. Aborts if an entry is invalid for an
 * EPT.
 */
void ept_enumerate(u64 eptp, struct reaches *found);
/* Returns the EPT's leaf for an address, or 0. */
u64 ept_find(u64 eptp, u64 gpa);
/* Returns the space of an EPT: page tables with this number of levels are read through the EPT. */
struct space ept_space(const u64 *eptp, int levels);

const struct reach *reach_of(const struct reaches *found, u64 from);

#endif
