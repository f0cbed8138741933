/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's way in and out: what list.c, call.c, exit.c and enter.c have of each other. All
 * of it is called under vcpu->lock with the vCPU's VMCS loaded, if nothing else is said.
 *
 * KVM and the VMM never see a vCPU in gate or sub. At an exit there, the state of the
 * call is put aside (the stash) and the vCPU is shown as if the call had already ended
 * with an error: default context, at the stub's error return, registers cleared. If at
 * the next entry nothing has touched what is shown and the call may go on, the stash is
 * put back; otherwise what is shown is the truth. So there is one way to end a call,
 * and nothing to undo after it.
 */
#ifndef ELISA_HOST_SWITCH_H
#define ELISA_HOST_SWITCH_H

#include <linux/kvm_host.h>

#include "elisa.h"
#include "vmx.h"

#define INTR_INFO_VALID (1u << 31)
#define INTR_TYPE(info) ((info)&0x700)

/* clearing them makes an EPTP invalid */
#define INVALID_BITS	((u64)(ELISA_EPTP_ARMED ^ ELISA_EPTP_DISARMED))

/*
 * In ring 3 and in 64-bit code: what a caller is in. Not so after SYSCALL and the like, nor if
 * VMFUNC was executed in compatibility mode, in which no address of the window can be.
 */
static inline bool elisa_in_user64(void)
{
	return ((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) == 3 &&
	       (vmcs_get(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK);
}

extern atomic_t elisa_poisonings;

u64 elisa_code_address(struct elisa_context *c);
bool elisa_page_root_is(struct elisa_context *c, u64 cr3);
struct elisa_context *elisa_context_of(struct elisa_vcpu *vcpu, u64 eptp, enum elisa_where *where);
bool elisa_is_poisoned(struct elisa_context *c);
void elisa_set_default(struct elisa_vcpu *vcpu, u64 eptp);
void elisa_forget_cached_registers(struct kvm_vcpu *kvm_vcpu);
void elisa_set_rip(struct kvm_vcpu *kvm_vcpu, u64 rip);
struct elisa_context *elisa_caller_of(struct elisa_vcpu *vcpu, struct elisa_context *c,
				      enum elisa_where *where);
void elisa_drop_events(struct kvm_vcpu *kvm_vcpu);
void elisa_show_end(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		    enum elisa_call_error error);
void elisa_scrub_registers(struct elisa_vcpu *vcpu);
void elisa_forget_saved_state(struct kvm_vcpu *kvm_vcpu);
bool elisa_leaves_vector_state(struct elisa_context *c);
void elisa_call_aborted(struct elisa_context *c, enum elisa_call_error error);
void elisa_forget_time(struct elisa_vcpu *vcpu);
void elisa_end_call(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		    enum elisa_call_error error);
void elisa_stash_shown(struct elisa_stash *stash);
void elisa_stash_call(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		      u64 eptp, u64 rip, u64 rflags);

#endif
