/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one program of the self-test: starts it, watches it, and ends it. Only the end of its output
 * is kept. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "selftest.h"
#include "signals.h"

#define MOST_SECONDS 120
#define TOO_LONG     124

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

void selftest_catch_signals(void)
{
	signals_catch(on_signal);
}

bool selftest_stopped(void)
{
	return stopped;
}

static void keep_tail(struct selftest_outcome *outcome, const char *more, size_t size)
{
	size_t have = strlen(outcome->output), drop;

	for (size_t i = 0; i < size; i++) {
		if (have == SELFTEST_TAIL) {
			drop = SELFTEST_TAIL / 2;
			memmove(outcome->output, outcome->output + drop, have - drop);
			have -= drop;
		}
		/* the output goes into JSON, which is UTF-8, and onto a terminal */
		outcome->output[have++] =
			more[i] == '\n' || (more[i] >= ' ' && more[i] <= '~') ? more[i] : '?';
	}
	outcome->output[have] = 0;
}

static _Noreturn void be_program(const char *const arguments[], int output)
{
	/* execv() takes its strings without const, but does not change them */
	union {
		const char *const *from;
		char *const *to;
	} argv = {.from = arguments};

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(arguments[0], argv.to);
	dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerrordesc_np(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Watches until the program has ended and its output is read. Returns false if a signal came, or it
 * took too long. A process that the program left behind may keep the pipe open, so the end of the
 * output is no sign of the program's end. */
static bool watch(int process, int output, double end, struct selftest_outcome *outcome)
{
	struct pollfd ready[] = {{.fd = output, .events = POLLIN},
				 {.fd = process, .events = POLLIN}};
	char buffer[4096];
	ssize_t got;
	double left;

	while (!stopped && (left = end - monotonic()) > 0) {
		if (poll(ready, 2, (int)(1000 * left) + 1) <= 0)
			continue;
		if (ready[0].revents) {
			got = read(output, buffer, sizeof(buffer));
			if (got > 0)
				keep_tail(outcome, buffer, (size_t)got);
			else
				ready[0].fd = -1;
		} else if (ready[1].revents) {
			return true;
		}
	}
	return false;
}

static enum selftest_verdict verdict_of(int status)
{
	if (!status)
		return SELFTEST_OK;
	return status == SELFTEST_NOT_AVAILABLE ? SELFTEST_UNAVAILABLE : SELFTEST_FAILED;
}

static void run_started(pid_t pid, int output, double end, struct selftest_outcome *outcome)
{
	const int process = (int)syscall(SYS_pidfd_open, pid, 0);
	const bool ended = process >= 0 && watch(process, output, end, outcome);
	int status = 0;

	/* this includes processes that it left behind; an ended process keeps its number until
	 * waitpid() */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!ended)
		outcome->status = TOO_LONG;
	else
		outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (process >= 0)
		close(process);
}

void selftest_run(const char *const arguments[], struct selftest_outcome *outcome)
{
	const double began = monotonic();
	int pipes[2];
	pid_t pid;

	*outcome = (struct selftest_outcome){.status = 126};
	if (pipe(pipes)) {
		outcome->verdict = SELFTEST_FAILED;
		return;
	}
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		be_program(arguments, pipes[1]);
	}
	close(pipes[1]);
	if (pid > 0) {
		setpgid(pid, pid);
		run_started(pid, pipes[0], began + MOST_SECONDS, outcome);
	}
	close(pipes[0]);
	outcome->verdict = verdict_of(outcome->status);
	outcome->seconds = monotonic() - began;
}
