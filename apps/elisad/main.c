/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisad: grants VMs what the rules in /etc/elisa/grants.d give them, when they first ask, and logs
 * to the journal what happens. It sleeps until the module reports something, or a signal comes.
 *
 * It has two files of the module open. The file for VMs that ask holds nothing else, so other
 * events of VMs cannot take its room.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>
#include <unistd.h>
#include "audit.h"
#include "module.h"
#include "options.h"
#include "output.h"
#include "ready.h"
#include "reconcile.h"
#include "service.h"
#include "signals.h"
#include "state.h"

#define BATCH	  32
#define BATCHES	  8
#define BIT(kind) (1u << ELISA_HOST_EVENT_##kind)

struct options {
	const char *rules, *device, *run;
	bool quiet;
	int ready_fd;
};

static const struct program_option known[] = {
	OPTION_TEXT("rules", "DIR", "a folder", rules, "the rules (default " RULES_DIRECTORY ")"),
	OPTION_TEXT("run", "DIR", "a folder", run,
		    "folder of its lock and its state (default " STATE_DIRECTORY ")"),
	OPTION_TEXT("device", "PATH", "a file", device, "the module's device (default /dev/elisa)"),
	OPTION_FLAG("no-audit", quiet, "report grants only, not what VMs do"),
	OPTION_READY_FD(ready_fd),
};

static const struct program program = {
	.name = "elisad",
	.before = "Usage: elisad [OPTION]...\n"
		  "\n"
		  "Grants VMs what the rules give them, when they ask; see elisa-grants.d(5).\n"
		  "Reads the rules again on SIGHUP or elisactl policy apply.\n"
		  "\n",
	.after = "Exit status: 0 ended by a signal; 1 failed; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

struct daemon {
	const struct options *options;
	struct reconcile_host host; /* its file is the one for VMs that ask */
	struct rules rules;
	struct state state;
	int audit; /* the other file, or -1 */
	int about; /* the process that has asked; 0: all VMs are being checked */
};

static struct daemon d;

static int failed(const char *what, int error)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: %s", what, strerrordesc_np(error));
	audit_say(LOG_ERR, text);
	return -1;
}

/* Logs a line about a VM. Changes that an administrator's new rules cause are logged without a
 * limit. */
static void say_of_vm(int priority, const char *what)
{
	if (d.about)
		audit_say_of(priority, d.about, what);
	else
		audit_say(priority, what);
}

/* Logs a mistake in the rules. The first one is kept for elisactl. */
static void say_wrong(const char *what)
{
	audit_say(LOG_ERR, what);
	if (!d.state.error[0])
		snprintf(d.state.error, sizeof(d.state.error), "%s", what);
}

static int watch(uint32_t kinds, uint32_t flags)
{
	struct elisa_host_watch in = {
		.kinds = kinds, .size = sizeof(struct elisa_host_event), .flags = flags};
	const int fd = open(d.options->device, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && !ioctl(fd, ELISA_HOST_IOC_WATCH, &in))
		return fd;
	failed(d.options->device, errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Reads the rules. If all of them are good, they take effect; otherwise the earlier ones stay. */
static int load(void)
{
	struct rules rules;
	char text[256];
	int error;

	d.state.error[0] = 0;
	d.state.loads++;
	error = rules_read(&rules, d.options->rules, say_wrong);
	if (!error) {
		rules_free(&d.rules);
		d.rules = rules;
		d.state.rules = rules.count;
		snprintf(text, sizeof(text), "%zu rules in %zu files of %s", rules.count,
			 rules.files, d.options->rules);
		audit_say(LOG_INFO, text);
		d.about = 0;
		error = reconcile_all(&d.host, &d.rules);
		if (error)
			say_wrong(strerrordesc_np(-error));
	}
	error = state_write(d.options->run, &d.state);
	if (error)
		failed(d.options->run, -error);
	return d.state.error[0] ? -1 : 0;
}

static void answer(const struct elisa_host_event *event)
{
	char text[256];
	int count;

	d.about = event->pid;
	count = reconcile_vm(&d.host, &d.rules, event->pid);
	if (count > 0 || count == -ESRCH)
		return;
	snprintf(text, sizeof(text), "process %d asked to %s \"%.64s\": %s", event->pid,
		 event->rights & ELISA_GRANT_EXPORT ? "export" : "attach to", event->name,
		 count ? strerrordesc_np(-count) : "no rule gives it that");
	audit_say_of(LOG_NOTICE, event->pid, text);
}

/* Handles the waiting events, but only a limited number: the other file, or a signal, may wait. */
static int take(int fd)
{
	struct elisa_host_event events[BATCH];
	ssize_t n = 1;

	for (int batch = 0; batch < BATCHES && (n = read(fd, events, sizeof(events))) > 0; batch++)
		for (size_t i = 0; i < (size_t)n / sizeof(*events); i++)
			if (events[i].kind == ELISA_HOST_EVENT_UNKNOWN)
				answer(&events[i]);
			else
				audit_event(&events[i]);
	return n < 0 && errno != EAGAIN && errno != EINTR ? failed("read", errno) : 0;
}

static int serve(const sigset_t *unblocked)
{
	struct pollfd files[] = {{.fd = d.host.fd, .events = POLLIN},
				 {.fd = d.audit, .events = POLLIN}};
	const struct timespec second = {.tv_sec = 1};

	while (!service_stop) {
		if (service_reload) {
			service_reload = 0;
			load();
		}
		/* with a timeout only while left-out lines are still to be reported */
		if (ppoll(files, 2, audit_left_out() ? &second : NULL, unblocked) < 0 &&
		    errno != EINTR)
			return failed("ppoll", errno);
		if (take(d.host.fd) || (d.audit >= 0 && take(d.audit)))
			return -1;
	}
	return 0;
}

static int start(void)
{
	pid_t holder;
	int error = state_lock(d.options->run, &holder);

	if (error == -EBUSY) {
		audit_say(LOG_ERR, "another elisad, or elisactl policy apply, runs");
		return -1;
	}
	if (error)
		return failed(d.options->run, -error);
	d.host.fd = watch(BIT(UNKNOWN), ELISA_HOST_ANSWERS);
	if (d.host.fd < 0)
		return -1;
	d.audit = -1;
	if (!d.options->quiet) {
		d.audit = watch(ELISA_HOST_EVENT_KINDS & ~BIT(UNKNOWN) & ~BIT(LOST), 0);
		if (d.audit < 0)
			return -1;
	}
	return load();
}

int main(int argc, char **argv)
{
	struct options options = {
		.rules = RULES_DIRECTORY, .run = STATE_DIRECTORY, .device = "/dev/elisa"};
	sigset_t ours, unblocked;
	int status;

	/* Signals are blocked except during ppoll(), so one that comes before it is not lost.
	 * Threads inherit this and get none. */
	signals_that_end(&ours);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, &unblocked);
	if (output_open("elisad"))
		return 1;
	if (!options_only(&program, &options, argc, argv, &status))
		return status;
	service_begin();
	d.options = &options;
	d.host = (struct reconcile_host){.root = "",
					 .list = module_list,
					 .grant = module_grant,
					 .revoke = module_revoke,
					 .say = say_of_vm};
	status = start();
	if (!status) {
		service_ready("elisad", options.ready_fd);
		status = serve(&unblocked);
	}
	rules_free(&d.rules);
	return output_end(status);
}
