/* SPDX-License-Identifier: Apache-2.0 */
/* See uplink_process.h. The daemon passes two files without names to the process. One holds the
 * ticket as text, which the process reads at each attach. The other is memory for what the process
 * reports about the uplink. */
#include "uplink_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <rvif/elisa.h>
#include "clock.h"
#include "output.h"
#include "service.h"
#include "uplink.h"

#define PROGRAM	      "elisa-vmnet"
#define LOOK_EVERY_MS 200

/* Indexes of the process's arguments, after the program's name. */
enum {
	ARGUMENT_UPLINK = 1, /* the word WORD; it is no option, and the daemon has no operands */
	ARGUMENT_PORT,
	ARGUMENT_INTERFACE,
	ARGUMENT_BYTES,
	ARGUMENT_TICKET, /* descriptor numbers */
	ARGUMENT_SEEN,
	ARGUMENT_PARENT, /* process id */
	ARGUMENTS,
};

#define WORD "uplink"

/* -------------------------------------------------------------------------------- the daemon */

static int put_ticket(const uint8_t ticket[ELISA_TICKET_SIZE])
{
	char text[2 * ELISA_TICKET_SIZE + 2];
	int fd = memfd_create("ticket", 0);
	ssize_t n;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < ELISA_TICKET_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", ticket[i]);
	text[2 * ELISA_TICKET_SIZE] = '\n';
	n = write(fd, text, 2 * ELISA_TICKET_SIZE + 1);
	explicit_bzero(text, sizeof(text));
	if (n == 2 * ELISA_TICKET_SIZE + 1)
		return fd;
	close(fd);
	return -EIO;
}

static void *map(int fd)
{
	void *memory =
		mmap(NULL, sizeof(struct uplink_seen), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int make_seen(struct uplink_process *process)
{
	int fd = memfd_create("seen", 0);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(struct uplink_seen)) < 0 || !(process->seen = map(fd))) {
		const int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* Starts the process. posix_spawn() does not duplicate the daemon's memory, as fork() would: guests
 * write to that memory. */
static int spawn(struct uplink_process *process, const struct uplink_wish *wish, int ticket,
		 int seen)
{
	char bytes[24], files[2][12], parent[12];
	char *arguments[] = {(char *)(uintptr_t)PROGRAM,
			     (char *)(uintptr_t)WORD,
			     (char *)(uintptr_t)wish->port,
			     (char *)(uintptr_t)wish->interface,
			     bytes,
			     files[0],
			     files[1],
			     parent,
			     NULL};

	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)wish->most_bytes);
	snprintf(files[0], sizeof(files[0]), "%d", ticket);
	snprintf(files[1], sizeof(files[1]), "%d", seen);
	snprintf(parent, sizeof(parent), "%d", getpid());
	return -posix_spawn(&process->pid, "/proc/self/exe", NULL, NULL, arguments, environ);
}

static void forget(struct uplink_process *process)
{
	if (process->seen)
		munmap(process->seen, sizeof(*process->seen));
	*process = (struct uplink_process){.pid = 0};
}

int uplink_process_start(struct uplink_process *process, const struct uplink_wish *wish)
{
	int ticket = put_ticket(wish->ticket), seen = make_seen(process), error;

	error = ticket < 0 ? ticket : seen < 0 ? seen : spawn(process, wish, ticket, seen);
	if (ticket >= 0)
		close(ticket);
	if (seen >= 0)
		close(seen);
	if (error)
		forget(process);
	return error;
}

void uplink_process_end(const struct uplink_process *process, bool at_once)
{
	kill(process->pid, at_once ? SIGKILL : SIGTERM);
}

bool uplink_process_has_ended(struct uplink_process *process)
{
	if (waitpid(process->pid, NULL, WNOHANG) != process->pid)
		return false;
	forget(process);
	return true;
}

/* -------------------------------------------------------------------------------- the uplink */

static void say(char **argv, const char *text, const char *more)
{
	output_print(STDERR_FILENO, PROGRAM ": port %s: %s%s\n", argv[ARGUMENT_PORT], text, more);
}

static int failed(char **argv, const char *what, int error)
{
	const char *why = strerrordesc_np(-error), *hint = "";
	char text[128];

	if (!strcmp(what, UPLINK_VNIC))
		/* the library's own message says more */
		why = rvif_elisa_error();
	else if (error == -EPERM)
		hint = "; this needs CAP_NET_RAW";
	else if (error == -EAFNOSUPPORT)
		hint = "; its unit must allow AF_PACKET (RestrictAddressFamilies)";
	snprintf(text, sizeof(text), "uplink %s: %s: ", argv[ARGUMENT_INTERFACE], what);
	output_print(STDERR_FILENO, PROGRAM ": port %s: %s%s%s\n", argv[ARGUMENT_PORT], text, why,
		     hint);
	return output_end(-1);
}

/* Runs the uplink until a signal comes. */
static void move(struct uplink *uplink, char **argv)
{
	const char *what;

	while (!service_stop) {
		what = uplink_look(uplink, monotonic());
		if (what)
			say(argv, what, "");
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

static int live(char **argv)
{
	struct uplink_seen *seen = map(atoi(argv[ARGUMENT_SEEN]));
	struct uplink *uplink;
	const int unmapped = -errno;
	const char *what;
	char where[32];
	int error;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != atoi(argv[ARGUMENT_PARENT]))
		/* the daemon has ended already */
		return 0;
	if (!seen)
		return failed(argv, "what is seen of it", unmapped);
	service_begin();
	snprintf(where, sizeof(where), "/proc/self/fd/%d", atoi(argv[ARGUMENT_TICKET]));
	error = uplink_open(&uplink, argv[ARGUMENT_INTERFACE], &rvif_over_elisa, where,
			    strtoull(argv[ARGUMENT_BYTES], NULL, 10), seen, &what);
	if (error)
		return failed(argv, what, error);
	move(uplink, argv);
	uplink_close(uplink);
	return output_end(0);
}

bool uplink_process_is(int argc, char **argv, int *status)
{
	if (argc != ARGUMENTS || strcmp(argv[ARGUMENT_UPLINK], WORD))
		return false;
	*status = live(argv);
	return true;
}
