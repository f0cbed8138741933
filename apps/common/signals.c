/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that end a program in order. No signal but SIGKILL may leave a vNIC or an interface
 * behind. */
#include "signals.h"

#include <stddef.h>

static int is_ignored(int signal)
{
	struct sigaction now;

	return !sigaction(signal, NULL, &now) && now.sa_handler == SIG_IGN;
}

void signals_that_end(sigset_t *set)
{
	static const int signals[] = {
		SIGINT,	 SIGQUIT, SIGTERM,   SIGUSR1, SIGUSR2, SIGALRM,
		SIGPOLL, SIGXCPU, SIGVTALRM, SIGPROF, SIGPWR,  SIGSTKFLT,
	};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(set, signals[i]);
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		sigaddset(set, signal);
	if (!is_ignored(SIGHUP))
		sigaddset(set, SIGHUP);
}

void signals_catch(void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler};
	sigset_t set;

	signals_that_end(&set);
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		if (sigismember(&set, signal) == 1)
			sigaction(signal, &action, NULL);
}
