// SPDX-License-Identifier: Apache-2.0
/*
 * A function in sub rings the doorbell of a place.
 *
 * The VM that has the place must get exactly one interrupt, and no other VM any. The call must go
 * on with its registers unchanged. The export's time limit must stop a function that rings for
 * ever. The test counts the interrupts in each VM.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define PLACES (1ULL << 30)
#define GSI    5
#define VECTOR 0x45
#define RINGS  200

static struct vm *manager, *ringer, *sleeper;

static void quiet(struct vm *vm)
{
	struct kvm_regs regs = {.rsi = 20000, .rflags = 0x200};

	CHECK_EQ(run_at(vm, 0, 3, user_code(user_spin), &regs).exit, 0);
}

/* Sets up the interrupt as a guest's kernel does: edge-triggered, to the first vCPU. */
static void open_pin(struct vm *vm)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	struct kvm_lapic_state lapic;

	CHECK(!ioctl(vm->fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[GSI].bits = VECTOR;
	CHECK(!ioctl(vm->fd, KVM_SET_IRQCHIP, &chip));
	mask_pic(vm); /* the pin is wired to the PIC, too */
	CHECK(!ioctl(vm->vcpu[0], KVM_GET_LAPIC, &lapic));
	lapic.regs[0xf1] |= 1; /* software-enabled, SDM vol. 3 11.9 */
	CHECK(!ioctl(vm->vcpu[0], KVM_SET_LAPIC, &lapic));
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->doorbell.gsi = GSI;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_DOORBELL), 0);
}

static void ring(uint32_t slot, long place, uint64_t interrupts)
{
	uint64_t before = seen(sleeper)->interrupts;
	struct outcome out = call(ringer, 0, slot, DO_RING, place, 4711);
	int i;

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	CHECK_EQ(out.value, 4711);
	for (i = 0; i < 20 && seen(sleeper)->interrupts < before + interrupts; i++)
		quiet(sleeper);
	quiet(sleeper);
	CHECK_EQ(seen(sleeper)->interrupts, before + interrupts);
}

static void *ring_for_ever(void *slot)
{
	static struct outcome out;

	out = call(ringer, 0, *(uint32_t *)slot, DO_RINGS, 1, 0);
	return &out;
}

/*
 * The manager destroys the export while its function rings. Sometimes this happens between the exit
 * and the host's action.
 */
static void revoked_while_it_rings(void)
{
	struct outcome *out;
	uint64_t before;
	pthread_t thread;
	uint32_t slot, id;
	int i;

	for (i = 0; i < 20; i++) {
		id = export_new(manager, "t.going", ELISA_EXPORT_GENERAL_REGS, 60000000);
		slot = attach(ringer, "t.going", ELISA_STUB_TRUSTING, 0);
		before = counter(ELISA_COUNT_RINGS);
		CHECK(!pthread_create(&thread, NULL, ring_for_ever, &slot));
		while (counter(ELISA_COUNT_RINGS) < before + 10)
			sched_yield();
		CHECK_EQ(destroy(manager, id), 0);
		CHECK(!pthread_join(thread, (void **)&out));
		CHECK_EQ(out->exit, 0);
		CHECK_EQ(out->error, ELISA_CALL_REVOKED);
		CHECK_EQ(detach(ringer, 0, slot), 0);
	}
}

static void test(void)
{
	static const long no_places[] = {0, 2, 3, 4, 255, 256, -1, 1L << 32};
	uint64_t rings, before;
	uint32_t slot, other_slot, id;
	struct outcome out;
	int i;

	manager = vm_new(1);
	ringer = vm_new(1);
	sleeper = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.bell", ELISA_EXPORT_GENERAL_REGS, 5000);
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->places = (struct elisa_hc_places){id, 4, PLACES, 1};
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PLACES), 0);
	memset(sleeper->page, 0, PAGE_SIZE);
	sleeper->page->doorbell.gsi = 24;
	CHECK_EQ(hypercall(sleeper, 0, ELISA_HC_DOORBELL), -EINVAL);
	CHECK_EQ(sleeper->page->why, ELISA_WHY_DOORBELL);

	slot = attach(ringer, "t.bell", ELISA_STUB_TRUSTING, 0);
	other_slot = attach(sleeper, "t.bell", ELISA_STUB_TRUSTING, 0);
	ring(slot, 1, 0); /* the sleeper has no doorbell yet */
	open_pin(sleeper);
	/* the host rings once by itself when a doorbell is set up, for the driver */
	for (i = 0; i < 100 && !seen(sleeper)->interrupts; i++)
		quiet(sleeper);
	CHECK_EQ(seen(sleeper)->interrupts, 1);
	for (i = 0; i < RINGS; i++)
		ring(slot, 1, 1);
	for (i = 0; i < (int)(sizeof(no_places) / sizeof(no_places[0])); i++)
		ring(slot, no_places[i], 0);
	CHECK_EQ(seen(ringer)->interrupts, 0);

	rings = counter(ELISA_COUNT_RINGS);
	out = call(ringer, 0, slot, DO_RINGS, 1, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK(counter(ELISA_COUNT_RINGS) > rings + 10);
	for (i = 0; i < 10; i++)
		quiet(sleeper);

	revoked_while_it_rings();
	/* the host rings a sleeper when the export is gone */
	before = seen(sleeper)->interrupts;
	CHECK_EQ(destroy(manager, id), 0);
	for (i = 0; i < 20 && seen(sleeper)->interrupts == before; i++)
		quiet(sleeper);
	CHECK_EQ(seen(sleeper)->interrupts, before + 1);
	CHECK_EQ(call(ringer, 0, slot, DO_RING, 1, 0).error, ELISA_CALL_REVOKED);
	CHECK_EQ(call(sleeper, 0, other_slot, DO_RING, 1, 0).error, ELISA_CALL_REVOKED);
	printf("doorbell: %d rings, one interrupt each; others, too far and revoked: none\n",
	       RINGS);
}

int main(void)
{
	return in_both_modes(test);
}
