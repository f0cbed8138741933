/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <signal.h>
#include <time.h>

#define EVERY_NS 10000000

static void on_interrupt(int number)
{
	(void)number;
}

int interrupt_start(pthread_t *thread, void *(*work)(void *), void *argument)
{
	const struct sigaction action = {.sa_handler = on_interrupt};
	sigset_t others, before;
	int error;

	sigaction(SIGURG, &action, NULL);
	sigfillset(&others);
	sigdelset(&others, SIGURG);
	pthread_sigmask(SIG_SETMASK, &others, &before);
	error = pthread_create(thread, NULL, work, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

/* Signals again and again, because the thread may check whether it must end, and fall asleep just
 * after that. */
void interrupt_join(pthread_t thread)
{
	struct timespec until;

	do {
		pthread_kill(thread, SIGURG);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += EVERY_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(thread, NULL, &until));
}
