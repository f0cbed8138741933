// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: a function in sub rings a place of its export, and the VM that has the place gets an
 * interrupt; so does a VM whose attachment is revoked, and a manager's when an event waits for it. It is an
 * edge of an interrupt of the VM's own that its driver chose. Whoever rings leaves a mark only:
 * the reference that keeps a dying VM from being torn down meanwhile may be its last one, and the thread of
 * a vCPU is no place to do that.
 */
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/workqueue.h>

#include "elisa.h"

static void answer(struct work_struct *work);
static DECLARE_WORK(answering, answer);

/* The interrupt that is this VM's doorbell, or ELISA_NO_DOORBELL. Under elisa_lock, in a vCPU's thread. */
int elisa_doorbell_set(struct elisa_vm *vm, struct elisa_hc_doorbell *in, u32 *why, u64 *value)
{
	lockdep_assert_held(&elisa_lock);
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (in->gsi != ELISA_NO_DOORBELL && in->gsi > ELISA_MAX_GSI)
		return elisa_fail(-EINVAL, why, ELISA_WHY_DOORBELL, value, in->gsi);
	vm->gsi = in->gsi;
	/* the first ring is for its driver to see that it works */
	elisa_ring(&vm->rung);
	return 0;
}

/* From the exit path, too, with IRQs off: the export lives, the place may be any number. */
void elisa_ring_place(struct elisa_export *export, u64 place)
{
	if (place >= ELISA_MAX_PLACES)
		return;
	set_bit(array_index_nospec(place, ELISA_MAX_PLACES), export->rung);
	elisa_count(ELISA_COUNT_RINGS);
	schedule_work(&answering);
}

/* From exit paths, too: `rung` is of an event queue or a VM that lives. */
void elisa_ring(bool *rung)
{
	WRITE_ONCE(*rung, true);
	schedule_work(&answering);
}

static void collect(void)
{
	struct elisa_export *export;
	struct elisa_attachment *a;
	struct elisa_vm *vm;
	unsigned int place;

	list_for_each_entry(export, &elisa_exports, all)
		for_each_set_bit(place, export->rung, ELISA_MAX_PLACES) {
			clear_bit(place, export->rung);
			a = place < export->place_count ? export->places[place].attachment : NULL;
			if (a)
				a->vm->rung = true;
		}
	list_for_each_entry(vm, &elisa_vms, node)
		if (xchg(&vm->events->rung, false))
			vm->rung = true;
}

/* One VM that was rung, with a reference to it. NULL: no more. */
static struct kvm *next_rung(u32 *gsi)
{
	struct elisa_vm *vm;

	list_for_each_entry(vm, &elisa_vms, node) {
		if (!vm->rung)
			continue;
		vm->rung = false;
		*gsi = vm->gsi;
		if (vm->gsi != ELISA_NO_DOORBELL && elisa_kvm_get(vm->kvm))
			return vm->kvm;
	}
	return NULL;
}

static void answer(struct work_struct *work)
{
	struct kvm *kvm;
	u32 gsi;

	mutex_lock(&elisa_lock);
	collect();
	while ((kvm = next_rung(&gsi))) {
		mutex_unlock(&elisa_lock);
		elisa_count(ELISA_COUNT_INTERRUPTS);
		elisa_kvm_interrupt(kvm, gsi);
		elisa_kvm_put(kvm);
		mutex_lock(&elisa_lock);
	}
	mutex_unlock(&elisa_lock);
}

/* Nobody can ring any more. */
void elisa_doorbell_exit(void)
{
	flush_work(&answering);
}
