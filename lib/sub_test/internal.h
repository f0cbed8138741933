/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the harness. */
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
#define SANITIZED 0 /* they want to know of stacks that are switched */
#endif

/* What stepping and calls may put back; no pointers of the test's are in it. */
struct elisa_test_attachment {
	struct elisa_test *test;
	int used;
	struct elisa_self self[ELISA_TEST_VCPUS];
	uint8_t *exchange;
	size_t exchange_size;
	uint8_t *stacks; /* one for each vCPU, or NULL */
	pthread_t hostile;
	int hostile_runs;
};

struct elisa_test {
	elisa_test_function *function;
	void (*event)(void *context, const struct elisa_event *event);
	void *event_context;
	uint32_t limit_us;
	uint64_t attachments; /* so far */
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

/* signals.c: handlers for the whole process, and this thread's stack for them. */
int signals_open(void);
void signals_close(void);
int signals_for_call(void);

/* step.c: is code of this thread being stepped, or looked at? */
int step_under_way(void);
/*
 * elisa_step_each(), with so many looks after each instruction, all from the same world; which one
 * it is.
 */
long step_rounds(void (*run)(void *context), const struct elisa_step_memory *memory, size_t count,
		 void (*stopped)(void *context, uint32_t n), void *context, uint32_t rounds);
uint32_t step_round(void);
void step_trapped(ucontext_t *at);

/* call.c: as the host does. */
struct elisa_result call_run(struct elisa_test_attachment *attachment, uint32_t vcpu,
			     const long argument[6]);
void call_aborted(struct elisa_test_attachment *attachment, uint32_t vcpu, long error, int told);

/* stacks.c */
uint8_t *stacks_new(void);
void stacks_free(uint8_t *stacks);
long stacks_call(uint8_t *stacks, uint32_t vcpu, elisa_test_function *function,
		 const long argument[6]);

#endif
