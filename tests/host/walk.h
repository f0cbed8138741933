/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CPU makes of page tables and of an EPT, by the SDM's rules: paging with 4 and 5 levels
 * (4.5) with its reserved bits, and EPT (29.3) without A/D bits. Enumerates all that is mapped, so
 * that a test can say "and nothing else".
 */
#ifndef TESTS_WALK_H
#define TESTS_WALK_H

#include "tables/ept.h"

#define REACH_MAX 200000

/* One leaf: `size` bytes from `from` lead to `to`. */
struct reach {
	u64 from, to, size, rights;
};
struct reaches {
	unsigned int count;
	unsigned int faults; /* present entries that fault: reserved bits, unreadable tables */
	struct reach at[REACH_MAX];
};

/* What the CPU reads of a table at this guest-physical address; NULL: an EPT violation. */
struct space {
	const u64 *(*table)(const struct space *space, u64 gpa);
	const void *data;
	unsigned int physical_bits;
	int levels; /* of the page tables */
};

/* All virtual addresses that are mapped with this CR3 and for what they count (ring 3). */
void x86_enumerate(const struct space *space, u64 cr3, struct reaches *found);

/* All guest-physical addresses that an EPT maps; aborts on entries that no EPT may have. */
void ept_enumerate(u64 eptp, struct reaches *found);
/* The leaf of an EPT for an address, or 0. */
u64 ept_find(u64 eptp, u64 gpa);
/* The space of an EPT: tables are read through it, of so many levels. */
struct space ept_space(const u64 *eptp, int levels);

const struct reach *reach_of(const struct reaches *found, u64 from);

#endif
