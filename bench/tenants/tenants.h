/* SPDX-License-Identifier: Apache-2.0 */
/* What tenants.c and storms.c share: the harness, a tenant, and the list of storms. */
#ifndef BENCH_TENANTS_H
#define BENCH_TENANTS_H

#include "../../tests/machine/harness.h"

#define PLACES	    (1ULL << 30) /* offset in the object area */
#define PLACE_PAGES 448

/* A tenant: a process with grants for exports and attachments of its own name. */
struct tenant {
	struct vm *manager, *guest;
	char name[ELISA_NAME_SIZE];
	uint32_t id; /* number of its export */
};

struct storm {
	const char *name;
	void (*once)(struct tenant *tenant);
};

extern const struct storm storms[];
extern const unsigned int storm_count;

struct tenant tenant_new(const char *name, uint32_t flags, uint32_t limit_us);
/* Attaches all vCPUs of @vm to the export of @tenant. Returns the slot. */
uint32_t tenant_attach(struct tenant *tenant, struct vm *vm);
void tenant_map(struct tenant *tenant, unsigned int pages);
void tenant_unmap(struct tenant *tenant, unsigned int pages);
void tenant_doorbell(struct vm *vm, uint32_t gsi);

#endif
