/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the harness share. */
#ifndef SUB_TEST_INTERNAL_H
#define SUB_TEST_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>
#include <elisa/sub_test.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0 /* sanitizers must be told of stack switches */
#endif

/* State that stepping and calls may put back. It holds no pointers of the test's. */
struct elisa_test_attachment {
	struct elisa_test *test;
	int used;
	struct elisa_self self[ELISA_TEST_VCPUS];
	uint8_t *exchange;
	size_t exchange_size;
	uint8_t *stacks; /* one stack for each vCPU, or NULL */
	pthread_t hostile;
	int hostile_runs;
};

struct elisa_test {
	elisa_test_function *function;
	void (*event)(void *context, const struct elisa_event *event);
	void *event_context;
	uint32_t limit_us;
	uint64_t attachments; /* made so far */
	uint64_t rings[ELISA_TEST_PLACES];
	struct elisa_test_attachment attachment[ELISA_TEST_PLACES];
	struct elisa_step_memory part[ELISA_TEST_PARTS];
	size_t parts;
};

/* A call that is under way on this thread. */
struct call {
	sigjmp_buf out;
	struct elisa_test_attachment *attachment;
	uint32_t vcpu;
};

extern __thread struct call *call_now;

/* signals.c: the handlers of the process, and this thread's signal stack. */
int signals_open(void);
void signals_close(void);
int signals_for_call(void);

/* step.c: tells whether code of this thread is being stepped, or a callback looks at it. */
int step_under_way(void);
/*
 * Works as elisa_step_each(), but calls `stopped` `rounds` times after each instruction, each time
 * with the same memory. step_round() returns the number of the present call, from 0.
 */
long step_rounds(void (*run)(void *context), const struct elisa_step_memory *memory, size_t count,
		 void (*stopped)(void *context, uint32_t n), void *context, uint32_t rounds);
uint32_t step_round(void);
void step_trapped(ucontext_t *at);

/* call.c: what the host does in a VM. */
struct elisa_result call_run(struct elisa_test_attachment *attachment, uint32_t vcpu,
			     const long argument[6]);
void call_aborted(struct elisa_test_attachment *attachment, uint32_t vcpu, long error, int told);

/* stacks.c */
uint8_t *stacks_new(void);
void stacks_free(uint8_t *stacks);
long stacks_call(uint8_t *stacks, uint32_t vcpu, elisa_test_function *function,
		 const long argument[6]);

#endif
