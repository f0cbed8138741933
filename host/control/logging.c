// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty logging of shared memory. A VMM has KVM log which pages a VM writes, for a live migration
 * or a snapshot. KVM does not see what a function writes through the tables of a context. The log
 * would lack those pages, and the copy of the VM would lose the writes silently. So memory is
 * either shared or logged, unless a grant of the VMM's accepts the loss:
 *
 *   share  Each request that pins pages notes the memory slots that they are of, and is refused if
 *          one of these is logged.
 *   log    KVM calls us in the VMM's thread when it has changed a memory slot. If the slot is
 *          logged, and the VM has shared pages of it, the VM's exports and attachments end before
 *          the VMM's ioctl returns. No function writes to the VM's memory after that.
 *
 * No request slips through: it runs with kvm->srcu held for reading, and KVM waits for all such
 * readers before it calls us (kvm_swap_active_memslots()). A request that saw the slot without
 * logging has put its pages in a list by then.
 *
 * What is noted is where the slot's memory is in the VMM, as long as the VM lives: a VMM may move a
 * slot, or have the same memory in two. When there are more ranges than room, the last one grows.
 * Then logging may end sharing that it does not concern. It misses none, unless the VMM itself
 * moves the memory to another address (mremap()).
 *
 * A grant accepts the loss for logging that begins, and for sharing that begins, while the VMM has
 * it. Nothing ends when it is taken back later but what was made under it.
 */
#include <linux/kvm_host.h>
#include <linux/minmax.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"

static bool may_be_logged(struct eh_vm *vm)
{
	return eh_grant_rights(vm->mm) & ELISA_GRANT_DIRTY_LOG;
}

static struct eh_range memory_of(const struct kvm_memory_slot *slot)
{
	return (struct eh_range){slot->userspace_addr,
				 slot->userspace_addr + slot->npages * PAGE_SIZE - 1};
}

static void note(struct eh_vm *vm, struct eh_range memory)
{
	struct eh_range *range = vm->shared;
	u32 i;

	spin_lock(&vm->lock);
	for (i = 0; i < vm->shared_count; i++, range++)
		if (range->first <= memory.first && memory.last <= range->last)
			goto out;
	if (vm->shared_count < EH_SHARED_RANGES) {
		vm->shared[vm->shared_count++] = memory;
		goto out;
	}
	range = &vm->shared[EH_SHARED_RANGES - 1];
	range->first = min(range->first, memory.first);
	range->last = max(range->last, memory.last);
out:
	spin_unlock(&vm->lock);
}

/*
 * Before a request of the VM pins the pages: may they be shared? A page outside of all memory slots
 * is refused here. It may be in one when it is pinned, and would not be noted.
 */
int eh_share(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, const u64 *gpas, u32 count,
	     struct eh_refusal *refusal)
{
	const struct kvm_memory_slot *slot = NULL;
	u64 gfn;
	u32 i;

	for (i = 0; i < count; i++) {
		gfn = gpas[i] >> PAGE_SHIFT;
		if (slot && gfn >= slot->base_gfn && gfn - slot->base_gfn < slot->npages)
			continue;
		slot = __gfn_to_memslot(kvm_memslots(kvm_vcpu->kvm), gfn);
		if (!slot)
			return eh_refuse(refusal, -EFAULT, ELISA_WHY_NOT_RAM, gpas[i]);
		if ((slot->flags & KVM_MEM_LOG_DIRTY_PAGES) && !may_be_logged(vm))
			return eh_refuse(refusal, -EBUSY, ELISA_WHY_DIRTY_LOG, gpas[i]);
		note(vm, memory_of(slot));
	}
	return 0;
}

static bool has_shared(struct eh_vm *vm, struct eh_range memory)
{
	bool found = false;
	u32 i;

	spin_lock(&vm->lock);
	for (i = 0; i < vm->shared_count; i++)
		found |= vm->shared[i].first <= memory.last && memory.first <= vm->shared[i].last;
	spin_unlock(&vm->lock);
	return found;
}

static bool end_exports(struct eh_vm *vm, u64 gpa)
{
	struct eh_export *export;
	bool found = false;

	for (export = eh_export_next(vm, NULL); export; export = eh_export_next(vm, export)) {
		eh_event_put(export->events, (struct elisa_event){.type = ELISA_EVENT_DIRTY_LOG,
								  .export_id = export->id,
								  .value = gpa});
		eh_export_kill(export);
		found = true;
	}
	return found;
}

/*
 * KVM has changed a memory slot, and logs it now: a thread of the VMM's, which holds KVM's
 * slots_lock of this VM.
 */
void eh_slot_logged(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	struct eh_vm *vm = eh_vm_find(kvm);
	u64 gpa = slot->base_gfn << PAGE_SHIFT;
	bool ended;

	if (!vm)
		return;
	if (has_shared(vm, memory_of(slot)) && !may_be_logged(vm)) {
		ended = eh_vm_revoke(vm, 0);
		ended |= end_exports(vm, gpa);
		if (ended) {
			eh_stream_tell((struct elisa_host_event){.kind = ELISA_HOST_EVENT_DIRTY_LOG,
								 .pid = vm->pid,
								 .vm = vm->id,
								 .value = (s64)gpa});
			pr_warn_ratelimited("VM %u (pid %d) shares nothing any more: "
					    "its memory at %#llx is under dirty logging\n",
					    vm->id, vm->pid, gpa);
		}
	}
	eh_vm_put(vm);
}
