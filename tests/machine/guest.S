/* SPDX-License-Identifier: Apache-2.0 */
/* Guest code of the harness: ring 0's, ring 3's, and the exported function. */

	.section .rodata
	.balign 16
	/* ---- ring 0, copied to KERNEL_CODE */
	.globl kernel_start, kernel_end, do_vmcall, do_out, isr, load_cr3, load_idt, spin_kernel
kernel_start:
do_vmcall:
	vmcall
do_out:
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
isr:	/* counts at 0x6000 and notes where it came from */
	incq 0x6000
	push %rax
	mov 8(%rsp), %rax
	mov %rax, 0x6008
	mov 16(%rsp), %rax
	mov %rax, 0x6010
	xor %eax, %eax
	mov $0xfee000b0, %eax
	movl $0, (%rax)			/* EOI */
	pop %rax
	iretq
	.globl isr_fault
isr_fault:	/* a fault in ring 3 without error code: end the run, vector in RBX */
	mov (%rsp), %rcx
	mov $0xbad, %ebx
	out %al, $0x10
	hlt
kernel_end:

	/* ---- ring 3, copied to USER_CODE */
	.globl user_start, user_end, user_call, user_loop, user_vmfunc, user_spin, user_vmcall
user_start:
user_call:	/* r11 = stub */
	call *%r11
user_out:
	out %al, $0x10
	jmp user_out
user_loop:	/* r11 = stub; USER_DATA: count, function, cycles */
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, 0x2c0010
1:	mov 0x2c0018, %r11
	mov 0x2c0008, %rdi
	xor %esi, %esi
	call *%r11
	test %rdx, %rdx
	jnz 2f
	decq 0x2c0000
	jnz 1b
2:	mov %rax, %rbx
	mov %rdx, %rcx
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	sub 0x2c0010, %rax
	mov %rax, 0x2c0010
	mov %rbx, %rax
	mov %rcx, %rdx
	jmp user_out
user_vmfunc:
	vmfunc
	jmp user_out
user_spin:
	dec %rsi
	jnz user_spin
	jmp user_out
user_vmcall:
	vmcall
	jmp user_out
user_end:

	/* ---- the exported function, page 0 of the object area; data in page 1 */
	.balign 4096
	.globl functions, functions_end
functions:
	/* rdi = which, rsi, rdx = arguments */
	lea table(%rip), %rax
	movslq (%rax,%rdi,4), %rcx
	add %rcx, %rax
	jmp *%rax
table:
	.long f_add-table, f_count-table, f_read-table, f_write-table, f_jump-table
	.long f_ud-table, f_vmcall-table, f_vmfunc-table, f_cpuid-table, f_out-table
	.long f_spin-table, f_hlt-table, f_syscall-table, f_int3-table, f_divide-table
	.long f_registers-table, f_pause-table
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
f_registers:
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
1:	mov $1, %eax
	ret
f_pause:
	pause
	dec %rsi
	jnz f_pause
	mov $9, %eax
	ret
functions_end:
	.section .note.GNU-stack, "", @progbits
