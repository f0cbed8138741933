// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks into a stock KVM. The module finds functions of KVM by name, and ftrace calls
 * hook_entry.S at their first instruction. A handler may then send the CPU elsewhere. The module
 * never links or patches KVM's text and symbols. A hook that runs for a vCPU without ELISA must
 * cost next to nothing. kvm/arm.c decides when the hooks are in place.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "base/base.h"
#include "control/control.h"
#include "entry.h"
#include "kvm/arm.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "path/settled.h"

static atomic_t replacing; /* threads in what may sleep, or in a replacement */

static struct eh_hook rare[] = {
	{eh_free_hook, EH_HOOK_VCPU_FREE, 1},
	{eh_hypercall_hook, EH_HOOK_HYPERCALL, 1},
	{eh_memslot_hook, EH_HOOK_MEMSLOT, 1},
};

/* In the order in which they are put in place. */
static struct eh_hook path[] = {
	{eh_reset_hook, EH_HOOK_VCPU_RESET, 1},		 {eh_window_hook, EH_HOOK_IRQ_WINDOW, 2},
	{eh_allowed_hook, EH_HOOK_INTERRUPT_ALLOWED, 3}, {eh_load_hook, EH_HOOK_VCPU_LOAD, 1},
	{eh_exit_hook, EH_HOOK_HANDLE_EXIT, 1},		 {eh_run_hook, EH_HOOK_RUN, 1},
};

/* ---- replacements: in the place of KVM's function, in its context */

static void replace_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long destination)
{
	u64 wait = 0;

	atomic_inc(&replacing);
	/* a VM that the module makes wait, before or after its call, must not keep the module from
	 * being unloaded */
	eh_hypercall_wait(eh_hypercall_debt(kvm_vcpu));
	/* it may sleep on a VMM's page for long; it must not begin while the module is being
	 * unloaded */
	if (try_module_get(THIS_MODULE)) {
		wait = eh_hypercall(kvm_vcpu, destination);
		module_put(THIS_MODULE);
	}
	eh_hypercall_wait(wait);
	atomic_dec(&replacing);
}

static int replace_handle_exit(struct kvm_vcpu *kvm_vcpu, unsigned long fastpath)
{
	int r;

	atomic_inc(&replacing);
	r = eh_exit_handle(kvm_vcpu);
	atomic_dec(&replacing);
	return r;
}

/* Interrupts, NMIs and SMIs wait for the call's return, which will exit. */
static int replace_allowed(struct kvm_vcpu *kvm_vcpu, bool for_injection)
{
	struct eh_vcpu *vcpu;
	unsigned long flags;

	atomic_inc(&replacing);
	vcpu = eh_vcpu_find(kvm_vcpu);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	eh_trap_return(vcpu);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (for_injection)
		eh_count(ELISA_COUNT_INJECTIONS_REFUSED);
	atomic_dec(&replacing);
	return 0;
}

static void replace_window(struct kvm_vcpu *kvm_vcpu)
{
}

/* ---- handlers: in the context of the hooked function; be quick if it is not ours */

static bool call_is_suspended(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	return vcpu && READ_ONCE(vcpu->phase) == EH_SUSPENDED && !READ_ONCE(vcpu->stash.touched);
}

void notrace eh_hypercall_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on,
				  unsigned long destination)
{
	if (destination == ELISA_HC_MAGIC)
		*go_on = (unsigned long)replace_hypercall;
}

/* Before KVM frees the vCPU. Sleeps. */
void notrace eh_free_handler(struct kvm_vcpu *kvm_vcpu)
{
	atomic_inc(&replacing);
	if (eh_vcpu_find(kvm_vcpu))
		eh_vcpu_gone(kvm_vcpu);
	atomic_dec(&replacing);
}

/* KVM has changed a memory slot; @slot is NULL if it is gone. Sleeps. */
void notrace eh_memslot_handler(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	if (!slot || !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	atomic_inc(&replacing);
	eh_slot_logged(kvm, slot);
	atomic_dec(&replacing);
}

/* The handlers from here on run for vCPUs that are set up, and for vCPUs that share a byte of the
 * filter with them. */

/* IRQs are off. */
void notrace eh_run_handler(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu = eh_vcpu_lookup(kvm_vcpu);

	if (!vcpu)
		return;
	raw_spin_lock(&vcpu->lock);
	if (!eh_stays_settled(vcpu))
		eh_vm_enter(vcpu);
	raw_spin_unlock(&vcpu->lock);
}

static noinline void notrace look_at_exit(struct eh_vcpu *vcpu, unsigned long *go_on)
{
	if (eh_vm_exit(vcpu))
		*go_on = (unsigned long)replace_handle_exit;
}

void notrace eh_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	if (vcpu && !eh_passes_by(vcpu))
		look_at_exit(vcpu, go_on);
}

void notrace eh_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	if (call_is_suspended(kvm_vcpu))
		*go_on = (unsigned long)replace_allowed;
}

void notrace eh_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	if (call_is_suspended(kvm_vcpu))
		*go_on = (unsigned long)replace_window;
}

void notrace eh_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	if (vcpu)
		eh_vcpu_was_reset(vcpu);
}

/*
 * KVM calls vcpu_load() in each vCPU ioctl, under the vCPU's mutex and before it looks at the
 * vCPU's state. A check at the beginning of the ioctl would come too early: the ioctl may sleep
 * on the mutex until a call is suspended. KVM_RUN alone shows the VMM no register of a call.
 */
void notrace eh_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	if (!vcpu)
		return;
	/* by KVM_RUN a VMM may set registers as well (KVM_CAP_SYNC_REGS) */
	eh_vcpu_unsettle(vcpu);
	/* at a function's first byte its caller's return address is the next one on the stack */
	if (!eh_kvm_is_run_ioctl(go_on[1]))
		eh_vcpu_touched(vcpu);
}

int eh_hooks_init(void)
{
	const struct eh_hooks rare_hooks = {rare, ARRAY_SIZE(rare)};
	const struct eh_hooks path_hooks = {path, ARRAY_SIZE(path)};
	int r = eh_kvm_init();

	if (r)
		return r;
	r = eh_arm_init(&rare_hooks, &path_hooks, eh_kvm_sites());
	if (r)
		eh_kvm_exit();
	return r;
}

/* No attachment exists any more, because each holds a reference to the module, which keeps it from
 * being unloaded. */
void eh_hooks_exit(void)
{
	eh_arm_exit();
	/* threads that sleep in a handler or a replacement, then those at its last instructions */
	while (atomic_read(&replacing))
		msleep(20);
	synchronize_rcu_tasks();
	eh_kvm_exit();
}
