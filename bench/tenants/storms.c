// SPDX-License-Identifier: Apache-2.0
/*
 * The hostile tenant's ten storms: what one VM, or one VMM, can request from the host without end.
 * Each is one turn of a loop; the first turn sets up what it needs.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "tenants.h"

#define GSI 6

static void attach_detach(struct tenant *tenant)
{
	uint32_t slot = tenant_attach(tenant, tenant->guest);

	CHECK_EQ(detach(tenant->guest, 0, slot), 0);
}

static void map_unmap(struct tenant *tenant)
{
	tenant_map(tenant, ELISA_HC_MAP_PAGES);
	tenant_unmap(tenant, ELISA_HC_MAP_PAGES);
}

/* The guest's call faults, the export is poisoned, and the manager publishes it again. */
static void publish_poison(struct tenant *tenant)
{
	static bool attached_already;
	static uint32_t slot;

	if (!attached_already)
		slot = attach(tenant->guest, tenant->name, ELISA_STUB_TRUSTING, 0);
	attached_already = true;
	CHECK_EQ(call(tenant->guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	memset(tenant->manager->page, 0, PAGE_SIZE);
	tenant->manager->page->publish.id = tenant->id;
	CHECK_EQ(hypercall(tenant->manager, 0, ELISA_HC_EXPORT_PUBLISH), 0);
}

static void donate(struct tenant *tenant)
{
	struct elisa_hc_donate *gift = &tenant->guest->page->donate;
	uint32_t slot = tenant_attach(tenant, tenant->guest), i;

	memset(tenant->guest->page, 0, PAGE_SIZE);
	gift->slot = slot;
	gift->count = PLACE_PAGES;
	for (i = 0; i < PLACE_PAGES; i++)
		gift->gpa[i] = OBJECT + 0x100000 + i * PAGE_SIZE;
	CHECK_EQ(hypercall(tenant->guest, 0, ELISA_HC_DONATE), 0);
	CHECK_EQ(detach(tenant->guest, 0, slot), 0);
}

static void ring(struct tenant *tenant)
{
	static bool attached_already;
	static uint32_t slot;
	struct outcome out;

	if (!attached_already) {
		slot = attach(tenant->guest, tenant->name, ELISA_STUB_TRUSTING, 0);
		mask_pic(tenant->guest);
		tenant_doorbell(tenant->guest, GSI);
	}
	attached_already = true;
	out = call(tenant->guest, 0, slot, DO_RINGS, 0, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	memset(tenant->manager->page, 0, PAGE_SIZE);
	tenant->manager->page->publish.id = tenant->id;
	CHECK_EQ(hypercall(tenant->manager, 0, ELISA_HC_EXPORT_PUBLISH), 0);
}

static void doorbell_changes(struct tenant *tenant)
{
	tenant_doorbell(tenant->guest, GSI);
	tenant_doorbell(tenant->guest, GSI + 1);
	tenant_doorbell(tenant->guest, ELISA_NO_DOORBELL);
}

static void sync_again(struct tenant *tenant)
{
	static bool attached_already;

	if (!attached_already)
		tenant_attach(tenant, tenant->guest);
	attached_already = true;
	CHECK_EQ(hypercall(tenant->guest, 0, ELISA_HC_VCPU_SYNC), 0);
}

static void take_all_events(struct tenant *tenant)
{
	memset(tenant->manager->page, 0, PAGE_SIZE);
	CHECK_EQ(hypercall(tenant->manager, 0, ELISA_HC_EVENTS), 0);
}

/* vCPUs are created, set up for an attachment, and freed with their VM. */
static void vcpus(struct tenant *tenant)
{
	struct vm *vm = vm_new(VCPUS);

	tenant_attach(tenant, vm);
	vm_free(vm);
}

/* VMs are created, make a request, and are freed. */
static void vms(struct tenant *tenant)
{
	struct vm *vm = vm_new(1);

	(void)tenant;
	memset(vm->page, 0, PAGE_SIZE);
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EVENTS), 0);
	vm_free(vm);
}

const struct storm storms[] = {
	{"attach_detach", attach_detach},
	{"map_unmap", map_unmap},
	{"publish_poison", publish_poison},
	{"donate", donate},
	{"ring", ring},
	{"doorbell_changes", doorbell_changes},
	{"sync", sync_again},
	{"events", take_all_events},
	{"vcpu_creation", vcpus},
	{"vm_creation", vms},
};
const unsigned int storm_count = sizeof(storms) / sizeof(storms[0]);
