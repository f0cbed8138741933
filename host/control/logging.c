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
 * What is noted is the slot's range of guest-physical addresses, as long as the VM lives. When
 * there are more ranges than room, the last one grows. Then logging may end sharing that it does
 * not concern; it never misses any.
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

static void note(struct eh_vm *vm, u64 first, u64 last)
{
	struct eh_range *range = vm->shared;
	u32 i;

	spin_lock(&vm->lock);
	for (i = 0; i < vm->shared_count; i++, range++)
		if (range->first <= first && last <= range->last)
			goto out;
	if (vm->shared_count < EH_SHARED_RANGES) {
		vm->shared[vm->shared_count++] = (struct eh_range){first, last};
		goto out;
	}
	range = &vm->shared[EH_SHARED_RANGES - 1];
	range->first = min(range->first, first);
	range->last = max(range->last, last);
out:
	spin_unlock(&vm->lock);
}

/*
 * Before a request of the VM's pins the pages: may they be shared? A page that is in no memory slot
 * is refused when it is pinned.
 */
int eh_share(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, const u64 *gpas, u32 count,
	     struct eh_refusal *refusal)
{
	const struct kvm_memory_slot *slot = NULL;
	u64 gfn, last = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		gfn = gpas[i] >> PAGE_SHIFT;
		if (slot && gfn >= slot->base_gfn && gfn <= last)
			continue;
		slot = __gfn_to_memslot(kvm_memslots(kvm_vcpu->kvm), gfn);
		if (!slot)
			continue;
		if ((slot->flags & KVM_MEM_LOG_DIRTY_PAGES) && !may_be_logged(vm))
			return eh_refuse(refusal, -EBUSY, ELISA_WHY_DIRTY_LOG, gpas[i]);
		last = slot->base_gfn + slot->npages - 1;
		note(vm, slot->base_gfn, last);
	}
	return 0;
}

static bool has_shared(struct eh_vm *vm, u64 first, u64 last)
{
	bool found = false;
	u32 i;

	spin_lock(&vm->lock);
	for (i = 0; i < vm->shared_count; i++)
		found |= vm->shared[i].first <= last && first <= vm->shared[i].last;
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
void eh_slot_logged(struct kvm *kvm, u64 first_gfn, u64 pages)
{
	struct eh_vm *vm = eh_vm_find(kvm);
	u64 gpa = first_gfn << PAGE_SHIFT;
	bool ended;

	if (!vm)
		return;
	if (has_shared(vm, first_gfn, first_gfn + pages - 1) && !may_be_logged(vm)) {
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
