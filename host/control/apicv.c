// SPDX-License-Identifier: GPL-2.0-only
/*
 * APICv, by VM. With it the CPU delivers interrupts by itself, also in sub, so no vCPU that has it
 * may be in a call. Other VMs on the host keep it:
 *
 *   - A VM that is about to be attached has its APICv inhibited through KVM's own function, for a
 *     reason that KVM sets for a whole host (enable_apicv=0) and never clears. Each vCPU takes it
 *     over before it is entered next.
 *   - When the last of the VM's slots is free, a work of the VM's gives APICv back. It may wait for
 *     the VM's threads, which hold these mutexes while they get no processor. So these works have
 *     a queue of their own: others wait for APICv at most, and for nothing else.
 *
 * That keeps a VM's calls open; it is not what they are safe by. The predicate looks at what the
 * CPU has been told, before each entry that may be in a call (path/predicate.c).
 *
 * A slot is taken before APICv is inhibited, and looked at before it is given back, both with
 * vm->apicv_lock held over KVM's function. So the last of the two that come together leaves the VM
 * as its slots want it.
 */
#include <linux/workqueue.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"

static struct workqueue_struct *works;

/* Inhibits APICv for a VM that is about to be attached. Runs in the VM's own thread, which has a
 * slot, and sleeps for the VM's other vCPUs. */
bool eh_vm_inhibit_apicv(struct eh_vm *vm)
{
	bool inhibited;

	mutex_lock(&vm->apicv_lock);
	if (!eh_kvm_apicv_is_off(vm->kvm)) {
		eh_kvm_inhibit_apicv(vm->kvm, true);
		WRITE_ONCE(vm->apicv_inhibited, true);
	}
	inhibited = eh_kvm_apicv_is_off(vm->kvm);
	mutex_unlock(&vm->apicv_lock);
	return inhibited;
}

/* Returns KVM's VM with a reference, if this module has inhibited its APICv and no slot needs that
 * any more. */
static struct kvm *unwanted(struct eh_vm *vm)
{
	struct kvm *kvm = NULL;

	lockdep_assert_held(&vm->apicv_lock);
	spin_lock(&vm->lock);
	if (vm->apicv_inhibited && !memchr_inv(vm->slots, 0, sizeof(vm->slots)) &&
	    !list_empty(&vm->vcpus) && eh_kvm_get(vm->kvm))
		kvm = vm->kvm;
	spin_unlock(&vm->lock);
	return kvm;
}

/* It may drop the last reference to KVM's VM. */
static void allow(struct eh_vm *vm)
{
	struct kvm *kvm;

	mutex_lock(&vm->apicv_lock);
	kvm = unwanted(vm);
	if (kvm) {
		eh_kvm_inhibit_apicv(kvm, false);
		WRITE_ONCE(vm->apicv_inhibited, false);
	}
	mutex_unlock(&vm->apicv_lock);
	if (kvm)
		eh_kvm_put(kvm);
}

static void allow_later(struct work_struct *work)
{
	struct eh_vm *vm = container_of(work, struct eh_vm, apicv_work);

	allow(vm);
	eh_vm_put(vm);
}

void eh_vm_apicv_init(struct eh_vm *vm)
{
	mutex_init(&vm->apicv_lock);
	INIT_WORK(&vm->apicv_work, allow_later);
}

/* Called when a slot of the VM becomes free, or was not taken in the end. */
void eh_vm_allow_apicv_soon(struct eh_vm *vm)
{
	if (!READ_ONCE(vm->apicv_inhibited))
		return;
	eh_vm_get(vm);
	if (!queue_work(works, &vm->apicv_work))
		eh_vm_put(vm);
}

/*
 * The module goes: the VM has no slots, and cannot attach any more. The hooks are still in place,
 * so KVM does not free the VM unseen. A VM that KVM is about to free needs no APICv.
 */
void eh_vm_leave_apicv(struct eh_vm *vm)
{
	allow(vm);
	mutex_lock(&vm->apicv_lock);
	WRITE_ONCE(vm->apicv_inhibited, false);
	mutex_unlock(&vm->apicv_lock);
}

int eh_apicv_init(void)
{
	works = alloc_workqueue("elisa-apicv", WQ_UNBOUND, 0);
	return works ? 0 : -ENOMEM;
}

/* No VM's APICv is inhibited any more. */
void eh_apicv_exit(void)
{
	destroy_workqueue(works);
}
