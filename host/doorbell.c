// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: a function in sub rings a place of its export, and the VM that has the place gets an
 * interrupt; so does a VM whose attachment is revoked, and a manager's when an event waits for it. It is an
 * edge of an interrupt of the VM's own that its driver chose. Whoever rings leaves a mark only: a work
 * raises the interrupts, of each VM at most one every RING_INTERVAL_US. It holds a reference to such a VM, and
 * another work lets go of it, since the last one tears the VM down and may take its time.
 */
#include <linux/delay.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/workqueue.h>

#include "elisa.h"

#define RING_INTERVAL_US 50
#define LET_GO_AT_ONCE	 16

static void answer(struct work_struct *work);
static void let_go(struct work_struct *work);
static DECLARE_WORK(answering, answer);
static DECLARE_WORK(letting_go, let_go);
static struct workqueue_struct *queue;
static bool going; /* elisa_lock */

int elisa_doorbell_init(void)
{
	/* not bound to the CPU of whoever rings, who may keep it from running there */
	queue = alloc_workqueue("elisa", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return queue ? 0 : -ENOMEM;
}

/* The interrupt that is this VM's doorbell, or ELISA_NO_DOORBELL. Under elisa_lock, in a vCPU's thread. */
int elisa_doorbell_set(struct elisa_vm *vm, struct elisa_hc_doorbell *in, u32 *why, u64 *value)
{
	lockdep_assert_held(&elisa_lock);
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (in->gsi != ELISA_NO_DOORBELL && in->gsi > ELISA_MAX_GSI)
		return elisa_fail(-EINVAL, why, ELISA_WHY_DOORBELL, value, in->gsi);
	if (vm->gsi == in->gsi)
		return 0;
	vm->gsi = in->gsi;
	/* the first ring is for its driver to see that it works */
	if (!going)
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
	queue_work(queue, &answering);
}

/* From exit paths, too: `rung` is of an event queue or a VM that lives. */
void elisa_ring(bool *rung)
{
	WRITE_ONCE(*rung, true);
	queue_work(queue, &answering);
}

/* What rings now; what rings meanwhile has the work run again. */
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
				a->vm->ringing = true;
		}
	list_for_each_entry(vm, &elisa_vms, node) {
		vm->ringing |= xchg(&vm->events->rung, false);
		vm->ringing |= xchg(&vm->rung, false);
	}
}

/* A reference of ours, or the one that we have. False: nobody uses the VM any more. */
static bool hold(struct elisa_vm *vm)
{
	if (!vm->held)
		vm->held = elisa_kvm_get(vm->kvm);
	return vm->held;
}

/* Returns false if it is too early for this VM. */
static bool ring(struct elisa_vm *vm)
{
	u64 now = ktime_get_mono_fast_ns();

	if (vm->gsi != ELISA_NO_DOORBELL && now - vm->rung_at < RING_INTERVAL_US * NSEC_PER_USEC)
		return false;
	vm->ringing = false;
	if (vm->gsi == ELISA_NO_DOORBELL || !hold(vm))
		return true;
	vm->rung_at = now;
	elisa_count(ELISA_COUNT_INTERRUPTS);
	elisa_kvm_interrupt(vm->kvm, vm->gsi);
	return true;
}

static void answer(struct work_struct *work)
{
	struct elisa_vm *vm;
	bool early = false;

	mutex_lock(&elisa_lock);
	collect();
	list_for_each_entry(vm, &elisa_vms, node)
		early |= vm->ringing && !ring(vm);
	mutex_unlock(&elisa_lock);
	queue_work(queue, &letting_go);
	if (early) {
		usleep_range(RING_INTERVAL_US, 2 * RING_INTERVAL_US);
		queue_work(queue, &answering);
	}
}

static void let_go(struct work_struct *work)
{
	struct kvm *kvm[LET_GO_AT_ONCE];
	struct elisa_vm *vm;
	int n = 0;

	mutex_lock(&elisa_lock);
	list_for_each_entry(vm, &elisa_vms, node) {
		if (!vm->held)
			continue;
		if (n == LET_GO_AT_ONCE) {
			queue_work(queue, &letting_go);
			break;
		}
		vm->held = false;
		kvm[n++] = vm->kvm;
	}
	mutex_unlock(&elisa_lock);
	while (n)
		elisa_kvm_put(kvm[--n]);
}

/*
 * Nothing is attached or exported. The hooks are still in place, else a VM could end unseen while the work rings it;
 * so a VM may still tell its doorbell if the module did not come up. One that goes answers no hypercalls.
 */
void elisa_doorbell_exit(void)
{
	mutex_lock(&elisa_lock);
	going = true;
	mutex_unlock(&elisa_lock);
	destroy_workqueue(queue);
}
