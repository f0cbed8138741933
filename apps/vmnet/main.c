/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-vmnet: exports the switch and manages it. The daemon moves no frames. Guests move them by
 * their calls, and uplinks move them in processes of their own. When the daemon ends, the export
 * ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "access_options.h"
#include "clock.h"
#include "daemon.h"
#include "options.h"
#include "output.h"
#include "ready.h"
#include "service.h"

#define BUCKETS	   4096
#define RECORDS	   1024 /* captured frames that the ring holds: 2 MiB */
#define MORE_VLANS 16	/* room for more VLANs than the first configuration has, if it has any */
#define BUSY_MS	   20	/* between looks, for a while after something changed */
#define IDLE_MS	   1000 /* at other times, if guests can ring */
#define QUIET_MS   200	/* if they cannot: a driver that stops waits for the daemon's look */
#define BUSY_LONG  0.2	/* seconds of looks at BUSY_MS */
#define AGE_PARTS  16	/* parts of the table that are aged in a second */
#define REST_MS	   5	/* pause after each wakeup, however often guests ring */
#define REFILL_MS  10	/* between refills of ports that have sent */
#define FULL_MS	   50	/* between refills of all others: less than a burst is worth */

struct options {
	const char *config, *code, *report, *metrics, *show, *control;
	struct rvif_access control_access;
	bool only_check;
	int ready_fd;
};

static int failed(struct daemon *d, const char *what)
{
	output_print(STDERR_FILENO, "elisa-vmnet: %s: %s\n", what, elisa_error(d->elisa));
	return -1;
}

/* Allocates state and switch in one piece of memory. */
static int make_switch(struct daemon *d)
{
	const struct config *config = &d->config;
	const uint32_t ports = config->port_count + 1;
	struct rvs_config sizes = {.ports = ports,
				   .senders = ports * VMNET_VCPUS,
				   .queues = config->queues,
				   .buckets = BUCKETS,
				   .vlans = d->vlans,
				   .max_age = config->max_age,
				   .records = RECORDS};
	size_t head = (sizeof(*d->state) + ports * sizeof(d->state->port[0]) + 4095) & ~4095ul;

	if (getrandom(&sizes.seed, sizeof(sizes.seed), 0) != sizeof(sizes.seed))
		return -1;
	d->state = captures_memory(&d->captures, head, &sizes, &d->size);
	if (!d->state)
		return -1;
	d->rvs = d->captures.rvs;
	if (rvs_init(d->rvs, d->size - head, &sizes))
		return -1;
	d->state->switch_offset = head;
	d->state->place_size = (uint64_t)config->port_mib << 20;
	d->state->ports = ports;
	for (uint32_t place = 1; place < ports; place++) {
		d->state->port[place].policy = config->port[place - 1].policy;
		d->state->port[place].enabled = config_has(config, place);
	}
	return 0;
}

/* Makes the places. The first one is the daemon's own, by a ticket that no other process learns. */
static int make_places(struct daemon *d, uint8_t own[ELISA_TICKET_SIZE])
{
	const struct config *config = &d->config;
	const uint32_t places = config->port_count + 1;
	const uint32_t per_vmm = config->open_ports_per_vm < places ? config->open_ports_per_vm :
								      places;
	struct tickets tickets;
	int error;

	if (elisa_export_places(d->export_, VMNET_PLACES_OFFSET, places,
				(size_t)config->port_mib << 20, per_vmm))
		return failed(d, "places");
	if (getrandom(own, ELISA_TICKET_SIZE, 0) != ELISA_TICKET_SIZE)
		return -1;
	if (elisa_export_place_ticket(d->export_, VMNET_MANAGER, own))
		return failed(d, "the manager's place");
	if (tickets_read(config, &tickets))
		return -1;
	error = tickets_begin(d, &tickets);
	explicit_bzero(&tickets, sizeof(tickets));
	return error;
}

/* Prepares the doorbell. Without one, the daemon looks more often. */
static void make_bell(struct daemon *d)
{
	d->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->bell >= 0 && !elisa_doorbell(d->elisa, d->bell))
		return;
	output_print(STDERR_FILENO, "elisa-vmnet: doorbell: %s\n", elisa_error(d->elisa));
	if (d->bell >= 0)
		close(d->bell);
	d->bell = -1;
}

/* Checks that the code has the daemon's version, since they are two files. Guests are not served
 * before the first look. */
static int check_version(struct daemon *d, const char *code)
{
	long version;

	if (library_call(d, VMNET_ASK_VERSION, 0, 0, 0, 0, &version) != LIBRARY_DONE)
		return -1;
	if (version == VMNET_SWITCH_VERSION)
		return 0;
	output_print(STDERR_FILENO,
		     "elisa-vmnet: %s: the code is not of version %d but of another one (%ld); it "
		     "has to be of the daemon's release\n",
		     code, VMNET_SWITCH_VERSION, version);
	return -1;
}

static int set_up(struct daemon *d, const char *code)
{
	uint8_t own[ELISA_TICKET_SIZE];
	int error;

	d->config.port_count = config_room(&d->config);
	d->vlans = config_vlans(&d->config);
	if (d->vlans)
		d->vlans = d->vlans + MORE_VLANS < RVS_MAX_VLAN ? d->vlans + MORE_VLANS :
								  RVS_MAX_VLAN;
	if (elisa_open(NULL, &d->elisa))
		return failed(d, "/dev/elisa");
	make_bell(d);
	if (make_switch(d)) {
		output_print(STDERR_FILENO, "elisa-vmnet: no memory for the switch\n");
		return -1;
	}
	elisa_set_suspend_limit(d->elisa, d->config.suspend_us);
	if (elisa_export_create(d->elisa, d->config.export_name,
				ELISA_EXPORT_GENERAL_REGS | ELISA_EXPORT_FAULTS, d->config.limit_us,
				&d->export_) ||
	    elisa_export_map(d->export_, VMNET_SWITCH_OFFSET, d->state, d->size,
			     ELISA_PROT_READ | ELISA_PROT_WRITE) ||
	    elisa_extra_load(d->export_, code, VMNET_CODE_OFFSET, &d->code))
		return failed(d, d->config.export_name);
	if (make_places(d, own))
		return -1;
	if (elisa_extra_publish(d->code, "entry_function"))
		return failed(d, code);
	/* the daemon may trust the function with its registers: the function is its own code */
	error = elisa_attach_private(d->elisa, own, ELISA_ATTACH_TRUST_MANAGER, NULL, 0, &d->own);
	explicit_bzero(own, sizeof(own));
	if (error)
		return failed(d, "attaching to the export, for which this VM needs a grant, too");
	return check_version(d, code);
}

static void tear_down(struct daemon *d)
{
	uplinks_close(d);
	elisa_detach(d->own);
	elisa_extra_unload(d->code);
	elisa_export_destroy(d->export_);
	elisa_close(d->elisa);
	if (d->bell >= 0)
		close(d->bell);
	if (d->state)
		munmap(d->state, d->size);
}

static void read_again(struct daemon *d, const char *file)
{
	struct tickets tickets;
	struct config config;

	service_reload = 0;
	if (config_read(file, &config) || !reload_is_possible(d, &config, file))
		return;
	reload_arrange(d, &config);
	if (tickets_read(&config, &tickets))
		return;
	ports_reconfigure(d, &config, &tickets);
	explicit_bzero(&tickets, sizeof(tickets));
}

/* Waits for events, the bell or the socket. Returns true if a guest rang. The pause bounds how
 * often guests that ring all the time, and peers of the socket, wake the daemon. */
static bool wait_for_work(struct daemon *d, int timeout_ms)
{
	struct pollfd wait[2 + CONTROL_POLLS] = {
		{.fd = d->deaf ? -1 : elisa_fd(d->elisa), .events = POLLIN},
		{.fd = d->bell, .events = POLLIN},
	};
	const unsigned int polls = control_polls(&d->control, &wait[2]);
	const struct timespec rest = {.tv_nsec = REST_MS * 1000000l};
	uint64_t times;

	if (poll(wait, 2 + polls, timeout_ms) > 0)
		nanosleep(&rest, NULL);
	return d->bell >= 0 && read(d->bell, &times, sizeof(times)) == sizeof(times);
}

static bool has_limits(const struct config *config)
{
	for (uint32_t i = 0; i < config->port_count; i++)
		for (uint32_t limit = 0; limit < RVS_LIMITS; limit++)
			if (config->port[i].policy.per_second[limit])
				return true;
	return false;
}

/* Refills ports with limits. Returns for how long the daemon may sleep at most. */
static int refill(struct daemon *d, double since, int sleep_ms)
{
	const int most = has_limits(&d->config) ?
				 rvs_refill(d->rvs, (uint32_t)(1e6 * since)) ? REFILL_MS : FULL_MS :
				 sleep_ms;

	return most < sleep_ms ? most : sleep_ms;
}

/* Ages the table in parts, so that no call takes long. */
static void age(struct daemon *d)
{
	long more = 1;

	for (int parts = 0; more == 1 && parts < AGE_PARTS; parts++)
		if (library_call(d, VMNET_AGE, 0, 0, 0, 0, &more) != LIBRARY_DONE)
			return;
}

/* Looks at the ports, and does what else is due, until a signal comes. */
static int run(struct daemon *d, const struct options *options)
{
	const int idle_ms = d->bell >= 0 ? IDLE_MS : QUIET_MS;
	double busy_until = 0, aged = monotonic(), refilled = aged, now = aged;

	while (!service_stop && !d->over) {
		const int sleep_ms =
			refill(d, now - refilled, now < busy_until ? BUSY_MS : idle_ms);
		bool changed;

		refilled = now;
		changed = wait_for_work(d, sleep_ms);
		now = d->now = monotonic();
		if (library_events(d) || changed)
			busy_until = now + BUSY_LONG;
		if (service_reload) {
			read_again(d, options->config);
			busy_until = now + BUSY_LONG;
		}
		__atomic_store_n(&d->state->now, (uint32_t)now, __ATOMIC_RELAXED);
		captures_look(&d->captures, now);
		ports_look(d);
		uplinks_look(d);
		if (control_serve(&d->control, now) || d->owes)
			busy_until = now + BUSY_LONG;
		if (now - aged >= 1) {
			aged = now;
			ports_forgive(d);
			say_left_out(d);
			age(d);
			if (options->report)
				report_write(d, options->report);
			if (options->metrics)
				report_metrics(d, options->metrics);
		}
	}
	return d->over ? -1 : 0;
}

static const struct program_option known[] = {
	OPTION_TEXT("config", "FILE", "a file", config,
		    "ports and limits, JSON; read again at SIGHUP"),
	OPTION_FLAG("check", only_check,
		    "check the configuration, report what is wrong with it, and end"),
	OPTION_TEXT("switch", "FILE", "a file", code,
		    "the switch's code\n(default " SWITCH_FILE ")"),
	OPTION_TEXT("report", "FILE", "a file", report,
		    "write the state of all ports to this file every second, as JSON"),
	OPTION_TEXT("metrics", "FILE", "a file", metrics,
		    "write the counters to this file as OpenMetrics text, for Prometheus"),
	OPTION_TEXT("control", "FILE", "a file", control,
		    "answer requests of elisa-vmnetctl at this socket"),
	OPTION_READ("control-mode", "MODE", ACCESS_MODE_MUST, option_mode, control_access,
		    "permissions of the socket (default 0600)"),
	OPTION_READ("control-group", "GROUP", "a group", option_group, control_access,
		    "group of the socket"),
	OPTION_READY_FD(ready_fd),
	OPTION_TEXT("show", "FILE", "a file", show, "print a file of --report as a table"),
};

static const struct program program = {
	.name = "elisa-vmnet",
	.before = "Usage: elisa-vmnet --config FILE [OPTION]...\n"
		  "       elisa-vmnet --show REPORT\n"
		  "\n"
		  "Manages a network between VMs, which run its switch in their own sub contexts.\n"
		  "Runs in the manager's VM.\n"
		  "\n",
	.after = "Exit status: 0 ended by a signal, or done; 1 failed, or its output could not be\n"
		 "written; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

/* Opens the socket for requests, if the option asks for it. */
static int make_control(struct daemon *d, const struct options *options)
{
	const char *file = options->control;
	int error;

	if (!file)
		return 0;
	error = control_open(&d->control, file, &options->control_access, commands_answer, d);
	if (error)
		output_print(STDERR_FILENO, "elisa-vmnet: --control: %s: %s\n", file,
			     control_strerror(error));
	return error;
}

/* Runs the daemon until a signal comes. Returns the exit status. */
static int manage(const struct options *options)
{
	static struct daemon d = {.bell = -1, .control.fd = -1, .captures.ring = -1};
	int error;

	if (config_read(options->config, &d.config))
		return output_end(-1);
	if (options->only_check)
		return output_end(0);
	service_begin();
	error = make_control(&d, options);
	if (!error)
		error = set_up(&d, options->code);
	if (!error) {
		output_print(STDOUT_FILENO, "export %s: %u ports\n", d.config.export_name,
			     config_ports(&d.config));
		service_ready(program.name, options->ready_fd);
		error = run(&d, options);
	}
	tear_down(&d);
	control_close(&d.control);
	return output_end(error);
}

int main(int argc, char **argv)
{
	struct options options = {.code = SWITCH_FILE};
	int status;

	if (output_open(program.name))
		return 1;
	if (uplink_process_is(argc, argv, &status))
		return status;
	if (!options_only(&program, &options, argc, argv, &status))
		return status;
	if (options.show)
		return output_end(report_show(options.show));
	if (!options.config)
		return options_wrong(&program, "--config is missing");
	return manage(&options);
}
