/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call of a driver's stub as inline assembly, for the headers that have one. Macros only:
 * <libelisa.h> must not bring other names into a program than the research prototype's did.
 */
#ifndef ELISA_CALL_H
#define ELISA_CALL_H

/*
 * The stub's register contract: arguments are in RDI, RSI, RDX, R10, R8 and R9, the result is in
 * RAX and RDX. RSP, RBP and DF=0 are preserved, all other registers may change. The stub runs on
 * the caller's stack, so the call first steps over the caller's red zone: two instructions of four
 * bytes.
 */
#define ELISA_CALL_ASM "add $-128, %%rsp\n\tcall *%%rax\n\tsub $-128, %%rsp"
#define ELISA_CALL_OPERANDS(value, error, a0, a1, r10, r8, r9) \
	"+a"(value), "+d"(error), "+D"(a0), "+S"(a1), "+r"(r10), "+r"(r8), "+r"(r9)
#define ELISA_CALL_CLOBBERS "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "cc", "memory"
#define ELISA_CALL_VECTORS                                                                         \
	"st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "mm0", "mm1", "mm2",  \
		"mm3", "mm4", "mm5", "mm6", "mm7", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", \
		"xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",       \
		"xmm15"

/*
 * Gives a frame pointer to the function that contains the call. Unwinders need the frame during the
 * call, and cannot find it by RSP, which moves. .cfi directives here could not know by which
 * register the compiler finds the frame.
 */
#define ELISA_CALL_FRAME() __asm__("" : : "X"(__builtin_frame_address(0)))

/* value is the stub's address, then the result; error is the third argument, then RDX. Last: what
 * may change. */
#define ELISA_CALL_STUB(value, error, a0, a1, a3, a4, a5, ...)                               \
	do {                                                                                 \
		register long r10_ __asm__("r10") = a3;                                      \
		register long r8_ __asm__("r8") = a4;                                        \
		register long r9_ __asm__("r9") = a5;                                        \
                                                                                             \
		ELISA_CALL_FRAME();                                                          \
		__asm__ volatile(ELISA_CALL_ASM                                              \
				 : ELISA_CALL_OPERANDS(value, error, a0, a1, r10_, r8_, r9_) \
				 :                                                           \
				 : __VA_ARGS__);                                             \
	} while (0)
#ifdef __AVX512F__
#define ELISA_CALL_WIDE_VECTORS                                                                  \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",       \
		"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", \
		"k3", "k4", "k5", "k6", "k7"
#else
#define ELISA_CALL_WIDE_VECTORS
#endif

#endif
