/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in the sub context; some of it misbehaves on purpose. */
#include <elisa/function.h>
#include "function.h"

static long counter;
static const long values[3] = {10, 20, 30};
/* needs relocation: pointers inside an object hold in every attachment */
static const long *const table[3] = {&values[0], &values[1], &values[2]};

static long sum(unsigned long offset, unsigned long count)
{
	unsigned char *bytes = elisa_exchange(offset, count);
	long all = 0;

	if (!bytes || !count)
		return -1;
	for (unsigned long i = 0; i < count; i++)
		all += bytes[i];
	bytes[0] = (unsigned char)all;
	return all;
}

static long clobber(void)
{
	__asm__ volatile("mov $0x666, %ebx\n\tmov %rbx, %rbp\n\tmov %rbx, %r12\n\t"
			 "mov %rbx, %r13\n\tmov %rbx, %r14\n\tmov %rbx, %r15\n\tstd\n\t"
			 "mov $5, %eax\n\tret");
	__builtin_unreachable();
}

long entry_function(long what, long a, long b, long c, long d, long e)
{
	switch (what) {
	case E2E_ADD:
		return a + b + c + d + e;
	case E2E_COUNT:
		return __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	case E2E_SPIN:
		for (;;)
			__asm__ volatile("");
	case E2E_FAULT:
		return *(volatile long *)a;
	case E2E_SUM:
		return sum((unsigned long)a, (unsigned long)b);
	case E2E_TABLE:
		return a >= 0 && a < 3 ? *table[a] : -1;
	case E2E_CLOBBER:
		return clobber();
	}
	return -1;
}
