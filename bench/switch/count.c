/* SPDX-License-Identifier: Apache-2.0 */
/* Each instruction ends in a SIGTRAP while the flag is set. The kernel clears the flag in the
 * handler. */
#include <signal.h>
#include <stddef.h>
#include "count.h"

#define TRAP_FLAG 0x100l

static volatile uint64_t steps;

static void on_trap(int number)
{
	(void)number;
	steps++;
}

/* Sets or clears the flag, below the red zone. */
static inline __attribute__((always_inline)) void set_flag(long keep, long add)
{
	__asm__ volatile(
		"sub $128, %%rsp\n\tpushfq\n\tandq %0, (%%rsp)\n\torq %1, (%%rsp)\n\tpopfq\n\t"
		"add $128, %%rsp"
		:
		: "r"(keep), "r"(add)
		: "memory", "cc");
}

void count_begin(void)
{
	const struct sigaction action = {.sa_handler = on_trap};

	sigaction(SIGTRAP, &action, NULL);
	set_flag(-1, TRAP_FLAG);
}

void count_end(void)
{
	set_flag(~TRAP_FLAG, 0);
}

uint64_t count_steps(void)
{
	return steps;
}
