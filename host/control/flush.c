// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CPUs remember of the tables in tables/. A CPU caches translations and entries of
 * paging structures, tagged with the root they came from (SDM vol. 3, "Caching Translation
 * Information"; EP4TA). What was in a page that is unmapped must not be reached through them by a
 * vCPU. No other tenant pays for that: an IPI goes only to CPUs that run a vCPU of this VM or
 * export, and INVEPT runs in the vCPU's own thread.
 *
 * 1. A root belongs to one context, and that to one vCPU: no other vCPU's EPTP list has it. So
 *    what is tagged with the root is used by this vCPU only, in guest mode.
 * 2. The vCPU enters guest mode through its entry hook only, as long as it has contexts. The
 *    hook calls eh_forget() (path/forget.c) under vcpu->lock and with IRQs off until the entry.
 * 3. The thread that changed a table takes vcpu->lock afterwards, sets `forget`, and looks at
 *    `phase` and `cpu`. The vCPU's thread may go outside without the lock meanwhile: it has left
 *    guest mode then, and an IPI to it does no harm.
 *    - If the hook had the lock later, it sees `forget`, and INVEPT comes before the entry. Walks
 *      after INVEPT, which is serializing, find the changed table.
 *    - If it had the lock earlier, the vCPU is inside, and `cpu` is where it enters. The IPI makes
 *      that CPU leave guest mode, at once or right after the entry, for IRQs are off between. The
 *      sender waits for it. The next entry is the case above.
 * 4. A vCPU that comes to another CPU may find there what it left long ago: everything goes. KVM
 *    does the same at that time (vmx_vcpu_load_vmcs(), vmx_flush_tlb_all()), so that others lose
 *    nothing by it.
 * 5. A root's page is freed without INVEPT. The next user of a page as a root has to clear what
 *    CPUs remember under it: new contexts are in `forget`, and KVM does it in kvm_mmu_load().
 *
 * So the CPUs in question are those of the vCPUs that are inside: a CPU that a vCPU has left is not
 * among them. A revoked context is never entered again (eh_attachment_shut()), and needs the IPI
 * only.
 */

#include <linux/cpumask.h>
#include <linux/smp.h>

#include "base/base.h"
#include "base/trace.h"
#include "control/control.h"

static void was_interrupted(void *unused)
{
}

/*
 * Collects the CPUs that a request must interrupt, and interrupts them once. Call begin and end
 * without spinlocks, and add under vcpu->lock. Without memory for the set, all CPUs are
 * interrupted.
 */
void eh_kick_begin(struct eh_kick *kick)
{
	kick->all = !zalloc_cpumask_var(&kick->cpus, GFP_KERNEL);
}

void eh_kick_add(struct eh_kick *kick, struct eh_vcpu *vcpu)
{
	lockdep_assert_held(&vcpu->lock);
	if (READ_ONCE(vcpu->phase) == EH_INSIDE && !kick->all)
		cpumask_set_cpu(vcpu->cpu, kick->cpus);
}

/* An IPI is an exit. Returns when all those CPUs have taken it. */
void eh_kick_end(struct eh_kick *kick)
{
	if (kick->all) {
		on_each_cpu(was_interrupted, NULL, true);
	} else {
		on_each_cpu_mask(kick->cpus, was_interrupted, NULL, true);
		free_cpumask_var(kick->cpus);
	}
}

/*
 * Marks every vCPU that has a context of @export, and makes it pass its entry hook, which acts on
 * the mark. @mark runs under vcpu->lock. The caller holds no spinlock. This holds one for as long
 * as one attachment takes at most, because other tenants wait for it.
 */
void eh_mark_vcpus(struct eh_export *export, void (*mark)(struct eh_vcpu *vcpu, unsigned int slot))
{
	struct eh_attachment *a = NULL;
	struct eh_context *c;
	struct eh_kick kick;
	unsigned long flags;

	eh_kick_begin(&kick);
	while ((a = eh_attachment_next(export, a))) {
		spin_lock(&a->vm->lock);
		list_for_each_entry(c, &a->contexts, node) {
			raw_spin_lock_irqsave(&c->vcpu->lock, flags);
			mark(c->vcpu, a->slot);
			eh_kick_add(&kick, c->vcpu);
			raw_spin_unlock_irqrestore(&c->vcpu->lock, flags);
		}
		spin_unlock(&a->vm->lock);
	}
	eh_kick_end(&kick);
}

static void forget(struct eh_vcpu *vcpu, unsigned int slot)
{
	set_bit(slot, vcpu->forget);
}

/*
 * Flushes: after this, no vCPU uses old translations from @export's tables. A context that is shown
 * meanwhile is in `forget` already, and its CPUs have never walked its tables.
 */
void eh_flush_export(struct eh_export *export)
{
	trace_elisa_flush(export);
	eh_mark_vcpus(export, forget);
}
