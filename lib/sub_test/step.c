/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single steps. The trap flag makes the CPU raise SIGTRAP after each instruction. The handler runs
 * on the thread's signal stack, so that a callback has room, and the stepped code's own stack stays
 * as it is. The kernel clears the flag for the handler, and sets it again at its return.
 *
 * A callback may step other code. That runs on the signal stack, where it is called. Its traps find
 * the stack in use and go on below: `now` is the innermost of the runs.
 */
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include "internal.h"

#define TRAP_FLAG 0x100

struct step {
	struct step *outer;
	const struct elisa_step_memory *memory;
	size_t count;
	uint8_t *copy;
	uint32_t instructions, disturb_at;
	uint32_t rounds, round; /* looks at one instruction */
	int looking;		/* the callback runs */
	void (*stopped)(void *context, uint32_t n);
	void (*disturb)(void *context);
	void *context;
};

static __thread struct step *now;

int step_under_way(void)
{
	return now != NULL;
}

uint32_t step_round(void)
{
	return now->round;
}

static void save(const struct step *step)
{
	uint8_t *at = step->copy;

	for (size_t i = 0; i < step->count; at += step->memory[i++].size)
		memcpy(at, step->memory[i].at, step->memory[i].size);
}

static void restore(const struct step *step)
{
	const uint8_t *at = step->copy;

	for (size_t i = 0; i < step->count; at += step->memory[i++].size)
		memcpy(step->memory[i].at, at, step->memory[i].size);
}

void step_trapped(ucontext_t *at)
{
	struct step *step = now;

	if (!step || step->looking)
		return;
	step->instructions++;
	step->looking = 1;
	if (step->stopped) {
		save(step);
		for (step->round = 0; step->round < step->rounds; step->round++) {
			step->stopped(step->context, step->instructions);
			restore(step);
		}
	} else if (step->instructions == step->disturb_at) {
		step->disturb(step->context);
		at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG; /* the rest in one go */
	}
	step->looking = 0;
}

/* The compiler may keep something in the 128 bytes below RSP. */
static void trap(int on)
{
	if (on)
		__asm__ volatile("sub $128, %%rsp; pushfq; orq %0, (%%rsp); popfq; add $128, %%rsp"
				 :
				 : "i"(TRAP_FLAG)
				 : "memory", "cc");
	else
		__asm__ volatile("sub $128, %%rsp; pushfq; andq %0, (%%rsp); popfq; add $128, %%rsp"
				 :
				 : "i"(~TRAP_FLAG)
				 : "memory", "cc");
}

static int run_stepped(struct step *step, void (*run)(void *context))
{
	const int error = signals_open();

	if (error)
		return error;
	step->outer = now;
	now = step;
	trap(1);
	run(step->context);
	trap(0);
	now = step->outer;
	signals_close();
	return 0;
}

long step_rounds(void (*run)(void *context), const struct elisa_step_memory *memory, size_t count,
		 void (*stopped)(void *context, uint32_t n), void *context, uint32_t rounds)
{
	struct step step = {.memory = memory,
			    .count = count,
			    .stopped = stopped,
			    .context = context,
			    .rounds = rounds};
	size_t size = 1;
	int error;

	for (size_t i = 0; i < count; i++)
		size += memory[i].size;
	step.copy = malloc(size);
	if (!step.copy)
		return -ENOMEM;
	error = run_stepped(&step, run);
	free(step.copy);
	return error ? error : (long)step.instructions;
}

long elisa_step_each(void (*run)(void *context), const struct elisa_step_memory *memory,
		     size_t count, void (*stopped)(void *context, uint32_t n), void *context)
{
	return step_rounds(run, memory, count, stopped, context, 1);
}

int elisa_step_once(void (*run)(void *context), uint32_t instructions,
		    void (*disturb)(void *context), void *context)
{
	struct step step = {.disturb_at = instructions, .disturb = disturb, .context = context};
	const int error = run_stepped(&step, run);

	return error ? error : step.instructions >= instructions;
}
