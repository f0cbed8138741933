/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call wrapper with a stub that uses all that the register contract permits.
 *
 * The stub changes all registers but RSP and RBP, and writes to the stack below RSP. The failure
 * would be a compiler that keeps a value where the stub writes. So the test is built at several
 * levels of optimization.
 */
#include <signal.h>
#include <string.h>
#include <unwind.h>
#include "test.h"
#include <elisa/elisa.h>

/* rdi, rsi, rdx, r10, r8, r9 and the stack pointer, as the stub saw them. */
long stub_seen[7];

void stub(void);
void stub_general(void);
void stub_interrupted(void);

__asm__(".pushsection .text\n"
	".type stub_general, @function\n"
	"stub_general:\n"
	"	mov %rdi, stub_seen(%rip)\n"
	"	mov %rsi, stub_seen + 8(%rip)\n"
	"	mov %rdx, stub_seen + 16(%rip)\n"
	"	mov %r10, stub_seen + 24(%rip)\n"
	"	mov %r8, stub_seen + 32(%rip)\n"
	"	mov %r9, stub_seen + 40(%rip)\n"
	"	mov %rsp, stub_seen + 48(%rip)\n"
	"	mov %rdi, %rax\n"
	"	sub %rsi, %rax\n" /* the result: first argument less the second */
	"	push %rbp\n"	  /* below the stack pointer: 64 words */
	"	mov $64, %ecx\n"
	"1:	push $-1\n"
	"	loop 1b\n"
	"	add $512, %rsp\n"
	"	pop %rbp\n"
	"	mov $-1, %rbx\n"
	"	mov $-1, %rcx\n"
	"	mov $-1, %rsi\n"
	"	mov $-1, %rdi\n"
	"	mov $-1, %r8\n"
	"	mov $-1, %r9\n"
	"	mov $-1, %r10\n"
	"	mov $-1, %r11\n"
	"	mov $-1, %r12\n"
	"	mov $-1, %r13\n"
	"	mov $-1, %r14\n"
	"	mov $-1, %r15\n"
	"	mov stub_error(%rip), %rdx\n"
	"	ret\n"
	".size stub_general, . - stub_general\n"
	".type stub, @function\n"
	"stub:\n"
	"	fninit\n"
	"	pcmpeqd %xmm0, %xmm0\n"
	"	movdqa %xmm0, %xmm1\n"
	"	movdqa %xmm0, %xmm2\n"
	"	movdqa %xmm0, %xmm3\n"
	"	movdqa %xmm0, %xmm4\n"
	"	movdqa %xmm0, %xmm5\n"
	"	movdqa %xmm0, %xmm6\n"
	"	movdqa %xmm0, %xmm7\n"
	"	movdqa %xmm0, %xmm8\n"
	"	movdqa %xmm0, %xmm9\n"
	"	movdqa %xmm0, %xmm10\n"
	"	movdqa %xmm0, %xmm11\n"
	"	movdqa %xmm0, %xmm12\n"
	"	movdqa %xmm0, %xmm13\n"
	"	movdqa %xmm0, %xmm14\n"
	"	movdqa %xmm0, %xmm15\n"
	"	jmp stub_general\n"
	".size stub, . - stub\n"
	".type stub_interrupted, @function\n"
	"stub_interrupted:\n"
	"	.cfi_startproc\n"
	"	int3\n"
	"	xor %edx, %edx\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size stub_interrupted, . - stub_interrupted\n"
	".popsection\n");

long stub_error;

typedef struct elisa_result call_function(const struct elisa_attachment *, long, long, long, long,
					  long, long);

static struct elisa_attachment to(void (*address)(void))
{
	struct elisa_attachment attachment = {.call = (uint64_t)(uintptr_t)address};

	stub_error = 0;
	memset(stub_seen, 0, sizeof(stub_seen));
	return attachment;
}

static void check_seen(long first)
{
	for (long i = 0; i < 6; i++)
		assert_int_equal(stub_seen[i], first + i * 0x1111111111111111);
}

static void arguments_and_result_arrive(void **state)
{
	struct elisa_attachment attachment = to(stub);
	struct elisa_result result = elisa_call(&attachment, 1, 0x1111111111111112,
						0x2222222222222223, 0x3333333333333334,
						0x4444444444444445, 0x5555555555555556);

	(void)state;
	check_seen(1);
	assert_int_equal(result.value, 1 - 0x1111111111111112);
	assert_int_equal(result.error, 0);
}

static void function_and_general_pass_the_same(void **state)
{
	struct elisa_attachment attachment = to(stub);
	call_function *volatile out_of_line = elisa_call_c;
	struct elisa_result result = out_of_line(&attachment, 2, 0x1111111111111113,
						 0x2222222222222224, 0x3333333333333335,
						 0x4444444444444446, 0x5555555555555557);

	(void)state;
	check_seen(2);
	assert_int_equal(result.value, 2 - 0x1111111111111113);

	attachment = to(stub_general);
	result = elisa_call_general(&attachment, 3, 0x1111111111111114, 0x2222222222222225,
				    0x3333333333333336, 0x4444444444444447, 0x5555555555555558);
	check_seen(3);
	assert_int_equal(result.error, 0);
}

static void errors_are_apart_from_results(void **state)
{
	struct elisa_attachment attachment = to(stub);
	struct elisa_result result;

	(void)state;
	/* A result that looks like an error is no error. */
	result = elisa_call(&attachment, 0, 1, 0, 0, 0, 0);
	assert_int_equal(result.value, -1);
	assert_int_equal(result.error, ELISA_CALL_OK);

	stub_error = ELISA_CALL_TIMEOUT;
	result = elisa_call(&attachment, 0, 0, 0, 0, 0, 0);
	assert_int_equal(result.value, 0);
	assert_int_equal(result.error, ELISA_CALL_TIMEOUT);
	result = elisa_call_c(&attachment, 0, 0, 0, 0, 0, 0);
	assert_int_equal(result.error, ELISA_CALL_TIMEOUT);
}

/* A leaf function: the compiler keeps values in the red zone for which it has no register. */
static __attribute__((noinline)) long leaf(const struct elisa_attachment *attachment,
					   const volatile long *in)
{
	long a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5], g = in[6], h = in[7],
	     i = in[8], j = in[9], k = in[10], l = in[11], m = in[12], n = in[13], o = in[14],
	     p = in[15];
	struct elisa_result result = elisa_call(attachment, a, b, c, d, e, f);

	return result.value + a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i +
	       10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o + 16 * p;
}

static void red_zone_and_registers_hold(void **state)
{
	struct elisa_attachment attachment = to(stub);
	volatile long in[16];
	long expected;

	(void)state;
	for (int i = 0; i < 16; i++)
		in[i] = i * i + 1000;
	expected = in[0] - in[1];
	for (int i = 0; i < 16; i++)
		expected += (i + 1) * in[i];
	assert_int_equal(leaf(&attachment, in), expected);
}

static __attribute__((noinline)) double vectors(const struct elisa_attachment *attachment,
						const volatile double *in)
{
	double a = in[0] * 2, b = in[1] * 3, c = in[2] * 5, d = in[3] * 7;
	long double x = (long double)in[0] * 11;
	struct elisa_result result = elisa_call(attachment, 4, 3, 0, 0, 0, 0);

	return a + b + c + d + (double)x + (double)result.value;
}

static __attribute__((noinline)) double general(const struct elisa_attachment *attachment,
						const volatile double *in)
{
	double a = in[0] * 2, b = in[1] * 3, c = in[2] * 5, d = in[3] * 7;
	long double x = (long double)in[0] * 11;
	struct elisa_result result = elisa_call_general(attachment, 4, 3, 0, 0, 0, 0);

	return a + b + c + d + (double)x + (double)result.value;
}

static void vector_registers_hold(void **state)
{
	static const volatile double in[4] = {1.5, 2.5, 3.5, 4.5};
	struct elisa_attachment attachment = to(stub);
	double expected = 1.5 * 2 + 2.5 * 3 + 3.5 * 5 + 4.5 * 7 + 1.5 * 11 + 1;

	(void)state;
	assert_true(vectors(&attachment, in) == expected);
	attachment = to(stub_general);
	assert_true(general(&attachment, in) == expected);
}

static void loops_hold(void **state)
{
	struct elisa_attachment attachment = to(stub);
	long sum = 0;

	(void)state;
	for (long i = 0; i < 10000; i++) {
		struct elisa_result result = elisa_call(&attachment, 3 * i, i, 0, 0, 0, i);

		assert_int_equal(result.error, 0);
		sum += result.value;
	}
	assert_int_equal(sum, 99990000);
}

/* ---- what a profiler sees that interrupts a call */

#define FRAMES 64
static uintptr_t frames[FRAMES], back_in_outer, back_in_test;
static int frame_count;

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	if (frame_count == FRAMES)
		return _URC_END_OF_STACK;
	frames[frame_count++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static void on_interrupt(int number)
{
	(void)number;
	_Unwind_Backtrace(note_frame, NULL);
}

/*
 * Without a frame pointer, this function would find its frame by the stack pointer, which the call
 * moves.
 */
static __attribute__((noinline)) long inner(const struct elisa_attachment *attachment, long a)
{
	struct elisa_result result = elisa_call(attachment, a, 2, 3, 4, 5, 6);

	back_in_outer = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
	return result.error + a;
}

static __attribute__((noinline)) long outer(const struct elisa_attachment *attachment, long a)
{
	back_in_test = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
	return inner(attachment, a + 1) + a;
}

static void a_profiler_finds_the_callers(void **state)
{
	struct elisa_attachment attachment = to(stub_interrupted);
	const struct sigaction action = {.sa_handler = on_interrupt};
	int i;

	(void)state;
	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	assert_int_equal(outer(&attachment, 1), 3);
	for (i = 0; i < frame_count && frames[i] != back_in_outer; i++)
		;
	assert_true(i + 1 < frame_count);
	assert_true(frames[i + 1] == back_in_test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_and_result_arrive),
		cmocka_unit_test(function_and_general_pass_the_same),
		cmocka_unit_test(errors_are_apart_from_results),
		cmocka_unit_test(red_zone_and_registers_hold),
		cmocka_unit_test(vector_registers_hold),
		cmocka_unit_test(loops_hold),
		cmocka_unit_test(a_profiler_finds_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
