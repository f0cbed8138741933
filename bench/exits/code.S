/* SPDX-License-Identifier: Apache-2.0 */
/* The guests' code, ring 0, copied to CODE; and the spinner's. Local APICs are in x2APIC mode. */
#include "code.h"
#include "../../tests/machine/loop.inc"

#define MSR_MISC_FEATURES_ENABLES 0x140
#define MSR_TSC_DEADLINE	  0x6e0
#define MSR_EOI			  0x80b
#define MSR_ICR			  0x830
#define MSR_LVT_TIMER		  0x832

	.section .rodata
	.balign 16
	.globl code, code_end, handler, do_vmcall_exit, do_cpuid, do_wrmsr, do_out, do_touch
	.globl do_timer, do_ipi, do_ipi_halted, run_on, answer, spin
code:

/* our interrupt to the vCPU with this local APIC */
.macro send to
	mov	$MSR_ICR, %ecx
	mov	$VECTOR, %eax
	mov	$\to, %edx
	wrmsr
.endm

do_vmcall_exit:
	begin_loop
	mov	$1, %eax
	vmcall
	end_loop
do_cpuid:
	begin_loop
	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	end_loop
do_wrmsr:	/* of an MSR that has no hardware behind it */
	begin_loop
	mov	$MSR_MISC_FEATURES_ENABLES, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	end_loop
do_out:
	begin_loop
	out	%al, $TO_VMM
	end_loop
do_touch:
	mov	$FRESH_AT, %edi
	begin_loop
	movb	$1, (%rdi)
	add	$4096, %rdi
	end_loop
do_timer:
	mov	$MSR_LVT_TIMER, %ecx
	mov	$VECTOR | 1 << 18, %eax
	xor	%edx, %edx
	wrmsr
	begin_loop
	rdtsc
	add	$TIMER_DELAY, %eax
	adc	$0, %edx
	mov	$MSR_TSC_DEADLINE, %ecx
	wrmsr
	sti
	hlt
	cli
	end_loop
do_ipi:	/* RDI = interrupts that vCPU 1 has seen */
	sti
	begin_loop
	send	1
	inc	%rdi
2:	cmp	%rdi, SEEN_AT
	jne	2b
	end_loop
do_ipi_halted:
	begin_loop
	send	1
	sti
	hlt
	cli
	end_loop

	/* vCPU 1's part until STOP: runs; or answers each interrupt, and sleeps */
run_on:
	sti
1:	cmpq	$0, STOP_AT
	je	1b
	out	%al, $0x10
answer:
	sti
	hlt
	cli
	cmpq	$0, STOP_AT
	jne	1f
	send	0
	jmp	answer
1:	out	%al, $0x10

handler:
	push	%rax
	push	%rcx
	push	%rdx
	xor	%eax, %eax
	xor	%edx, %edx
	mov	$MSR_EOI, %ecx
	wrmsr
	incq	SEEN_AT
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq
code_end:

	/* RDI = where to count the rounds, SPIN instructions each */
	.text
spin:
	xor	%eax, %eax
1:	inc	%rax
	mov	%rax, (%rdi)
	jmp	1b
	.section .note.GNU-stack, "", @progbits
