/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport inside a process. The region lies between two pages that allow no access, so a
 * switch or a driver that accesses memory outside of the region faults.
 */
#include <errno.h>
#include <sys/mman.h>
#include <rvif/driver.h>
#include "sleep.h"

#define GUARD 4096ul

static int private_open(struct rvif_vnic *vnic, const char *where)
{
	const size_t size = vnic->size + 2 * GUARD;
	uint8_t *map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)where;
	if (map == MAP_FAILED)
		return -errno;
	if (mprotect(map + GUARD, vnic->size, PROT_READ | PROT_WRITE) < 0) {
		int error = -errno;

		munmap(map, size);
		return error;
	}
	vnic->region = map + GUARD;
	return 0;
}

static int private_announce(struct rvif_vnic *vnic)
{
	(void)vnic;
	return 0;
}

static void private_close(struct rvif_vnic *vnic)
{
	munmap(vnic->region - GUARD, vnic->size + 2 * GUARD);
	vnic->region = NULL;
}

const struct rvif_transport rvif_private_memory = {
	.name = "private memory",
	.open = private_open,
	.announce = private_announce,
	.kick = rvif_futex_kick,
	.wait = rvif_futex_wait,
	.close = private_close,
};
