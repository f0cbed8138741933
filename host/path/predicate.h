/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exits after which the entry predicate is not asked. The state that it reads can change at few
 * places, and most exits lead to none of them. These exits are quiet: after a quiet exit the
 * predicate would give the same answer as at the entry before.
 *
 * The table below names the writers of each input, in KVM of Linux 6.1, 6.12 and 7.3. Only the
 * vCPU's own thread writes its VMCS, and an ioctl takes the vCPU's mutex. So between two entries of
 * one KVM_RUN only three writers come into question: the guest without an exit, KVM's handler of
 * the exit, and requests of other threads that KVM handles before an entry (vcpu_enter_guest()).
 *
 *   input              without exit     written by                              how that is seen
 *   CR4, XCR0          bits without     handlers of MOV CR4 and XSETBV;         not quiet
 *                      a say (enter.c)  emulator
 *   EFER, PEBS_ENABLE  no               WRMSR; emulator                         compared, in memory
 *   SMM                no               a request (SMI), with all of the rest;  compared, in memory
 *                                       emulator (RSM)                          (hflags)
 *   secondary controls no               requests (APICv, dirty logging), MOV    compared: a VMREAD
 *                                       CR4, WRMSR of APIC_BASE
 *   EPT_POINTER        VMFUNC           requests and faults: a new root         compared: a VMREAD,
 *                                                                               after exits, too
 *   DEBUGCTL           no               WRMSR of it (a PMI only clears bits)    not quiet
 *   IDTR, GDTR base    no: they exit    emulator                                not quiet
 *   LDTR, TR base      no: they exit    emulator, task switch                   not quiet
 *   CR3, for INVVPID   its own affair   MOV CR3, emulator                       not quiet
 *   contexts' levels   no               VCPU_SYNC: another context              compared, in memory
 *                                                                               (forget)
 *   the host's traces  -                the host, at any time                   read
 *   all of them        -                an ioctl; a reset; KVM_RUN itself, with  hooks: vcpu_load()
 *                                       registers from the VMM                  and the reset
 *   all of them        -                exits of nested guests                  entry hook, at
 *                                                                               their entry
 *
 * So an exit is quiet if its handler emulates no instruction from the guest's memory, and writes no
 * input that is not compared. The list has the frequent ones: CPUID, HLT, VMCALL, PAUSE, RDMSR,
 * WRMSR of all but DEBUGCTL, interrupts, and their windows and timers. The list lacks EPT
 * violations and port I/O (emulator), MOV CR and DR, descriptor tables, task switches and
 * exceptions. It also lacks all unknown reasons.
 */
#ifndef ELISA_HOST_PREDICATE_H
#define ELISA_HOST_PREDICATE_H

#include <linux/kvm_host.h>
#include <asm/cpufeature.h>
#include <asm/kvm_vcpu_regs.h>
#include <asm/msr.h>
#include <asm/vmx.h>

#define EH_QUIET_BIT(reason) (1ULL << EXIT_REASON_##reason)
#define EH_QUIET_REASONS                                                           \
	(EH_QUIET_BIT(EXTERNAL_INTERRUPT) | EH_QUIET_BIT(INTERRUPT_WINDOW) |       \
	 EH_QUIET_BIT(NMI_WINDOW) | EH_QUIET_BIT(CPUID) | EH_QUIET_BIT(HLT) |      \
	 EH_QUIET_BIT(VMCALL) | EH_QUIET_BIT(MSR_READ) | EH_QUIET_BIT(MSR_WRITE) | \
	 EH_QUIET_BIT(PAUSE_INSTRUCTION) | EH_QUIET_BIT(TPR_BELOW_THRESHOLD) |     \
	 EH_QUIET_BIT(PREEMPTION_TIMER))

/* @reason: all of the VMCS field, whose upper bits tell of a failed entry and the like. */
static __always_inline bool eh_is_quiet(const struct kvm_vcpu *kvm_vcpu, u64 reason)
{
	if (reason >= 64 || !(EH_QUIET_REASONS >> reason & 1))
		return false;
	return reason != EXIT_REASON_MSR_WRITE ||
	       (u32)kvm_vcpu->arch.regs[VCPU_REGS_RCX] != MSR_IA32_DEBUGCTLMSR;
}

/*
 * Tells whether this CPU records branches in guest mode, too. A VMM may trace its own thread
 * (perf). KVM leaves features to the host that it does not give to guests: Processor Trace
 * (pt_mode=0) and architectural LBRs. DEBUGCTL, which has the other LBRs and BTS, is the guest's
 * after an entry. IRQs are off, so no thread starts a trace before the entry.
 */
bool eh_trace_is_on(void);

static __always_inline bool eh_host_traces(void)
{
	return (cpu_feature_enabled(X86_FEATURE_INTEL_PT) ||
		cpu_feature_enabled(X86_FEATURE_ARCH_LBR)) &&
	       eh_trace_is_on();
}

u64 eh_watched_cr4(void);

#endif
