/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hooks, called by ftrace directly, without its register-saving trampoline. Those on the exit
 * path of every VM on the host, and in each vCPU ioctl (vcpu_load()), must cost next to nothing for
 * a vCPU that is not set up: five instructions.
 *
 * On entry RDI is the vCPU and the return address lies in the hooked function, past its ftrace
 * site. Arguments belong to the hooked function: four of eh_memslot_hook's, two at most of the
 * others. R11 holds nothing at the first instruction of a function, as for ftrace's own
 * trampolines, nor do RAX and the others that a function may change. ftrace comes here by CALL or
 * RET, never by an indirect branch: no ENDBR.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>

#include "base/filter.h"

	.text

/*
 * The handler gets the vCPU, where the return address lies, and the hooked function's second
 * argument. It may change the return address to go elsewhere than into the hooked function: to a
 * replacement, which returns to the hooked function's caller.
 */
.macro handle handler
	pushq	%rdi
	pushq	%rsi
	movq	%rsi, %rdx
	leaq	16(%rsp), %rsi
	call	\handler
	popq	%rsi
	popq	%rdi
	RET
.endm

.macro hook name handler
SYM_FUNC_START(\name)
	ANNOTATE_NOENDBR
	movl	%edi, %r11d
	shrl	$EH_FILTER_SHIFT, %r11d
	cmpb	$0, eh_vcpu_filter(%r11)
	jne	1f
	RET
1:	handle	\handler
SYM_FUNC_END(\name)
.endm

/* Of a function that is called rarely: no filter. */
.macro rare_hook name handler
SYM_FUNC_START(\name)
	ANNOTATE_NOENDBR
	handle	\handler
SYM_FUNC_END(\name)
.endm

/* KVM's VM and the memory slot as it is now: the first and the third of four arguments. */
SYM_FUNC_START(eh_memslot_hook)
	ANNOTATE_NOENDBR
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	movq	%rdx, %rsi
	call	eh_memslot_handler
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	RET
SYM_FUNC_END(eh_memslot_hook)

rare_hook eh_hypercall_hook eh_hypercall_handler
rare_hook eh_free_hook eh_free_handler
hook eh_run_hook eh_run_handler
hook eh_exit_hook eh_exit_handler
hook eh_load_hook eh_load_handler
hook eh_allowed_hook eh_allowed_handler
hook eh_window_hook eh_window_handler
hook eh_reset_hook eh_reset_handler
