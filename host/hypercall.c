// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls: the module copies one page of hostile input once, checks it, and answers. This runs
 * in the vCPU's thread inside KVM's handler of VMCALL, and may sleep. It must never trust a field
 * of the guest's page after the copy.
 *
 * Each call takes tokens from the bucket of the VMM's grant, which holds the tokens of one second.
 * When the bucket is empty, the vCPU's thread sleeps after the call, outside of all locks, until
 * the call is paid for. So a guest needs no code for that, and cannot omit it. A thread sleeps at
 * most for the cost of one call times the number of the VMM's threads that sleep with it. A fatal
 * signal ends the sleep.
 */
#include <linux/kvm_host.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "base/base.h"
#include "control/control.h"
#include "entry.h"
#include "kvm/compat.h"
#include "kvm/kvm.h"
#include "kvm/vmx.h"
#include "path/path.h"
#include "tables/tables.h"

struct call {
	struct eh_vm *vm; /* NULL, as vcpu: a VM that nothing was granted */
	struct eh_vcpu *vcpu;
	struct kvm_vcpu *kvm_vcpu;
	struct elisa_hc_page *page; /* our copy */
	struct eh_refusal refusal;
};

static int hello(struct call *call)
{
	struct elisa_hc_page *page = call->page;
	u32 rights = eh_grant_rights(call->kvm_vcpu->kvm->mm);

	if (page->hello.abi < ELISA_ABI_OLDEST || page->hello.abi > ELISA_ABI_VERSION)
		return eh_refuse(&call->refusal, -EPROTO, ELISA_WHY_ABI, ELISA_ABI_VERSION);
	if (call->vm)
		WRITE_ONCE(call->vm->abi, page->hello.abi);
	page->hello.flags = (rights & ELISA_GRANT_EXPORT ? ELISA_HELLO_MAY_EXPORT : 0) |
			    (rights & ELISA_GRANT_ATTACH ? ELISA_HELLO_MAY_ATTACH : 0) |
			    (eh_ept_2m ? ELISA_HELLO_TAKES_2M : 0) |
			    (eh_ept_1g ? ELISA_HELLO_TAKES_1G : 0);
	page->hello.root_limit = eh_root_limit();
	memset(page->hello.exits, 0, sizeof(page->hello.exits));
	page->hello.return_traps = 0;
	if (call->vcpu) {
		memcpy(page->hello.exits, call->vcpu->exits, sizeof(page->hello.exits));
		page->hello.return_traps = call->vcpu->return_traps;
	}
	return 0;
}

static void events(struct eh_vm *vm, struct elisa_hc_events *out)
{
	u32 n = eh_events_take(vm->events, out->event, ELISA_HC_EVENTS_MAX);
	bool lost;

	spin_lock(&vm->lock);
	vm->events_lost |= n && out->event[n - 1].type == ELISA_EVENT_LOST;
	lost = vm->events_lost;
	vm->events_lost = false;
	spin_unlock(&vm->lock);
	if (lost) {
		n += eh_untold_take(vm, out->event + n, ELISA_HC_EVENTS_MAX - n);
		if (n == ELISA_HC_EVENTS_MAX) {
			spin_lock(&vm->lock);
			vm->events_lost = true;
			spin_unlock(&vm->lock);
		}
	}
	out->count = n;
}

/* Which of the VM's exports a call is about, if it is about one. */
static bool export_id(const struct elisa_hc_page *p, u32 *id)
{
	switch (p->call) {
	case ELISA_HC_EXPORT_MAP:
		*id = p->map.id;
		return true;
	case ELISA_HC_EXPORT_UNMAP:
		*id = p->unmap.id;
		return true;
	case ELISA_HC_EXPORT_PUBLISH:
		*id = p->publish.id;
		return true;
	case ELISA_HC_EXPORT_DESTROY:
		*id = p->destroy.id;
		return true;
	case ELISA_HC_EXPORT_PLACES:
		*id = p->places.id;
		return true;
	case ELISA_HC_EXPORT_TICKET:
		*id = p->ticket.id;
		return true;
	case ELISA_HC_EVICT:
		*id = p->evict.id;
		return true;
	}
	return false;
}

static int about_export(struct call *call, struct eh_export *export)
{
	struct elisa_hc_page *p = call->page;

	switch (p->call) {
	case ELISA_HC_EXPORT_MAP:
		return eh_export_map(export, call->kvm_vcpu, &p->map, &call->refusal);
	case ELISA_HC_EXPORT_UNMAP:
		return eh_export_unmap(export, &p->unmap, &call->refusal);
	case ELISA_HC_EXPORT_PUBLISH:
		return eh_export_publish(export, &p->publish, &call->refusal);
	case ELISA_HC_EXPORT_PLACES:
		return eh_places_create(export, &p->places, &call->refusal);
	case ELISA_HC_EXPORT_TICKET:
		return eh_place_ticket(export, &p->ticket, &call->refusal);
	case ELISA_HC_EVICT:
		return eh_evict(export, &p->evict, &call->refusal);
	}
	if (p->destroy.pad)
		return eh_refuse(&call->refusal, -EINVAL, ELISA_WHY_FIELD, p->destroy.pad);
	eh_export_destroy(export);
	return 0;
}

static int about_vm(struct call *call)
{
	struct elisa_hc_page *p = call->page;

	switch (p->call) {
	case ELISA_HC_HELLO:
		return hello(call);
	case ELISA_HC_EXPORT_CREATE:
		return eh_export_create(call->vm, &p->export_, &call->refusal);
	case ELISA_HC_ATTACH:
		return eh_attach(call->vm, call->kvm_vcpu, &p->attach, &call->refusal);
	case ELISA_HC_DETACH:
		if (p->detach.pad)
			return eh_refuse(&call->refusal, -EINVAL, ELISA_WHY_FIELD, p->detach.pad);
		return eh_detach(call->vm, p->detach.slot, &call->refusal);
	case ELISA_HC_DONATE:
		return eh_donate(call->vm, call->kvm_vcpu, &p->donate, &call->refusal);
	case ELISA_HC_DOORBELL:
		return eh_doorbell_set(call->vm, &p->doorbell, &call->refusal);
	case ELISA_HC_EVENTS:
		events(call->vm, &p->events);
		return 0;
	case ELISA_HC_RESET:
		eh_vm_reset(call->vm);
		return 0;
	case ELISA_HC_VCPU_SYNC:
		return eh_vcpu_sync(call->vcpu, &call->refusal);
	}
	return eh_refuse(&call->refusal, -ENOSYS, ELISA_WHY_CALL, p->call);
}

/*
 * A VM without a grant has nothing and gets nothing. The answers are those of a VM without exports
 * and attachments, and the host keeps no state for it. A VM's driver may start before the
 * administrator grants the VM something.
 */
static int dispatch_ungranted(struct call *call)
{
	struct elisa_hc_page *p = call->page;

	switch (p->call) {
	case ELISA_HC_HELLO:
		return hello(call);
	case ELISA_HC_EVENTS:
		p->events.count = 0;
		return 0;
	case ELISA_HC_RESET:
	case ELISA_HC_VCPU_SYNC:
		return 0;
	case ELISA_HC_DETACH:
		return eh_refuse(&call->refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, p->detach.slot);
	case ELISA_HC_EXPORT_DESTROY:
		return eh_refuse(&call->refusal, -ENOENT, ELISA_WHY_NO_EXPORT, p->destroy.id);
	}
	if (!p->call || p->call >= ELISA_HC_COUNT)
		return eh_refuse(&call->refusal, -ENOSYS, ELISA_WHY_CALL, p->call);
	return eh_refuse(&call->refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
}

/* A manager that lost its grant has no export left to map into. */
static int no_export(struct call *call, u32 id)
{
	struct elisa_hc_page *p = call->page;

	if (p->call == ELISA_HC_EXPORT_MAP && !(eh_grant_rights(call->vm->mm) & ELISA_GRANT_EXPORT))
		return eh_refuse(&call->refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	return eh_refuse(&call->refusal, -ENOENT, ELISA_WHY_NO_EXPORT, id);
}

static int dispatch(struct call *call)
{
	struct elisa_hc_page *p = call->page;
	struct eh_export *export;
	enum eh_may may;
	u32 id;
	int r;

	/* asked after the copy, which may have slept */
	call->vcpu = eh_vcpu_find(call->kvm_vcpu);
	may = call->vcpu ? EH_MAY : eh_vm_may_speak(call->kvm_vcpu->kvm);
	if (may == EH_MAY_NOT)
		return dispatch_ungranted(call);
	if (may == EH_MAY_NOT_MORE)
		return eh_refuse(&call->refusal, -EDQUOT, ELISA_WHY_QUOTA, EH_VMS_PER_VMM);
	r = eh_vcpu_get(call->kvm_vcpu, &call->vcpu, &call->refusal);
	if (r)
		return r;
	/* lives as long as this vCPU does, that is, longer than this hypercall */
	call->vm = call->vcpu->vm;
	if (!export_id(p, &id))
		return about_vm(call);
	export = eh_export_of(call->vm, id);
	if (!export)
		return no_export(call, id);
	r = about_export(call, export);
	eh_export_put(export);
	return r;
}

/* The name in a request. "": the request names a ticket, or no name that an export can have. */
static const char *name_in(const struct elisa_hc_page *p)
{
	const char *name = p->call == ELISA_HC_ATTACH	     ? p->attach.name :
			   p->call == ELISA_HC_EXPORT_CREATE ? p->export_.name :
							       "";

	return eh_name_is_good(name) ? name : "";
}

/*
 * Reports the failure to administrators' files. If a program may still grant the request, a driver
 * that knows ELISA_WHY_ASKED (@waits) gets that answer, and asks again.
 */
static int tell_failure(struct call *call, bool waits, int r)
{
	const u32 what = call->page->call;
	const char *name = name_in(call->page);

	if (call->refusal.why != ELISA_WHY_NO_GRANT ||
	    (what != ELISA_HC_ATTACH && what != ELISA_HC_EXPORT_CREATE)) {
		if (call->vm)
			eh_refused_tell(call->vm, what, name, &call->refusal);
		return r;
	}
	if (eh_unknown_tell(call->kvm_vcpu->kvm,
			    what == ELISA_HC_ATTACH ? ELISA_GRANT_ATTACH : ELISA_GRANT_EXPORT,
			    name) &&
	    waits)
		return eh_refuse(&call->refusal, -EAGAIN, ELISA_WHY_ASKED, 0);
	return r;
}

/*
 * The cost of a call, as a part of the full price. Full: it interrupts other CPUs, makes or frees
 * tables, or looks at all exports. A tenth: it makes or pins something of the caller's own, or it
 * fails, in most cases. A fiftieth: it looks at a list.
 */
static u64 price(u32 call, int r, u64 all)
{
	switch (call) {
	case ELISA_HC_ATTACH:
		return all;
	case ELISA_HC_EXPORT_UNMAP:
	case ELISA_HC_EXPORT_PUBLISH:
	case ELISA_HC_EXPORT_DESTROY:
	case ELISA_HC_DETACH:
	case ELISA_HC_EVICT:
	case ELISA_HC_RESET:
	case ELISA_HC_DONATE:
		return r ? all / 10 : all;
	case ELISA_HC_DOORBELL:
	case ELISA_HC_EXPORT_CREATE:
	case ELISA_HC_EXPORT_MAP:
	case ELISA_HC_EXPORT_PLACES:
	case ELISA_HC_EXPORT_TICKET:
		return all / 10;
	}
	return all / 50;
}

/* How long the thread must wait for it. A VM that the module has no room for pays, too. */
static u64 charge(struct kvm_vcpu *kvm_vcpu, u32 call, int r)
{
	unsigned int rate = READ_ONCE(eh_calls_per_second);

	if (!rate)
		return 0;
	return eh_vmm_charge(kvm_vcpu->kvm->mm, ktime_get_mono_fast_ns(),
			     price(call, r, NSEC_PER_SEC / rate), NSEC_PER_SEC);
}

/*
 * A thread that is killed pays nothing after its call, and a VMM may make one such thread after the
 * other. So a thread pays before its call if its VMM owes more than paying threads can ever cause.
 * Returns the nanoseconds to wait.
 */
u64 eh_hypercall_debt(struct kvm_vcpu *kvm_vcpu)
{
	if (!READ_ONCE(eh_calls_per_second))
		return 0;
	return eh_vmm_charge(kvm_vcpu->kvm->mm, ktime_get_mono_fast_ns(), 0, 2ULL * NSEC_PER_SEC);
}

/*
 * A VMM can make a thread that touches its memory sleep for any time. A VM without a grant must not
 * use that to keep the module from being unloaded, so its page is read without a fault. The page is
 * present, because the guest has just written it. If it is not, the call fails.
 */
static int copy_in(struct call *call, unsigned long hva)
{
	const void __user *from = (const void __user *)hva;

	if (!eh_grant_rights(call->kvm_vcpu->kvm->mm))
		return copy_from_user_nofault(call->page, from, PAGE_SIZE);
	return copy_from_user(call->page, from, PAGE_SIZE) ? -EFAULT : 0;
}

static int copy_out(struct call *call, unsigned long hva)
{
	void __user *to = (void __user *)hva;

	if (!eh_grant_rights(call->kvm_vcpu->kvm->mm))
		return copy_to_user_nofault(to, call->page, PAGE_SIZE);
	return copy_to_user(to, call->page, PAGE_SIZE) ? -EFAULT : 0;
}

static int hypercall(struct kvm_vcpu *kvm_vcpu, u64 *wait)
{
	u64 gpa = kvm_vcpu->arch.regs[VCPU_REGS_RCX];
	struct call call = {.kvm_vcpu = kvm_vcpu};
	unsigned long hva;
	bool waits;
	u32 called;
	int r;

	BUILD_BUG_ON(sizeof(struct elisa_hc_page) != PAGE_SIZE);
	/* checked first: the current VMCS is not this vCPU's own, or belongs to a nested guest */
	if (eh_is_confidential(kvm_vcpu->kvm) || (kvm_vcpu->arch.hflags & HF_GUEST_MASK))
		return -EOPNOTSUPP;
	if (!PAGE_ALIGNED(gpa))
		return -EINVAL;
	if (fatal_signal_pending(current))
		return -EINTR;
	/* KVM has checked it too; the module does not rest on that */
	if ((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3)
		return -EPERM;
	r = eh_guest_hva(kvm_vcpu, gpa, &hva, &call.refusal);
	if (r)
		return r;
	call.page = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!call.page)
		return -ENOMEM;
	r = copy_in(&call, hva);
	if (!r) {
		called = call.page->call;
		waits = call.page->why == ELISA_WHY_ASKED;
		r = dispatch(&call);
		if (r)
			r = tell_failure(&call, waits, r);
		call.page->why = r ? call.refusal.why : ELISA_OK;
		call.page->value = r ? call.refusal.value : 0;
		*wait = charge(kvm_vcpu, called, r);
		if (copy_out(&call, hva) && !r)
			r = -EFAULT;
		eh_kvm_mark_dirty(kvm_vcpu, gpa);
	}
	free_page((unsigned long)call.page);
	return r;
}

/*
 * Runs instead of kvm_sched_yield() when the guest named our magic number as the vCPU. Returns the
 * nanoseconds to wait before the guest continues.
 */
u64 eh_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long magic)
{
	u64 wait = 0;
	int r = hypercall(kvm_vcpu, &wait);

	eh_count(ELISA_COUNT_HYPERCALLS);
	if (r)
		eh_count(ELISA_COUNT_HYPERCALL_ERRORS);
	kvm_vcpu->arch.regs[VCPU_REGS_RBX] = ELISA_HC_REPLY;
	kvm_vcpu->arch.regs[VCPU_REGS_RCX] = (long)r;
	return wait;
}

void eh_hypercall_wait(u64 wait)
{
	ktime_t time = ns_to_ktime(wait);

	if (!wait)
		return;
	eh_count(ELISA_COUNT_THROTTLED);
	set_current_state(TASK_KILLABLE);
	schedule_hrtimeout(&time, HRTIMER_MODE_REL);
}
