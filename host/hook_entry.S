/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hooks on the exit path of every VM on the host, and in each vCPU ioctl (vcpu_load()), called
 * by ftrace directly, without its register-saving trampoline. For a vCPU that is not set up they
 * must cost next to nothing: five instructions.
 *
 * On entry RDI is the vCPU and the return address lies in the hooked function, past its
 * ftrace site. Arguments belong to the hooked function, and none has more than two. R11 holds nothing
 * at the first instruction of a function, as for ftrace's own trampolines, nor do RAX and the others
 * that a function may change.
 */
#include <linux/linkage.h>

#include "filter.h"

	.text

/*
 * The handler gets the vCPU and where the return address lies, to go elsewhere than into the
 * hooked function: to a replacement, which returns to the hooked function's caller.
 */
.macro hook name handler
SYM_FUNC_START(\name)
	movl	%edi, %r11d
	shrl	$ELISA_FILTER_SHIFT, %r11d
	cmpb	$0, elisa_vcpu_filter(%r11)
	jne	1f
	RET
1:	pushq	%rdi
	pushq	%rsi
	leaq	16(%rsp), %rsi
	call	\handler
	popq	%rsi
	popq	%rdi
	RET
SYM_FUNC_END(\name)
.endm

hook elisa_run_hook elisa_run_handler
hook elisa_exit_hook elisa_exit_handler
hook elisa_load_hook elisa_load_handler
hook elisa_allowed_hook elisa_allowed_handler
hook elisa_window_hook elisa_window_handler
hook elisa_reset_hook elisa_reset_handler
