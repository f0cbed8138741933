/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launcher: runs the manager's or the guest's side of an application (a shared object with a
 * struct elisa_app) in a VM. It must never give an application more than the command line says:
 * trust in a manager in particular is asked for by the user.
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <elisa/exec.h>
#include "elisa-exec.h"

static const char usage_text[] =
	"Usage: elisa-exec manager --name NAME [OPTION]... APP.so [ARGUMENT]...\n"
	"       elisa-exec guest --name NAME | --ticket HEX [OPTION]... APP.so [ARGUMENT]...\n"
	"       elisa-exec -f LIB.so -p PORT [-s SERVER]\n"
	"\n"
	"Runs one side of the application APP.so, which defines `elisa_app` (<elisa/exec.h>).\n"
	"\n"
	"manager: publish an export and serve until SIGINT or SIGTERM\n"
	"  --name NAME        name of the export, as granted on the host\n"
	"  --private          reached by a ticket only; it is printed as one line of hex digits\n"
	"  --offset BYTES     where the application begins in the object area (default 0)\n"
	"  --general-regs     its function uses general registers only\n"
	"  --poison           let no call in after an aborted one\n"
	"  --limit-us N       run time that a call may use (default: the host's)\n"
	"  --stack BYTES,VCPUS,GUESTS\n"
	"                     stacks of this size for so many vCPUs of each of so many attachments\n"
	"  --events           print what happens to attachments\n"
	"\n"
	"guest: attach and run\n"
	"  --name NAME        the export\n"
	"  --ticket HEX       the ticket of a private export instead\n"
	"  --trust-manager    let the manager's code change this program's registers\n"
	"\n"
	"programs of the research prototype (LIB.so defines elisa__server_cb and so on):\n"
	"  -f LIB.so          the library\n"
	"  -p PORT            TCP port of the server\n"
	"  -s SERVER          be a client of it (address or host name); else be the server\n"
	"\n"
	"manager and guest:\n"
	"  --device PATH      the driver's device (default " ELISA_DEVICE ")\n"
	"  --help             this text\n"
	"\n"
	"Exit status: 0 served or ran; 1 failed; 2 wrong usage; of a guest: what it returned.\n";

struct options {
	const char *device;
	const char *name;
	bool has_ticket;
	uint8_t ticket[ELISA_TICKET_SIZE];
	bool private;
	bool trust_manager;
	bool events;
	uint32_t export_flags;
	uint32_t limit_us;
	uint64_t offset;
	struct {
		uint64_t size;
		uint32_t vcpus, guests;
	} stack;
};

static int fail(struct elisa *handle)
{
	fprintf(stderr, "elisa-exec: %s\n", elisa_error(handle));
	return 1;
}

static bool parse_number(const char *text, uint64_t limit, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && *text >= '0' && *text <= '9' && !*end && *number <= limit;
}

/* BYTES,VCPUS,GUESTS; what the numbers may be is the library's business. */
static bool parse_stack(const char *text, struct options *options)
{
	int end = 0;

	return sscanf(text, "%" SCNu64 ",%" SCNu32 ",%" SCNu32 "%n", &options->stack.size,
		      &options->stack.vcpus, &options->stack.guests, &end) == 3 &&
	       !text[end] && options->stack.size;
}

static bool parse_ticket(const char *text, uint8_t ticket[ELISA_TICKET_SIZE])
{
	if (strlen(text) != 2 * ELISA_TICKET_SIZE ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * ELISA_TICKET_SIZE)
		return false;
	for (int i = 0; i < ELISA_TICKET_SIZE; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], 0};

		ticket[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

static void print_ticket(const uint8_t ticket[ELISA_TICKET_SIZE])
{
	for (int i = 0; i < ELISA_TICKET_SIZE; i++)
		printf("%02x", ticket[i]);
	printf("\n");
	fflush(stdout);
}

/*
 * A program of its own: it must not have libelisa, whose functions would take the place of the library's own of the
 * same names. It lies beside this one. Returns only on failure.
 */
static int run_prototype(char **argv)
{
	static const char name[] = "elisa-exec-prototype";
	char path[PATH_MAX + sizeof(name)];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	char *file;

	path[length < 0 ? 0 : length] = 0;
	file = strrchr(path, '/');
	memcpy(file ? file + 1 : path, name, sizeof(name));
	execv(path, argv);
	fprintf(stderr, "elisa-exec: cannot start %s: %m\n", path);
	return 1;
}

static const struct elisa_app *load_app(const char *file)
{
	const struct elisa_app *app;
	void *object = load_object(file);

	if (!object)
		return NULL;
	app = dlsym(object, "elisa_app");
	if (!app) {
		fprintf(stderr, "elisa-exec: the application does not define elisa_app: %s\n",
			dlerror());
		return NULL;
	}
	if (app->version != ELISA_APP_VERSION) {
		fprintf(stderr,
			"elisa-exec: the application has version %u of struct elisa_app, this is "
			"%u; build it again\n",
			app->version, ELISA_APP_VERSION);
		return NULL;
	}
	return app;
}

/* ----------------------------------------------------------------------------- manager */

static const char *event_name(uint32_t type)
{
	static const char *const names[] = {
		[ELISA_EVENT_ATTACH] = "attach", [ELISA_EVENT_DETACH] = "detach",
		[ELISA_EVENT_ABORT] = "abort",	 [ELISA_EVENT_EVICT] = "evict",
		[ELISA_EVENT_LOST] = "lost",	 [ELISA_EVENT_MEMORY] = "memory failed",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

static void print_event(const struct elisa_event *event)
{
	printf("%s attachment %llu", event_name(event->type),
	       (unsigned long long)event->attachment);
	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		if (event->value >= 0)
			printf(": place %lld", (long long)event->value);
		break;
	case ELISA_EVENT_ABORT:
	case ELISA_EVENT_EVICT:
		printf(": %s", elisa_call_strerror((long)event->value));
		break;
	case ELISA_EVENT_MEMORY:
		printf(": offset %#llx; the export has ended", (unsigned long long)event->value);
		break;
	case ELISA_EVENT_LOST:
		printf(": %lld events", (long long)event->value);
		break;
	}
	printf("\n");
	fflush(stdout);
}

static int take_events(const struct elisa_app *app, struct elisa_export *export_, bool print)
{
	struct elisa_event events[ELISA_HC_EVENTS_MAX];
	int count = elisa_events_read(elisa_export_handle(export_), events, ELISA_HC_EVENTS_MAX);

	if (count < 0 && count != -EINTR)
		return count;
	for (int i = 0; i < count; i++) {
		if (print)
			print_event(&events[i]);
		if (app->manager_event)
			app->manager_event(export_, &events[i]);
	}
	return 0;
}

/* Until a signal that ends. stop_fd gives those. */
static int serve(const struct elisa_app *app, struct elisa_export *export_, int stop_fd, bool print)
{
	struct pollfd wait[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = elisa_fd(elisa_export_handle(export_)), .events = POLLIN},
	};

	for (;;) {
		int ret;

		if (poll(wait, 2, -1) < 0 && errno != EINTR) {
			fprintf(stderr, "elisa-exec: poll: %m\n");
			return 1;
		}
		if (wait[0].revents)
			return 0;
		if (wait[1].revents & ~POLLIN)
			wait[1].fd = -1; /* no events to come; the export still stands */
		if (!(wait[1].revents & POLLIN))
			continue;
		ret = take_events(app, export_, print);
		if (ret < 0)
			return fail(elisa_export_handle(export_));
	}
}

static int create_export(struct elisa *handle, struct options *options,
			 struct elisa_export **export_)
{
	if (!options->private)
		return elisa_export_create(handle, options->name, options->export_flags,
					   options->limit_us, export_);
	return elisa_export_create_private(handle, options->name, options->export_flags,
					   options->limit_us, options->ticket, export_);
}

/* At the end of the object area: behind the stacks, a page for each place, which is there to number them. */
static int make_stacks(struct elisa_export *export_, const struct options *options)
{
	const uint64_t guests = options->stack.guests, vcpus = options->stack.vcpus;
	const uint64_t places = ELISA_OBJECT_SIZE - guests * ELISA_PAGE_SIZE;
	uint64_t total;
	int ret = elisa_export_places(export_, places, options->stack.guests, ELISA_PAGE_SIZE);

	if (ret < 0)
		return ret;
	/* too large: the library refuses it at any offset */
	if (__builtin_mul_overflow(2 * options->stack.size, vcpus * guests, &total) ||
	    total > places - ELISA_PAGE_SIZE)
		total = 0;
	return elisa_export_stacks(export_, places - ELISA_PAGE_SIZE - total, options->stack.size,
				   options->stack.vcpus);
}

static int run_manager(const struct elisa_app *app, struct elisa *handle, struct options *options,
		       int argc, char **argv)
{
	struct elisa_export *export_;
	sigset_t stop;
	int stop_fd;
	int status;
	int ret;

	if (!app->manager_init)
		return usage_error("the application has no manager's side", argv[0]);
	/* Blocked before the application may start threads. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	stop_fd = signalfd(-1, &stop, SFD_CLOEXEC);
	if (stop_fd < 0) {
		fprintf(stderr, "elisa-exec: signalfd: %m\n");
		return 1;
	}

	if (create_export(handle, options, &export_) < 0) {
		close(stop_fd);
		return fail(handle);
	}
	if (options->stack.size && make_stacks(export_, options) < 0) {
		status = fail(handle);
		elisa_export_destroy(export_);
		close(stop_fd);
		return status;
	}
	ret = app->manager_init(export_, options->offset, argc, argv);
	if (ret < 0) {
		fprintf(stderr, "elisa-exec: the application failed (%d): %s\n", ret,
			elisa_error(handle));
		status = 1;
	} else {
		if (options->private)
			print_ticket(options->ticket);
		fprintf(stderr, "elisa-exec: export '%s' is up\n", options->name);
		status = serve(app, export_, stop_fd, options->events);
		if (app->manager_exit)
			app->manager_exit(export_);
	}
	if (elisa_export_destroy(export_) < 0)
		status = fail(handle);
	close(stop_fd);
	return status;
}

/* ------------------------------------------------------------------------------- guest */

static int attach(struct elisa *handle, const struct options *options, void *exchange, size_t size,
		  struct elisa_attachment **attachment)
{
	uint32_t flags = options->trust_manager ? ELISA_ATTACH_TRUST_MANAGER : 0;

	if (options->has_ticket)
		return elisa_attach_private(handle, options->ticket, flags, exchange, size,
					    attachment);
	return elisa_attach(handle, options->name, flags, exchange, size, attachment);
}

static int run_guest(const struct elisa_app *app, struct elisa *handle,
		     const struct options *options, int argc, char **argv)
{
	struct elisa_attachment *attachment;
	void *exchange = NULL;
	int status;

	if (!app->guest_main)
		return usage_error("the application has no guest's side", argv[0]);
	if (app->exchange_size) {
		exchange = mmap(NULL, app->exchange_size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (exchange == MAP_FAILED) {
			fprintf(stderr, "elisa-exec: no memory for %u bytes: %m\n",
				app->exchange_size);
			return 1;
		}
	}
	if (attach(handle, options, exchange, app->exchange_size, &attachment) < 0) {
		status = fail(handle);
		goto out;
	}
	status = app->guest_main(attachment, argc, argv);
	if (elisa_detach(attachment) < 0)
		status = fail(handle);
out:
	if (exchange)
		munmap(exchange, app->exchange_size);
	return status;
}

/* ---------------------------------------------------------------------------- options */

enum option_code {
	NAME = 256,
	TICKET,
	PRIVATE,
	OFFSET,
	GENERAL,
	POISON,
	LIMIT,
	STACK,
	EVENTS,
	TRUST,
	DEVICE
};

static const struct option manager_options[] = {
	{"name", required_argument, NULL, NAME},
	{"private", no_argument, NULL, PRIVATE},
	{"offset", required_argument, NULL, OFFSET},
	{"general-regs", no_argument, NULL, GENERAL},
	{"poison", no_argument, NULL, POISON},
	{"limit-us", required_argument, NULL, LIMIT},
	{"stack", required_argument, NULL, STACK},
	{"events", no_argument, NULL, EVENTS},
	{"device", required_argument, NULL, DEVICE},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static const struct option guest_options[] = {
	{"name", required_argument, NULL, NAME},
	{"ticket", required_argument, NULL, TICKET},
	{"trust-manager", no_argument, NULL, TRUST},
	{"device", required_argument, NULL, DEVICE},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* 0, or an exit status after a message; -1 for --help. */
static int take_option(struct options *options, int code)
{
	uint64_t number;

	switch (code) {
	case NAME:
		options->name = optarg;
		return 0;
	case TICKET:
		options->has_ticket = parse_ticket(optarg, options->ticket);
		if (!options->has_ticket)
			return usage_error("a ticket has 64 hex digits, this is none", optarg);
		return 0;
	case PRIVATE:
		options->private = true;
		return 0;
	case OFFSET:
		if (!parse_number(optarg, ELISA_OBJECT_SIZE - 1, &number))
			return usage_error("not an offset in the object area", optarg);
		options->offset = number;
		return 0;
	case GENERAL:
		options->export_flags |= ELISA_EXPORT_GENERAL_REGS;
		return 0;
	case POISON:
		options->export_flags |= ELISA_EXPORT_POISON;
		return 0;
	case LIMIT:
		if (!parse_number(optarg, UINT32_MAX, &number))
			return usage_error("not a number of microseconds", optarg);
		options->limit_us = (uint32_t)number;
		return 0;
	case STACK:
		if (!parse_stack(optarg, options))
			return usage_error("not BYTES,VCPUS,GUESTS of stacks", optarg);
		return 0;
	case EVENTS:
		options->events = true;
		return 0;
	case TRUST:
		options->trust_manager = true;
		return 0;
	case DEVICE:
		options->device = optarg;
		return 0;
	case 'h':
		return -1;
	default:
		return usage_error("unknown option", NULL);
	}
}

int main(int argc, char **argv)
{
	struct options options = {0};
	const struct elisa_app *app;
	struct elisa *handle;
	bool manager;
	int status;
	int code;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage_text, stdout);
		return 0;
	}
	if (argc > 1 && argv[1][0] == '-')
		return run_prototype(argv);
	if (argc < 2 || (strcmp(argv[1], "manager") && strcmp(argv[1], "guest")))
		return usage_error("the first argument must be manager or guest", argv[1]);
	manager = !strcmp(argv[1], "manager");
	argc--;
	argv++;
	/* '+': what follows the application is the application's. */
	while ((code = getopt_long(argc, argv, "+h", manager ? manager_options : guest_options,
				   NULL)) != -1) {
		status = take_option(&options, code);
		if (status < 0)
			fputs(usage_text, stdout);
		if (status)
			return status < 0 ? 0 : status;
	}
	if (!options.name == !options.has_ticket)
		return usage_error(manager ? "--name is missing" : "give either --name or --ticket",
				   NULL);
	if (optind >= argc)
		return usage_error("the application's shared object is missing", NULL);

	app = load_app(argv[optind]);
	if (!app)
		return 1;
	if (elisa_open(options.device, &handle) < 0)
		return fail(NULL);
	if (manager)
		status = run_manager(app, handle, &options, argc - optind, argv + optind);
	else
		status = run_guest(app, handle, &options, argc - optind, argv + optind);
	elisa_close(handle);
	return status;
}
