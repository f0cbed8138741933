/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A harness for the code of exports, in a process without a VM: pkg-config libelisa-sub-test. The
 * function is compiled with ELISA_NATIVE, which pkg-config's flags define, and linked into the
 * test. The test calls it as guests do: by several attachments, each with vCPUs. The vCPUs are
 * threads of the test, or one thread plays them in turn.
 *
 * As in a sub context, a call may end at any instruction. Here it ends by a fault, by its time
 * limit, by a stack overflow, or because the test wants it so. The stack is as small as in a sub
 * context. elisa_test_abandon() runs a call one instruction at a time. After each instruction it
 * shows the test a world in which the caller never continued. Like the host, the harness counts the
 * abort, and gives the event to the test's manager.
 *
 *     elisa_test_new(entry_function, &test);
 *     elisa_test_memory(test, &table, sizeof(table));
 *     elisa_test_manager(test, manager_event, NULL);
 *     elisa_test_attach(test, 0, 4096, &guest);
 *     n = elisa_test_abandon(guest, 0, (const long[6]){PUT, 1, 64}, stopped, NULL, NULL);
 *
 * Functions return 0 (or a count) or -errno. No function prints, exits or asserts. A test may leave
 * a callback by longjmp, as assertions do, if the test then ends.
 */
#ifndef ELISA_SUB_TEST_H
#define ELISA_SUB_TEST_H

#include <elisa/elisa.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------ an export */

#define ELISA_TEST_PLACES 16u
#define ELISA_TEST_VCPUS  16u /* vCPUs of an attachment */
#define ELISA_TEST_PARTS  16u

struct elisa_test;	      /* an export, and its attachments */
struct elisa_test_attachment; /* an attachment of a guest */

typedef long elisa_test_function(long a0, long a1, long a2, long a3, long a4, long a5);

/*
 * Makes an export with this entry function. A process may have one export at a time. Until
 * elisa_test_free(), the harness has handlers for SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE and
 * SIGVTALRM. *made: out. Errors: -EBUSY (there is one), -ENOMEM.
 */
int elisa_test_new(elisa_test_function *function, struct elisa_test **made);

/* Ends the export and its attachments. NULL is allowed. */
void elisa_test_free(struct elisa_test *test);

/* Declares memory of the object, which the function writes: up to ELISA_TEST_PARTS pieces. Errors:
 * -ENOSPC. */
int elisa_test_memory(struct elisa_test *test, void *at, size_t size);

/* Sets the manager: event(context, e) is called for each event that a manager gets, in the thread
 * that causes it. */
void elisa_test_manager(struct elisa_test *test,
			void (*event)(void *context, const struct elisa_event *event),
			void *context);

/* Limits the run time of each call from now on, in microseconds; 0: no limit. A call that is
 * stepped has none. */
void elisa_test_limit(struct elisa_test *test, uint32_t limit_us);

/* Returns how often the function has rung this place. */
uint64_t elisa_test_rings(const struct elisa_test *test, uint32_t place);

/*
 * Makes an attachment at a place, which is below ELISA_TEST_PLACES or ELISA_NO_PLACE. exchange:
 * bytes of its exchange buffer, rounded up to pages, between inaccessible pages; 0: none. *made:
 * out. Errors: -EBUSY (the place is taken), -ENOSPC (as many as there are places), -EINVAL,
 * -ENOMEM.
 */
int elisa_test_attach(struct elisa_test *test, uint32_t place, size_t exchange,
		      struct elisa_test_attachment **made);

/* Ends the attachment. None of its vCPUs may be in a call. */
void elisa_test_detach(struct elisa_test_attachment *attachment);

/* Return the attachment's number, as in events, and its exchange buffer. */
uint64_t elisa_test_number(const struct elisa_test_attachment *attachment);
void *elisa_test_exchange(struct elisa_test_attachment *attachment);

/*
 * Starts (1) or stops (0) a thread that writes random bytes to the exchange buffer all the time.
 * Errors: -EAGAIN.
 */
int elisa_test_hostile(struct elisa_test_attachment *attachment, int on);

/*
 * Calls the function as a vCPU, on the calling thread. A vCPU is in one call at a time. The
 * result's error is as in a VM: ELISA_CALL_FAULT, ELISA_CALL_TIMEOUT, ...
 */
struct elisa_result elisa_test_call(struct elisa_test_attachment *attachment, uint32_t vcpu,
				    long a0, long a1, long a2, long a3, long a4, long a5);

/*
 * Makes a call and stops it after each instruction. After instruction n it calls stopped(context,
 * n, told) twice. told is 1 if the manager has had its event. It is 0 if not, so that the caller's
 * own next call is the first to learn of the abort.
 *
 * The harness then undoes what stopped() did with the export: all memory of elisa_test_memory(),
 * exchange buffers, attachments' state. stopped() may stop calls itself. result, if not NULL: the
 * result of the call, which ends normally at last. Returns the number of instructions. Errors:
 * -ENOMEM.
 */
long elisa_test_abandon(struct elisa_test_attachment *attachment, uint32_t vcpu,
			const long argument[6],
			void (*stopped)(void *context, uint32_t n, int told), void *context,
			struct elisa_result *result);

/* -------------------------------------------------------------------------- single steps */

/* The functions below need no export. They run any code one instruction at a time, by the CPU's
 * trap flag. */

struct elisa_step_memory {
	void *at;
	size_t size;
};

/*
 * Runs run(context) to its end. After each instruction n it calls stopped(context, n), and then
 * puts all of these pieces of memory back to what they were. Returns the number of instructions.
 * Errors: -ENOMEM.
 */
long elisa_step_each(void (*run)(void *context), const struct elisa_step_memory *memory,
		     size_t count, void (*stopped)(void *context, uint32_t n), void *context);

/*
 * Runs run(context) to its end. After `instructions` instructions it calls disturb(context) once.
 * Returns 1, or 0 if the run ended before. Errors: -ENOMEM.
 */
int elisa_step_once(void (*run)(void *context), uint32_t instructions,
		    void (*disturb)(void *context), void *context);

#ifdef __cplusplus
}
#endif

#endif
