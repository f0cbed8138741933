/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hooks that every exit of every VM on the host passes (vmx_vcpu_run(), vmx_handle_exit())
 * or every vCPU ioctl (vcpu_load()), called by ftrace directly, without its register-saving
 * trampoline. For a vCPU that is not set up they must cost next to nothing: eight instructions.
 *
 * On entry RDI is the vCPU and the return address lies in the hooked function, past its
 * ftrace site. All registers belong to the hooked function's caller.
 */
#include <linux/linkage.h>

	.text

/*
 * elisa_vcpu_filter[] has a byte for each hash of a vCPU's address (bits 12 to 19): 0 if no
 * vCPU with that hash is set up. The handler gets the vCPU and where the return address
 * lies, to go elsewhere than into the hooked function.
 */
.macro hook name handler
SYM_FUNC_START(\name)
	pushq	%rax
	movq	%rdi, %rax
	shrq	$12, %rax
	movzbl	%al, %eax
	cmpb	$0, elisa_vcpu_filter(%rax)
	jne	1f
	popq	%rax
	RET
1:	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	leaq	72(%rsp), %rsi
	call	\handler
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	popq	%rax
	RET
SYM_FUNC_END(\name)
.endm

hook elisa_run_hook elisa_run_handler
hook elisa_exit_hook elisa_exit_handler
hook elisa_load_hook elisa_load_handler
