/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's code, and inputs that its fuzzer has found, for the tests of the network. */
	.section .rodata
	.globl switch_image, switch_image_end, corpus, corpus_end
	.balign 8
switch_image:
	.incbin SWITCH_IMAGE
switch_image_end:
corpus:
	.incbin CORPUS
corpus_end:
	.section .note.GNU-stack, "", @progbits
