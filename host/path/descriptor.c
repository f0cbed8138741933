// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that read or load a descriptor table exit while a vCPU is set up, so that the entry
 * predicate sees each new table. KVM's emulator executes them, in ring 3 the four that read, and
 * left alone it would fetch the instruction from the guest's memory again. Another thread of that
 * process may have written something else there by then, and would choose what is emulated.
 *
 * So the bytes are read here, once. Only if they are the instruction that the VMCS says has exited,
 * KVM gets these bytes and fetches no opcode itself. If not, the CPU goes on where it was and
 * executes what is there now, as on a processor where the thread was later. What the
 * emulator may still fetch are bytes of an address behind ModRM, which choose no instruction.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>

#include "kvm/kvm.h"
#include "path/descriptor.h"
#include "path/switch.h"

static bool in_code64(void)
{
	return vmcs_get(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK;
}

/* Reads the first @size bytes at RIP, with the rights of the exited code. */
static bool fetch(struct kvm_vcpu *kvm_vcpu, u8 *code, u32 size)
{
	bool user = ((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) == 3;
	u64 at = vmcs_get(GUEST_RIP), gpa;
	u32 done, part;

	if (!in_code64())
		at = (u32)(at + vmcs_get(GUEST_CS_BASE));
	for (done = 0; done < size; done += part) {
		part = min_t(u32, size - done, PAGE_SIZE - offset_in_page(at + done));
		gpa = eh_kvm_translate_fetch(kvm_vcpu, at + done, user);
		if (gpa == INVALID_GPA || eh_kvm_read(kvm_vcpu, gpa, code + done, part))
			return false;
	}
	return true;
}

/* Handles a descriptor-table exit, with the VMCS loaded and no lock held. Returns what KVM's
 * handlers return. */
int eh_descriptor_exit(struct kvm_vcpu *kvm_vcpu, u32 reason)
{
	u32 size = min_t(u32, vmcs_get(VM_EXIT_INSTRUCTION_LEN), EH_INSTRUCTION_MAX);
	u32 which = (vmcs_get(VMX_INSTRUCTION_INFO) >> 28) & 3;
	u8 opcode = reason == EXIT_REASON_LDTR_TR ? EH_OPCODE_LDTR_TR : EH_OPCODE_GDTR_IDTR;
	u8 code[EH_INSTRUCTION_MAX];

	eh_count(ELISA_COUNT_DESC_EXITS);
	if (!fetch(kvm_vcpu, code, size) ||
	    !eh_is_descriptor_access(code, size, in_code64(), opcode, which))
		return 1;
	return eh_kvm_emulate(kvm_vcpu, code, size);
}
