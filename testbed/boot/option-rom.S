/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option ROM that the BIOS calls late in its start: enters 32-bit protected mode and jumps to the
 * boot header at 1 MiB, so that no boot loader and no disk is needed. It never returns.
 */

.set ROM_BASE, 0xd0000		/* segment d000, offset 0 */
.set HEADER, 0x100000

.code16
.globl _start
_start:
	.byte	0x55, 0xaa, 1		/* signature, length in 512-byte units */
	cli
	inb	$0x92, %al		/* fast A20 */
	orb	$2, %al
	outb	%al, $0x92
	.byte	0x2e, 0x66, 0x0f, 0x01, 0x16	/* lgdtl %cs:gdt_pointer */
	.word	gdt_pointer - _start
	mov	%cr0, %eax
	orl	$1, %eax
	mov	%eax, %cr0
	ljmpl	$8, $protected

.code32
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$HEADER, %eax
	jmp	*%eax

.balign 8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff	/* 8: flat code */
	.quad	0x00cf92000000ffff	/* 16: flat data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

.org 511
	.byte	0			/* checksum, filled in by ramimage.py */
