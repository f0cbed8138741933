/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few VMX instructions and encodings that the module needs. vmcs_get() and vmcs_set() need the
 * vCPU's VMCS as the current one, so their callers run where KVM has loaded it. No VM may be told a
 * value from here.
 */
#ifndef ELISA_HOST_VMX_H
#define ELISA_HOST_VMX_H

#include <linux/types.h>
#include <asm/msr.h>
#include <asm/vmx.h>

/* SDM vol. 3 appendix B. The kernel's header lacks some of them. */
#define EH_VMCS_FUNCTION_CONTROL	   0x2018
#define EH_VMCS_EPTP_LIST		   0x2024

#define EH_VMFUNC_EPTP_SWITCHING	   1ULL

/* EPT violations as #VE in the guest (SDM 24.6.2). Older kernels' headers lack it. */
#define EH_SECONDARY_EXEC_EPT_VIOLATION_VE (1u << 18)

/* Reads a field of the current VMCS. */
static __always_inline u64 vmcs_get(unsigned long field)
{
	u64 value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

/* Writes a field of the current VMCS. */
static __always_inline void vmcs_set(unsigned long field, u64 value)
{
	asm volatile("vmwrite %1, %0" : : "r"(field), "rm"(value) : "cc");
}

/* INVEPT type 2: drops this CPU's translations of all EPTs (SDM 31.3). */
static __always_inline void invept_all(void)
{
	struct {
		u64 eptp, reserved;
	} descriptor = {0, 0};

	asm volatile("invept %0, %1" : : "m"(descriptor), "r"(2UL) : "cc", "memory");
}

/* INVEPT type 1: drops this CPU's translations from the tables of this EPTP, for all VPIDs. */
static __always_inline void invept_context(u64 eptp)
{
	struct {
		u64 eptp, reserved;
	} descriptor = {eptp, 0};

	asm volatile("invept %0, %1" : : "m"(descriptor), "r"(1UL) : "cc", "memory");
}

/* INVVPID type 1: drops this CPU's translations of one VPID, for every EPTP. */
static __always_inline void invvpid_single(u16 vpid)
{
	struct {
		u64 vpid, address;
	} descriptor = {vpid, 0};

	asm volatile("invvpid %0, %1" : : "m"(descriptor), "r"(1UL) : "cc", "memory");
}

#endif
