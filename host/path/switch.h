/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's way in and out: the functions that the files of this folder share. They are called under
 * vcpu->lock with the vCPU's VMCS loaded, unless their comment says otherwise.
 *
 * KVM and the VMM never see a vCPU in gate or sub. At an exit there the state of the call goes into
 * the stash. The vCPU is exposed as if the call had ended with an error: in default, at the stub's
 * error return, general registers cleared. If the call may go on, the next entry puts the stash
 * back. Otherwise the exposed state is the truth. So there is one way to end a call, and nothing to
 * undo after it.
 */
#ifndef ELISA_HOST_SWITCH_H
#define ELISA_HOST_SWITCH_H

#include <linux/kvm_host.h>

#include "base/base.h"
#include "kvm/vmx.h"
#include "path/path.h"

#define EH_NO_RIP	0 /* of a call: its VMCS is not loaded */

#define INTR_INFO_VALID (1u << 31)
#define INTR_TYPE(info) ((info)&0x700)

/* clearing them makes an EPTP invalid */
#define INVALID_BITS	((u64)(ELISA_EPTP_ARMED ^ ELISA_EPTP_DISARMED))

/*
 * Tells whether the vCPU is in ring 3 and in 64-bit code, as a caller is. It is not after SYSCALL
 * and the like. Nor is it if VMFUNC was executed in compatibility mode, where no address of the
 * window can be.
 */
static inline bool eh_in_user64(void)
{
	return ((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) == 3 &&
	       (vmcs_get(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK);
}

extern atomic_t eh_poisonings;

u64 eh_code_address(struct eh_context *c);
bool eh_page_root_is(struct eh_context *c, u64 cr3);
struct eh_context *eh_context_of(struct eh_vcpu *vcpu, u64 eptp, enum eh_where *where);
u32 eh_levels_of_contexts(const struct eh_vcpu *vcpu);
bool eh_is_poisoned(struct eh_context *c);
void eh_set_default(struct eh_vcpu *vcpu, u64 eptp);
void eh_forget_cached_registers(struct kvm_vcpu *kvm_vcpu);
void eh_set_rip(struct kvm_vcpu *kvm_vcpu, u64 rip);
struct eh_context *eh_caller_of(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where *where);
void eh_drop_events(struct kvm_vcpu *kvm_vcpu);
void eh_expose_end(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where,
		   enum elisa_call_error error);
void eh_scrub_registers(struct eh_vcpu *vcpu);
void eh_forget_saved_state(struct kvm_vcpu *kvm_vcpu);
bool eh_leaves_vector_state(struct eh_context *c);
void eh_call_aborted(struct eh_context *c, enum elisa_call_error error, u64 rip);
u64 eh_object_offset(u64 address);
void eh_fault_tell(struct eh_context *c, u32 reason);
void eh_forget_time(struct eh_vcpu *vcpu);
void eh_end_call(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where,
		 enum elisa_call_error error);
void eh_stash_exposed(struct eh_stash *stash);
void eh_stash_call(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where, u64 eptp,
		   u64 rip, u64 rflags);
void eh_forget(struct eh_vcpu *vcpu);
int eh_descriptor_exit(struct kvm_vcpu *kvm_vcpu, u32 reason);
bool eh_is_overdue(struct eh_vcpu *vcpu, struct eh_context *c);
u64 eh_held_before_hook(const struct eh_vcpu *vcpu, u64 now);

#endif
