/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First code of the RAM image (at 1 MiB): puts the image's blocks in order, enters 64-bit mode and
 * jumps to the kernel with its boot parameters. It must never start a kernel it found incomplete.
 *
 * Bochs backs guest memory with 128 KiB blocks that it hands out in the order of first access, but
 * loads a RAM image into consecutive blocks from the image's first one on. So the image appears in
 * the guest where blocks are touched, in the order they are touched. The BIOS has touched an
 * unknown number of them: the image holds padding blocks, and this code touches unused memory
 * (downwards from `scratch`) until it gets the last of the padding. The next blocks it touches are
 * then the kernel's and the initramfs's, in order.
 */

.set PAD, 0x58444150		/* "PADX" */
.set LAST_PAD, 0x4c444150	/* "PADL" */
.set END, 0x21444e45		/* "END!" */
.set BLOCK, 0x20000
.set PAGE_TABLES, 0x101000
.set BOOT_PARAMS, 0x108000

.code32
.globl _start
_start:
	movl	scratch, %edi
skip_padding:
	movl	(%edi), %eax
	cmpl	$LAST_PAD, %eax
	je	claim
	cmpl	$PAD, %eax
	jne	broken
	subl	$BLOCK, %edi
	jmp	skip_padding

claim:
	movl	first_block, %edi
	movl	block_count, %ecx
next_block:
	movl	(%edi), %eax
	addl	$BLOCK, %edi
	loop	next_block
	cmpl	$END, %eax
	jne	broken

	lgdt	gdt_pointer
	movl	%cr4, %eax
	orl	$0x20, %eax			/* PAE */
	movl	%eax, %cr4
	movl	$PAGE_TABLES, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER */
	rdmsr
	orl	$0x100, %eax			/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax		/* PG */
	movl	%eax, %cr0
	ljmp	$0x10, $long_mode

broken:						/* say so on the debug port, and stop */
	movl	$message, %esi
	movl	$message_end - message, %ecx
	movw	$0xe9, %dx
	rep outsb
	cli
	hlt
	jmp	broken

message:
	.ascii	"testbed: the RAM image is not where it should be\n"
message_end:

.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$BOOT_PARAMS, %esi
	movl	kernel_entry, %eax
	jmp	*%rax

.balign 8
gdt:						/* selectors of the 64-bit boot protocol */
	.quad	0
	.quad	0
	.quad	0x00af9a000000ffff		/* 0x10: code */
	.quad	0x00cf92000000ffff		/* 0x18: data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

.org 0x800					/* filled in by ramimage.py */
scratch:
	.long	0
first_block:
	.long	0
block_count:
	.long	0
kernel_entry:
	.long	0
