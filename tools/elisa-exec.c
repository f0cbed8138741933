/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher: runs the manager's or the guest's side of an application (a shared object with a
 * struct elisa_app) in a VM. It must never give an application more than the command line says. In
 * particular, only the user asks for trust in a manager.
 */
#include <dlfcn.h>
#include <errno.h>
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
#include <rvif/driver.h>
#include "elisa-exec.h"
#include "options.h"
#include "ready.h"
#include "ticket.h"

struct ticket {
	bool given;
	uint8_t bytes[ELISA_TICKET_SIZE];
};

struct stacks {
	uint64_t size; /* 0: the host's own stack */
	uint32_t vcpus, guests;
};

struct options {
	const char *device;
	const char *name;
	struct ticket ticket;
	bool private;
	bool trust_manager;
	bool events;
	uint32_t export_flags;
	uint32_t limit_us;
	uint64_t offset;
	struct stacks stack;
	int ready_fd;
};

static int fail(struct elisa *handle)
{
	fprintf(stderr, "elisa-exec: %s\n", elisa_error(handle));
	return 1;
}

/* ---------------------------------------------------------------------------- options */

/* Reads BYTES,VCPUS,GUESTS. The library checks the numbers. */
static int read_stack(const struct program_option *option, const char *text, void *to)
{
	struct stacks *stack = to;
	char words[64], *rest = words;
	uint64_t number[3];

	(void)option;
	if ((size_t)snprintf(words, sizeof(words), "%s", text) >= sizeof(words))
		return -EINVAL;
	for (int i = 0; i < 3; i++) {
		const char *word = strsep(&rest, ",");

		if (!word || parse_number(word, !i, i ? UINT32_MAX : UINT64_MAX, &number[i]))
			return -EINVAL;
	}
	*stack = (struct stacks){number[0], (uint32_t)number[1], (uint32_t)number[2]};
	return rest ? -EINVAL : 0;
}

static int read_ticket(const struct program_option *option, const char *text, void *to)
{
	struct ticket *ticket = to;

	(void)option;
	ticket->given = true;
	return rvif_parse_hex(text, 0, ticket->bytes, sizeof(ticket->bytes));
}

enum mode {
	MANAGER = 1,
	GUEST = 2,
	PROTOTYPE = 4
};

static const struct program_option known[] = {
	{.modes = MANAGER, .help = "manager: publish an export and serve until SIGINT or SIGTERM"},
	OPTION_TEXT("name", "NAME", "a name", name, "name of the export, as granted on the host"),
	OPTION_FLAG("private", private,
		    "reached by a ticket only; it is printed as one line of hex digits"),
	OPTION_NUMBER("offset", "BYTES", "an offset in the object area", offset, 0,
		      ELISA_OBJECT_SIZE - 1,
		      "where the application begins in the object area (default 0)"),
	OPTION_BITS("general-regs", export_flags, ELISA_EXPORT_GENERAL_REGS,
		    "the function uses general registers only"),
	OPTION_BITS("poison", export_flags, ELISA_EXPORT_POISON,
		    "after an aborted call, refuse further calls"),
	OPTION_BITS("counted", export_flags, ELISA_EXPORT_COUNTED,
		    "have the host count the calls, for 1 or 3 instructions more"),
	OPTION_NUMBER("limit-us", "N", "a number of microseconds", limit_us, 0, UINT32_MAX,
		      "the most run time of a call (default: the host's)"),
	OPTION_READ("stack", "BYTES,VCPUS,GUESTS", "BYTES,VCPUS,GUESTS of stacks", read_stack,
		    stack, "a stack of this size for each vCPU of each attachment"),
	OPTION_FLAG("events", events,
		    "print what happens to attachments, and the faults of the function"),
	OPTION_READY_FD(ready_fd),

	{.modes = GUEST, .help = "guest: attach and run"},
	OPTION_TEXT("name", "NAME", "a name", name, "the export"),
	OPTION_READ("ticket", "HEX", "a ticket, which has 64 hex digits", read_ticket, ticket,
		    "the ticket of a private export, instead of its name"),
	OPTION_FLAG("trust-manager", trust_manager,
		    "let the manager's code change this program's registers"),

	{.modes = PROTOTYPE,
	 .help = "programs of the research prototype (LIB.so defines elisa__server_cb and so on):\n"
		 "  -f LIB.so         the library\n"
		 "  -p PORT           TCP port of the server\n"
		 "  -s SERVER         be a client of SERVER (address or host name); else be the server"},

	{.help = "manager and guest:"},
	OPTION_TEXT("device", "PATH", "a file", device,
		    "the driver's device (default " ELISA_DEVICE ")"),
};

static const struct program program = {
	.name = "elisa-exec",
	.before =
		"Usage: elisa-exec manager --name NAME [OPTION]... APP.so [ARGUMENT]...\n"
		"       elisa-exec guest --name NAME | --ticket HEX [OPTION]... APP.so [ARGUMENT]...\n"
		"       elisa-exec -f LIB.so -p PORT [-s SERVER]\n"
		"\n"
		"Runs one side of the application APP.so, which defines `elisa_app`\n"
		"(<elisa/exec.h>).\n",
	.after = "Exit status: 0 served or ran; 1 failed; 2 wrong usage; of a guest: what it\n"
		 "returned.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
	.ends_at_operand = true, /* arguments after the application are the application's */
};

/* Reads the command line; argv begins with the mode. Returns the index of the application's file,
 * or OPTIONS_DONE if the program must end with *status. */
static int read_command_line(struct options *options, int argc, char **argv, int *status)
{
	const bool manager = !strcmp(argv[0], "manager");
	int first = options_read(&program, manager ? MANAGER : GUEST, options, argc, argv, status);

	if (first == OPTIONS_DONE)
		return first;
	if (!options->name == !options->ticket.given)
		*status = options_wrong(&program, manager ? "--name is missing" :
							    "give either --name or --ticket");
	else if (first >= argc)
		*status = options_wrong(&program, "the application's shared object is missing");
	else
		return first;
	return OPTIONS_DONE;
}

static void print_ticket(const uint8_t ticket[ELISA_TICKET_SIZE])
{
	char text[TICKET_TEXT_SIZE];

	ticket_text(ticket, text);
	printf("%s\n", text);
	fflush(stdout);
}

/*
 * Runs elisa-exec-prototype, which lies beside this program. It is a separate program because it
 * must not have libelisa: libelisa's functions would take the place of LIB.so's own of the same
 * names. Returns only on failure.
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

#define EVENT_WORD(name, number, word, text) [ELISA_EVENT_##name] = word,

static const char *event_name(uint32_t type)
{
	static const char *const names[] = {ELISA_EVENT_LIST(EVENT_WORD)};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

static void print_fault(struct elisa_export *export_, const struct elisa_event *event)
{
	char text[256];

	if (elisa_fault_text(export_, event, text, sizeof(text)) >= 0)
		printf(": vCPU %u: %s", event->vcpu, text);
}

static void print_event(struct elisa_export *export_, const struct elisa_event *event)
{
	printf("%s attachment %llu", event_name(event->type),
	       (unsigned long long)event->attachment);
	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		if (event->value >= 0)
			printf(": place %lld", (long long)event->value);
		break;
	case ELISA_EVENT_DETACH:
		if (event->aborts)
			printf(": calls of %llu vCPUs may have been stopped in the middle",
			       (unsigned long long)event->aborts);
		break;
	case ELISA_EVENT_ABORT:
		printf(": %s", elisa_call_strerror((long)event->value));
		break;
	case ELISA_EVENT_FAULT:
		print_fault(export_, event);
		break;
	case ELISA_EVENT_MEMORY:
		printf(": offset %#llx; the export has ended", (unsigned long long)event->value);
		break;
	case ELISA_EVENT_DIRTY_LOG:
		printf(": address %#llx; the export has ended", (unsigned long long)event->value);
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
			print_event(export_, &events[i]);
		if (app->manager_event)
			app->manager_event(export_, &events[i]);
	}
	return 0;
}

/* Serves until a signal ends the program. stop_fd delivers those signals. */
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
			/* no more events will come; the export still exists */
			wait[1].fd = -1;
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
	const uint32_t flags = options->export_flags | (options->events ? ELISA_EXPORT_FAULTS : 0);

	if (!options->private)
		return elisa_export_create(handle, options->name, flags, options->limit_us,
					   export_);
	return elisa_export_create_private(handle, options->name, flags, options->limit_us,
					   options->ticket.bytes, export_);
}

/* Makes the stacks at the end of the object area. Behind them is a page for each place; the places
 * exist to number the stacks. */
static int make_stacks(struct elisa_export *export_, const struct options *options)
{
	const uint64_t guests = options->stack.guests, vcpus = options->stack.vcpus;
	const uint64_t places = ELISA_OBJECT_SIZE - guests * ELISA_PAGE_SIZE;
	uint64_t total;
	int ret = elisa_export_places(export_, places, options->stack.guests, ELISA_PAGE_SIZE, 0);

	if (ret < 0)
		return ret;
	/* too large: the library refuses them at any offset */
	if (__builtin_mul_overflow(2 * options->stack.size, vcpus * guests, &total) ||
	    total > places - ELISA_PAGE_SIZE)
		total = 0;
	return elisa_export_stacks(export_, places - ELISA_PAGE_SIZE - total, options->stack.size,
				   options->stack.vcpus);
}

static void say_ready(const struct options *options)
{
	const int error = ready_tell(options->ready_fd);

	fprintf(stderr, "elisa-exec: export '%s' is up\n", options->name);
	if (error)
		fprintf(stderr, "elisa-exec: cannot say that it is ready: %s\n",
			strerrordesc_np(-error));
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
		return options_wrong(&program, "%s has no manager's side", argv[0]);
	/* block them before the application may start threads */
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
			print_ticket(options->ticket.bytes);
		say_ready(options);
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

	if (options->ticket.given)
		return elisa_attach_private(handle, options->ticket.bytes, flags, exchange, size,
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
		return options_wrong(&program, "%s has no guest's side", argv[0]);
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

static bool is_prototype(const char *word)
{
	return word[0] == '-' && word[1] && strchr("fps", word[1]);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	const struct elisa_app *app;
	struct elisa *handle;
	int status;
	int first;

	if (argc > 1 && is_prototype(argv[1]))
		return run_prototype(argv);
	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first == argc)
		return options_wrong(&program, "manager or guest is missing");
	if (strcmp(argv[first], "manager") && strcmp(argv[first], "guest"))
		return options_wrong(&program, "'%s' is not manager or guest", argv[first]);
	argc -= first;
	argv += first;
	first = read_command_line(&options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;

	app = load_app(argv[first]);
	if (!app)
		return 1;
	if (elisa_open(options.device, &handle) < 0)
		return fail(NULL);
	if (!strcmp(argv[0], "manager"))
		status = run_manager(app, handle, &options, argc - first, argv + first);
	else
		status = run_guest(app, handle, &options, argc - first, argv + first);
	elisa_close(handle);
	return status;
}
