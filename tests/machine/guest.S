/* SPDX-License-Identifier: Apache-2.0 */
/* Guest code of the harness: for ring 0, for ring 3, and the exported function. */
#include "loop.inc"

	.section .rodata
	.balign 16
	/* ---- ring 0, copied to KERNEL_CODE */
	.globl kernel_start, kernel_end, do_vmcall, load_cr3, load_idt, load_gdt, kernel_call
	.globl isr, isr_nmi, isr_debug, isr_fault, vmcall_loop, sync_and_call
kernel_start:
do_vmcall:
	vmcall
	out %al, $0x10
	hlt
load_cr3:
	mov %rdi, %cr3
	out %al, $0x10
	hlt
load_idt:
	lidt (%rdi)
	out %al, $0x10
	hlt
load_gdt:
	lgdt (%rdi)
	out %al, $0x10
	hlt
kernel_call:	/* r11 = stub */
	call *%r11
	out %al, $0x10
	hlt
sync_and_call:	/* waits for (r12), hypercall (rax, rbx, rcx), then ring 3: r13, RSP r14 */
	cmpq $0, (%r12)
	je sync_and_call
	vmcall
	push $0x23
	push %r14
	push $0x202
	push $0x1b
	push %r13
	iretq
vmcall_loop:	/* rsi VMCALLs that KVM does not know; rax = instructions by TSC */
	begin_loop
	mov $1, %eax
	vmcall
	end_loop
isr:	/* counts in struct seen, at SEEN, and keeps the interrupted RIP and CS */
	incq 0x6000
	push %rax
	mov 8(%rsp), %rax
	mov %rax, 0x6008
	mov 16(%rsp), %rax
	mov %rax, 0x6010
	mov $0xfee000b0, %eax
	movl $0, (%rax)			/* EOI */
	pop %rax
	iretq
isr_nmi:
	incq 0x6018
	push %rax
	mov 8(%rsp), %rax
	mov %rax, 0x6020
	pop %rax
	iretq
isr_debug:
	incq 0x6028
	iretq
	/*
	 * Faults end the run. RBX = vector, RCX = error code or 0, RDX = RIP; the rest of the frame
	 * is on the stack. Each handler has 16 bytes.
	 */
	.balign 16
isr_fault:
	.set vector, 0
	.rept 32
	.balign 16
	.if !((1 << vector) & 0x60227d00)
	push $0
	.endif
	push $vector
	jmp fault_end
	.set vector, vector + 1
	.endr
	.balign 16
fault_end:
	pop %rbx
	pop %rcx
	pop %rdx
	out %al, $0x12
	hlt
kernel_end:

	/* ---- ring 3, copied to USER_CODE */
	.globl user_start, user_end, user_call, user_loop, user_vmfunc, user_spin, user_vmcall
	.globl user_out, user_read, user_again
user_start:
user_call:	/* r11 = stub */
	call *%r11
user_out:
	out %al, $0x10
	jmp user_out
user_loop:	/* rbp = struct loop */
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, 16(%rbp)
1:	mov 24(%rbp), %r11
	mov 8(%rbp), %rdi
	mov 32(%rbp), %rsi
	call *%r11
	test %rdx, %rdx
	jnz 2f
	decq (%rbp)
	jnz 1b
2:	mov %rax, %rbx
	mov %rdx, %rcx
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	sub 16(%rbp), %rax
	mov %rax, 16(%rbp)
	mov %rbx, %rax
	mov %rcx, %rdx
	jmp user_out
user_vmfunc:
	vmfunc
	jmp user_out
user_spin:	/* rsi times */
	dec %rsi
	jnz user_spin
	jmp user_out
user_vmcall:
	vmcall
	jmp user_out
user_read:	/* 8 bytes at rsi */
	mov (%rsi), %rax
	jmp user_out
user_again:	/* rbp = struct loop: goes on after errors; sets bit -error of cycles */
	mov 24(%rbp), %r11
	mov 8(%rbp), %rdi
	mov 32(%rbp), %rsi
	call *%r11
	neg %rdx
	bts %rdx, 16(%rbp)
	decq (%rbp)
	jnz user_again
	jmp user_out
user_end:

	/* ---- the exported function, page 0 of the object area; data in page 1 */
	.balign 4096
	.globl functions, functions_table, functions_end
functions:
	/* rdi = which, rsi, rdx = arguments */
	lea table(%rip), %rax
	movslq (%rax,%rdi,4), %r11
	add %r11, %rax
	jmp *%rax
functions_table:
table:
	.long f_add-table, f_count-table, f_read-table, f_write-table, f_jump-table
	.long f_ud-table, f_vmcall-table, f_vmfunc-table, f_cpuid-table, f_out-table
	.long f_spin-table, f_hlt-table, f_syscall-table, f_int3-table, f_divide-table
	.long f_registers-table, f_pause-table, f_wait-table, f_flags-table, f_attack-table
	.long f_spoil-table, f_sysenter-table, f_int-table, f_secret-table, f_many-table
	.long f_control-table, f_hold-table, f_watch-table, f_stay-table
	.long f_ring-table, f_rings-table
f_add:	lea (%rsi,%rdx), %rax
	ret
f_count:
	mov $1, %eax
	lock xaddq %rax, functions+0x1000(%rip)
	inc %rax
	ret
f_read:	mov (%rsi), %rax
	ret
f_write:
	mov %rdx, (%rsi)
	mov %rdx, %rax
	ret
f_jump:	call *%rsi
	ret
f_ud:	ud2
f_vmcall:
	mov $11, %eax
	movabs $0x454c495341484331, %rbx
	vmcall
	ret
f_vmfunc:
	mov %esi, %eax
	mov %edx, %ecx
	vmfunc
	ret
f_cpuid:
	cpuid
	ret
f_out:	out %al, $0x11
	ret
f_spin:	dec %rsi
	jnz f_spin
	mov $7, %eax
	ret
f_hlt:	hlt
	ret
f_syscall:
	syscall
	ret
f_int3:	int3
	ret
f_divide:
	xor %ecx, %ecx
	div %rcx
	ret
f_registers:	/* restores what the C ABI wants, if it returns */
	push %rbx
	push %r12
	movabs $0x5ec2e75ec2e75ec2, %rcx
	mov %rcx, %rbx
	mov %rcx, %r8
	mov %rcx, %r9
	mov %rcx, %r10
	mov %rcx, %r11
	mov %rcx, %r12
	mov %rcx, %rdi
	movq %rcx, %xmm7
	movq %rcx, %xmm0
	test %rsi, %rsi
	mov %rcx, %rsi
	jz 1f
	ud2
1:	pop %r12
	pop %rbx
	mov $1, %eax
	ret
f_pause:
	pause
	dec %rsi
	jnz f_pause
	mov $9, %eax
	ret
f_wait:	/* sets data[1], waits until data[2] is set */
	movabs $0x5ec2e75ec2e75ec2, %rbx
	mov %rbx, %r12
	movq %rbx, %xmm5
	movq $1, functions+0x1008(%rip)
1:	cmpq $0, functions+0x1010(%rip)
	je 1b
	mov $7, %eax
	ret
f_flags:
	pushfq
	pop %rax
	ret
f_attack:	/* jumps to rsi (a1) with ecx = a2, rsp = a4, rdx = a5, eax = 0 */
	mov %edx, %ecx
	mov %r8, %rsp
	mov %r9, %rdx
	xor %eax, %eax
	jmp *%rsi
f_spoil:	/* changes all registers that the calling convention preserves, and more */
	mov $-1, %rbx
	mov %rbx, %rbp
	mov %rbx, %r12
	mov %rbx, %r13
	mov %rbx, %r14
	mov %rbx, %r15
	pop %rcx
	push $0x1f00
	ldmxcsr (%rsp)
	push $0x0c40
	fldcw (%rsp)
	fld1
	pop %rax
	pop %rax
	push %rcx
	test %rsi, %rsi
	jz 1f
	wrfsbase %rsi
	wrgsbase %rsi
1:	mov $5, %eax
	stc
	std
	ret
f_sysenter:
	sysenter
	ret
f_int:	int $0x80
	ret
f_secret:	/* fills each vector register, then faults if a1 */
	movabs $0x5ec2e75ec2e75ec2, %rax
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	movq %rax, %xmm\n
	vinsertf128 $1, %xmm\n, %ymm\n, %ymm\n
	.endr
	push %rax
	fldl (%rsp)
	pop %rax
	test %rsi, %rsi
	jz 1f
	ud2
1:	mov $1, %eax
	ret
f_many:	/* a weighted sum of five arguments */
	lea (%rsi,%rdx,2), %rax
	lea (%rax,%rcx,4), %rax
	lea (%rax,%r8,8), %rax
	shl $4, %r9
	add %r9, %rax
	ret
f_control:	/* MXCSR, and the x87 control word above it */
	push $0
	stmxcsr (%rsp)
	fnstcw 4(%rsp)
	pop %rax
	ret
f_hold:	/* a1 times, with a secret in registers */
	movabs $0x5ec2e75ec2e75ec2, %r8
	mov %r8, %r9
	mov %r8, %r11
	movq %r8, %xmm5
	jmp f_spin
f_watch:	/* reads at a1 and counts it in data[1], until data[2] is set */
	mov (%rsi), %rax
	incq functions+0x1008(%rip)
	cmpq $0, functions+0x1010(%rip)
	je f_watch
	ret
f_stay:	/* counts at a1 for ever */
	incq (%rsi)
	jmp f_stay
f_ring:	/* rings place a1; returns a2 if all other registers are unchanged */
	mov %rdx, %r10
	movabs $0x454c4953414e4731, %rax
	mov %rsi, %rcx
	mov %rax, %r8
	mov %rsi, %r9
	mov $77, %edi
	std
	vmcall
	pushfq
	pop %r11
	cld
	cmp %rax, %r8
	jne 1f
	cmp %rcx, %r9
	jne 1f
	cmp %rsi, %r9
	jne 1f
	cmp $77, %rdi
	jne 1f
	bt $10, %r11
	jnc 1f
	mov %r10, %rax
	ret
1:	mov $-1, %rax
	ret
f_rings: /* rings place a1 for ever */
	movabs $0x454c4953414e4731, %rax
	mov %rsi, %rcx
1:	vmcall
	jmp 1b
functions_end:
	.section .note.GNU-stack, "", @progbits
