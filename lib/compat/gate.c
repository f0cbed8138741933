/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where elisa_gate_entry() goes. Each thread begins at a stub of this library, which goes on to the
 * process's last attachment. The address of an attachment that has ended stays callable: the
 * driver's stub answers with an error.
 */
#include <errno.h>
#include <stdatomic.h>
#include <libelisa_extra/irq.h>
#include "internal.h"

void compat_gate_unset(void);
/* Address of the last attachment's stub; 0: none. The assembly below reads it. */
_Atomic uint64_t compat_gate_last;

/* Has the calling convention of a driver's stub. A thread without an attachment comes here. The
 * stub makes the process's last attachment the thread's own and goes on to it, or fails if there is
 * none. */
__asm__(".pushsection .text\n"
	".type compat_gate_unset, @function\n"
	".hidden compat_gate_unset\n"
	"compat_gate_unset:\n"
	"	endbr64\n"
	"	mov compat_gate_last(%rip), %rax\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	mov elisa_compat_gate@gottpoff(%rip), %rcx\n"
	"	mov %rax, %fs:(%rcx)\n"
	"	jmp *%rax\n"
	"1:	mov $-7, %rdx\n" /* ELISA_CALL_NOT_ATTACHED */
	"	ret\n"
	".size compat_gate_unset, . - compat_gate_unset\n"
	".popsection\n");
_Static_assert(ELISA_CALL_NOT_ATTACHED == -7, "in the stub above");
_Static_assert(ELISA_CALL_OK == 0, "in elisa_compat_call()");

COMPAT_PUBLIC __thread uint64_t elisa_compat_gate = (uint64_t)compat_gate_unset;

void compat_gate_set(const struct elisa_attachment *attachment)
{
	elisa_compat_gate = attachment->call;
	atomic_store(&compat_gate_last, attachment->call);
}

static int call_errno(long error)
{
	switch (error) {
	case ELISA_CALL_FAULT:
		return EFAULT;
	case ELISA_CALL_FORBIDDEN:
		return EPERM;
	case ELISA_CALL_TIMEOUT:
		return ETIMEDOUT;
	case ELISA_CALL_REVOKED:
		return EPIPE;
	case ELISA_CALL_NOT_ATTACHED:
		return ENOTCONN;
	default:
		return EAGAIN;
	}
}

COMPAT_PUBLIC long elisa_compat_call_failed(long error)
{
	/* another thread may have attached the process anew meanwhile */
	if (error == ELISA_CALL_REVOKED || error == ELISA_CALL_NOT_ATTACHED)
		elisa_compat_gate = (uint64_t)compat_gate_unset;
	return compat_fail(call_errno(error), "call: %s", elisa_call_strerror(error));
}

/* For a program that takes the function's address, or does not include the header. */
COMPAT_PUBLIC long gate_entry(long a0, long a1, long a2, long index, long a4,
			      long a5) __asm__("elisa_gate_entry");

long gate_entry(long a0, long a1, long a2, long index, long a4, long a5)
{
	return elisa_compat_call(a0, a1, a2, index, a4, a5);
}

COMPAT_PUBLIC void vmcall_cli(void)
{
}

COMPAT_PUBLIC void vmcall_sti(void)
{
}

COMPAT_PUBLIC long vmcall_rflags(void)
{
	return (long)__builtin_ia32_readeflags_u64();
}

COMPAT_PUBLIC void elisa_disable_irq_if_enabled(void)
{
}
