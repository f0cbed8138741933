/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single steps. The trap flag makes the CPU raise SIGTRAP after each instruction. The handler runs
 * on the thread's signal stack, so a callback has room, and the stack of the stepped code stays as
 * it is. The kernel clears the flag for the handler, and sets it again when the handler returns.
 *
 * A callback may step other code. That code runs on the signal stack, as the callback does. The
 * kernel then finds the signal stack in use, and puts the frame of a trap below. `now` is the
 * innermost of the runs.
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
	uint32_t rounds, round; /* callbacks for one instruction, and the present one */
	int looking;		/* the callback is running */
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
		at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG; /* run the rest without stepping */
	}
	step->looking = 0;
}

/* Sets or clears the trap flag. The compiler may use the 128 bytes below RSP (the red zone), so the
 * asm skips them. */
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
