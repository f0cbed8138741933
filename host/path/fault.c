// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells a manager about a fault of its function: the instruction, and the access or exception.
 *
 * A function has no handler for exceptions. An access to the object area that its EPT tables do not
 * allow is an EPT violation, and the CPU tells the address. Any other exception but those that KVM
 * intercepts looks for the guest's IDT, finds no page, and becomes a triple fault. Then the CPU
 * tells the instruction only.
 *
 * The manager learns offsets in its own object, and nothing of the guest. An address elsewhere may
 * be the guest's secret as well as the function's mistake, so the manager does not learn it. The
 * guest learns none of this.
 */
#include "path/switch.h"

#define QUALIFIES_ACCESS 7u	   /* read, write, fetch: the bits of ELISA_PROT_* */
#define QUALIFIES_LINEAR (1u << 7) /* GUEST_LINEAR_ADDRESS is valid */

u64 eh_object_offset(u64 address)
{
	u64 offset = address - ELISA_OBJECT_BASE;

	return offset < ELISA_OBJECT_SIZE ? offset : ELISA_ELSEWHERE;
}

/*
 * Tells whether the function needed more than the host's stack. RSP is then outside of it, and not
 * in the object area, where a larger stack of the manager lies.
 */
static bool left_the_stack(u32 slot)
{
	u64 lowest = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + ELISA_STACK_OFFSET;
	u64 room = vmcs_get(GUEST_RSP) - lowest - sizeof(u64);

	return room >= ELISA_STACK_PAGES * PAGE_SIZE &&
	       eh_object_offset(vmcs_get(GUEST_RSP)) == ELISA_ELSEWHERE;
}

static void describe(struct elisa_event *event, u32 slot, u32 reason)
{
	u64 qualification;

	event->fault.about = ELISA_FAULT_FORBIDDEN;
	/* ring 0: what exits there next is the host's business, an interrupt for instance */
	if (!eh_in_user64())
		return;
	event->fault.exit = reason;
	switch (reason) {
	case EXIT_REASON_EPT_VIOLATION:
		qualification = vmcs_get(EXIT_QUALIFICATION);
		event->fault.about = ELISA_FAULT_ADDRESS;
		event->fault.access = qualification & QUALIFIES_ACCESS;
		if (qualification & QUALIFIES_LINEAR)
			event->address = eh_object_offset(vmcs_get(GUEST_LINEAR_ADDRESS));
		return;
	case EXIT_REASON_TRIPLE_FAULT:
		event->fault.about = left_the_stack(slot) ? ELISA_FAULT_STACK : ELISA_FAULT_TRIPLE;
		return;
	case EXIT_REASON_EXCEPTION_NMI:
		event->fault.about = ELISA_FAULT_EXCEPTION;
		event->fault.vector = vmcs_get(VM_EXIT_INTR_INFO) & INTR_INFO_VECTOR_MASK;
		return;
	}
}

/* Records the fault. The vCPU is as the exit for @reason has left it. Under vcpu->lock. */
void eh_fault_tell(struct eh_context *c, u32 reason)
{
	struct eh_attachment *a = c->attachment;
	struct elisa_event event = {
		.type = ELISA_EVENT_FAULT,
		.export_id = a->export_id,
		.attachment = a->number,
		.vcpu = c->self->vcpu,
		.address = ELISA_ELSEWHERE,
	};

	if (!(a->export_flags & ELISA_EXPORT_FAULTS))
		return;
	event.instruction = eh_object_offset(vmcs_get(GUEST_RIP));
	describe(&event, a->slot, reason);
	eh_event_put(a->events, event);
}
