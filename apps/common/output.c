/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of texts, and the thread that writes them. The thread may be stuck in a write for ever.
 * No other thread waits for it without a limit, and it ends with the process.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES    (1u << 20) /* limit of bytes in the queue */
#define LAST_WORDS_MS 1000	 /* how long a reader may take for the last texts */

struct text {
	struct text *next;
	char *bytes;
	size_t length;
	int fd;
};

static const char *program;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects all variables below */
static pthread_cond_t changed;
static struct text *first, **last = &first;
static size_t queued; /* bytes, including the text that is being written */
static unsigned long lost;
static int failure; /* -errno of the first write to the standard output that failed */

static int write_all(const struct text *text)
{
	struct pollfd wait = {.fd = text->fd, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	while (done < text->length) {
		n = write(text->fd, text->bytes + done, text->length - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			poll(&wait, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static void say_failure(int error)
{
	dprintf(STDERR_FILENO, "%s: standard output: %s\n", program, strerrordesc_np(-error));
}

static void note_failure(int error)
{
	if (failure)
		return;
	failure = error;
	pthread_mutex_unlock(&lock);
	say_failure(error);
	pthread_mutex_lock(&lock);
}

static void *write_texts(void *unused)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct text *text = first;
		int error;

		if (!text) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		first = text->next;
		if (!first)
			last = &first;
		pthread_mutex_unlock(&lock);
		error = write_all(text);
		pthread_mutex_lock(&lock);
		if (error && text->fd == STDOUT_FILENO)
			note_failure(error);
		queued -= text->length;
		free(text->bytes);
		free(text);
		pthread_cond_broadcast(&changed);
	}
	return unused;
}

/* Opens the standard files that are closed, so that a file that is opened later does not become one
 * of them. */
static int take_closed_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			return -errno;
	return 0;
}

static void make_condition(void)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* Starts the writer. Signals go to the other threads. SIGTTOU is blocked, so it does not stop a
 * write to the terminal. */
static int start_writer(void)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, write_texts, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_detach(thread);
	return -error;
}

int output_open(const char *its_program)
{
	int error = take_closed_files();

	program = its_program;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	make_condition();
	if (!error)
		error = start_writer();
	if (error)
		fprintf(stderr, "%s: no way to write its output: %s\n", program,
			strerrordesc_np(-error));
	return error;
}

void output_text(int fd, char *bytes)
{
	struct text *text = malloc(sizeof(*text));

	pthread_mutex_lock(&lock);
	if (!text || !bytes || queued >= MOST_BYTES) {
		lost++;
		free(bytes);
		free(text);
	} else {
		*text = (struct text){.bytes = bytes, .length = strlen(bytes), .fd = fd};
		queued += text->length;
		*last = text;
		last = &text->next;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
}

void output_print(int fd, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	output_text(fd, text);
}

/* Waits until the queue is empty or the time is over. */
static bool wait_for_writer(const struct timespec *until)
{
	int error = 0;

	while (queued && !error)
		error = until ? pthread_cond_timedwait(&changed, &lock, until) :
				pthread_cond_wait(&changed, &lock);
	return !queued;
}

int output_close(int timeout_ms)
{
	struct timespec until;
	unsigned long unread;
	int result;
	bool done;

	pthread_mutex_lock(&lock);
	unread = lost;
	pthread_mutex_unlock(&lock);
	if (unread)
		output_print(STDERR_FILENO,
			     "%s: %lu reports and messages were lost: their reader is too slow\n",
			     program, unread);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	until.tv_sec += timeout_ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	done = wait_for_writer(timeout_ms < 0 ? NULL : &until);
	result = failure ? failure : done && !unread ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&lock);
	return result;
}

int output_end(int error)
{
	const int unwritten = output_close(LAST_WORDS_MS);

	return error || (unwritten && unwritten != -EPIPE && unwritten != -ETIMEDOUT);
}
