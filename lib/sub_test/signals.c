/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals by which a call ends or is stepped. The handlers belong to the process, and stay as
 * long as any part of the harness needs them. Each thread has a signal stack of its own, from its
 * first call until the thread ends.
 *
 * A test's framework may install handlers of its own before each test. The next call then installs
 * the harness's handlers again. A signal that does not concern the harness goes to the handler that
 * was there before.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "internal.h"

#define STACK (1u << 20)

static const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGVTALRM};

enum {
	SIGNALS = sizeof(signals) / sizeof(signals[0])
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before[SIGNALS]; /* protected by lock */
static unsigned int users;		 /* protected by lock */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t stack_key;
static int no_key;

/* Restores the earlier handler. The instruction runs again when this one returns, and raises the
 * signal for the earlier handler. */
static void not_ours(int signal)
{
	for (int i = 0; i < SIGNALS; i++)
		if (signals[i] == signal)
			sigaction(signal, &before[i], NULL);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)info;
	if (signal == SIGTRAP)
		step_trapped(context);
	else if (call_now)
		siglongjmp(call_now->out, signal);
	else if (signal != SIGVTALRM) /* the call had ended when its time was up */
		not_ours(signal);
}

static void drop_stack(void *stack)
{
	stack_t none = {.ss_flags = SS_DISABLE};

	sigaltstack(&none, NULL);
	munmap(stack, STACK);
}

static void make_key(void)
{
	no_key = pthread_key_create(&stack_key, drop_stack);
}

static int signals_of_thread(void)
{
	stack_t stack = {.ss_size = STACK};

	pthread_once(&once, make_key);
	if (no_key)
		return -ENOMEM;
	if (pthread_getspecific(stack_key))
		return 0;
	stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return -ENOMEM;
	if (sigaltstack(&stack, NULL) || pthread_setspecific(stack_key, stack.ss_sp)) {
		drop_stack(stack.ss_sp);
		return -ENOMEM;
	}
	return 0;
}

static int is_ours(int signal, struct sigaction *now)
{
	return !sigaction(signal, NULL, now) && now->sa_flags & SA_SIGINFO &&
	       now->sa_sigaction == on_signal;
}

/* The caller holds lock. */
static void install(void)
{
	const struct sigaction action = {.sa_sigaction = on_signal,
					 .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	struct sigaction now;

	for (int i = 0; i < SIGNALS; i++)
		if (!is_ours(signals[i], &now)) {
			before[i] = now;
			sigaction(signals[i], &action, NULL);
		}
}

int signals_open(void)
{
	int error;

	pthread_mutex_lock(&lock);
	users++;
	install();
	pthread_mutex_unlock(&lock);
	error = signals_of_thread();
	if (error)
		signals_close();
	return error;
}

int signals_for_call(void)
{
	struct sigaction now;

	if (!is_ours(SIGSEGV, &now)) {
		pthread_mutex_lock(&lock);
		install();
		pthread_mutex_unlock(&lock);
	}
	return signals_of_thread();
}

void signals_close(void)
{
	struct sigaction now;

	pthread_mutex_lock(&lock);
	if (!--users)
		for (int i = 0; i < SIGNALS; i++)
			if (is_ours(signals[i], &now))
				sigaction(signals[i], &before[i], NULL);
	pthread_mutex_unlock(&lock);
}
