/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-vmnet: exports the switch and manages it. It moves no packets: guests do, by their calls. When it
 * ends, the export ends.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"
#include "signals.h"

#define EVENTS	  64
#define BUCKETS	  4096
#define BUSY_MS	  20   /* between looks, for a while after something changed */
#define IDLE_MS	  1000 /* at other times, if guests can ring */
#define QUIET_MS  200  /* if they cannot: a driver that stops waits for us */
#define BUSY_LONG 0.2  /* seconds */
#define REST_MS	  5    /* however often they ring */

static volatile sig_atomic_t stop, reload;

static void on_signal(int number)
{
	if (number == SIGHUP)
		reload = 1;
	else
		stop = 1;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int failed(struct daemon *d, const char *what)
{
	output_print(STDERR_FILENO, "elisa-vmnet: %s: %s\n", what, elisa_error(d->elisa));
	return -1;
}

/* State and switch in one piece of memory. */
static int make_switch(struct daemon *d)
{
	const struct config *config = &d->config;
	const uint32_t ports = config->port_count + 1;
	struct rvs_config sizes = {.ports = ports,
				   .senders = ports * VMNET_VCPUS,
				   .queues = config->queues,
				   .buckets = BUCKETS,
				   .max_age = config->max_age};
	size_t head = (sizeof(*d->state) + ports * sizeof(d->state->port[0]) + 4095) & ~4095ul;

	if (getrandom(&sizes.seed, sizeof(sizes.seed), 0) != sizeof(sizes.seed))
		return -1;
	d->size = (head + rvs_size(&sizes) + 4095) & ~4095ul;
	d->state = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (d->state == MAP_FAILED)
		return -1;
	d->rvs = (struct rvs *)(void *)((uint8_t *)d->state + head);
	if (rvs_init(d->rvs, d->size - head, &sizes))
		return -1;
	d->state->switch_offset = head;
	d->state->place_size = (uint64_t)config->port_mib << 20;
	d->state->ports = ports;
	for (uint32_t place = 1; place < ports; place++) {
		d->state->port[place].policy = config->port[place - 1].policy;
		d->state->port[place].enabled = 1;
	}
	return 0;
}

/* The places; the first one is our own, by a ticket that nobody else learns. */
static int make_places(struct daemon *d, uint8_t own[ELISA_TICKET_SIZE])
{
	const struct config *config = &d->config;
	uint8_t ticket[ELISA_TICKET_SIZE];

	if (elisa_export_places(d->export_, VMNET_PLACES_OFFSET, config->port_count + 1,
				(size_t)config->port_mib << 20))
		return failed(d, "places");
	if (getrandom(own, ELISA_TICKET_SIZE, 0) != ELISA_TICKET_SIZE)
		return -1;
	if (elisa_export_place_ticket(d->export_, VMNET_MANAGER, own))
		return failed(d, "the manager's place");
	for (uint32_t i = 0; i < config->port_count; i++) {
		if (!config->port[i].ticket_file[0])
			continue;
		if (config_ticket(&config->port[i], ticket))
			return -1;
		if (elisa_export_place_ticket(d->export_, i + 1, ticket))
			return failed(d, config->port[i].ticket_file);
	}
	explicit_bzero(ticket, sizeof(ticket));
	return 0;
}

/* Without one we look more often. */
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

static int set_up(struct daemon *d, const char *code)
{
	uint8_t own[ELISA_TICKET_SIZE];
	int error;

	d->bell = -1;
	if (elisa_open(NULL, &d->elisa))
		return failed(d, "/dev/elisa");
	make_bell(d);
	if (make_switch(d)) {
		output_print(STDERR_FILENO, "elisa-vmnet: no memory for the switch\n");
		return -1;
	}
	elisa_set_suspend_limit(d->elisa, d->config.suspend_us);
	if (elisa_export_create(d->elisa, d->config.export_name, ELISA_EXPORT_GENERAL_REGS,
				d->config.limit_us, &d->export_) ||
	    elisa_export_map(d->export_, VMNET_SWITCH_OFFSET, d->state, d->size,
			     ELISA_PROT_READ | ELISA_PROT_WRITE) ||
	    elisa_extra_load(d->export_, code, VMNET_CODE_OFFSET, &d->code))
		return failed(d, d->config.export_name);
	if (make_places(d, own))
		return -1;
	if (elisa_extra_publish(d->code, "entry_function"))
		return failed(d, code);
	/* what it calls is its own code */
	error = elisa_attach_private(d->elisa, own, ELISA_ATTACH_TRUST_MANAGER, NULL, 0, &d->own);
	explicit_bzero(own, sizeof(own));
	return error ? failed(d, "attaching to the export, for which this VM needs a grant, too") :
		       0;
}

static void tear_down(struct daemon *d)
{
	elisa_detach(d->own);
	elisa_extra_unload(d->code);
	elisa_export_destroy(d->export_);
	elisa_close(d->elisa);
	if (d->bell >= 0)
		close(d->bell);
	if (d->state && d->state != MAP_FAILED)
		munmap(d->state, d->size);
}

/* Returns how many there were. */
static int take_events(struct daemon *d)
{
	struct elisa_event events[EVENTS];
	int count, all = 0;

	do {
		count = elisa_events_read(d->elisa, events, EVENTS);
		for (int i = 0; i < count; i++)
			ports_event(d, &events[i]);
		all += count > 0 ? count : 0;
	} while (count == EVENTS);
	return all;
}

static void read_again(struct daemon *d, const char *file)
{
	struct config config;

	reload = 0;
	if (config_read(file, &config))
		return;
	if (config.port_count != d->config.port_count || config.queues != d->config.queues ||
	    config.port_mib != d->config.port_mib || config.limit_us != d->config.limit_us ||
	    config.suspend_us != d->config.suspend_us ||
	    strcmp(config.export_name, d->config.export_name)) {
		output_print(STDERR_FILENO,
			     "elisa-vmnet: %s: only what is said of a port can change while it "
			     "runs; restart it for the rest\n",
			     file);
		return;
	}
	ports_reconfigure(d, &config);
}

/* True: somebody rang. A guest that rings all the time makes us look no more than so often. */
static bool wait_for_work(struct daemon *d, int timeout_ms)
{
	struct pollfd wait[] = {
		{.fd = elisa_fd(d->elisa), .events = POLLIN},
		{.fd = d->bell, .events = POLLIN},
	};
	const struct timespec rest = {.tv_nsec = REST_MS * 1000000l};
	uint64_t times;

	if (poll(wait, 2, timeout_ms) > 0)
		nanosleep(&rest, NULL);
	return d->bell >= 0 && read(d->bell, &times, sizeof(times)) == sizeof(times);
}

static int run(struct daemon *d, const char *config, const char *report)
{
	const int idle_ms = d->bell >= 0 ? IDLE_MS : QUIET_MS;
	double busy_until = 0, aged = seconds(), now;
	long removed;

	while (!stop) {
		bool changed = wait_for_work(d, seconds() < busy_until ? BUSY_MS : idle_ms);

		now = seconds();
		if (take_events(d) || changed)
			busy_until = now + BUSY_LONG;
		if (reload) {
			read_again(d, config);
			busy_until = now + BUSY_LONG;
		}
		__atomic_store_n(&d->state->now, (uint32_t)now, __ATOMIC_RELAXED);
		if (ports_look(d))
			return -1;
		if (now - aged >= 1) {
			aged = now;
			ports_forgive(d);
			if (ports_manage(d, VMNET_AGE, 0, 0, 0, 0, &removed))
				return -1;
			if (report)
				report_write(d, report);
		}
	}
	return 0;
}

static const char usage_text[] =
	"Usage: elisa-vmnet --config FILE [OPTION]...\n"
	"       elisa-vmnet --show REPORT\n"
	"\n"
	"Manages a network between VMs whose switch runs in their own sub contexts; in the manager's VM.\n"
	"\n"
	"  --config FILE  ports and limits, JSON; read again at SIGHUP\n"
	"  --check        read the configuration, say what is wrong with it, and end\n"
	"  --switch FILE  the switch's code (default " SWITCH_FILE ")\n"
	"  --report FILE  write the state of all ports there every second, as JSON\n"
	"  --show FILE    print such a report as a table\n"
	"  --help         this text\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"switch", required_argument, NULL, 's'},
		{"report", required_argument, NULL, 'r'},
		{"show", required_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *config = NULL, *code = SWITCH_FILE, *report = NULL;
	const struct sigaction action = {.sa_handler = on_signal};
	static struct daemon d;
	bool only_check = false;
	int option, error;

	if (output_open("elisa-vmnet"))
		return 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'k':
			only_check = true;
			break;
		case 's':
			code = optarg;
			break;
		case 'r':
			report = optarg;
			break;
		case 'w':
			return output_end(report_show(optarg));
		case 'h':
			return output_help(usage_text);
		default:
			fputs(usage_text, stderr);
			return 2;
		}
	}
	if (!config || optind < argc) {
		fputs(usage_text, stderr);
		return 2;
	}
	if (config_read(config, &d.config))
		return output_end(-1);
	if (only_check)
		return output_end(0);
	signals_catch(on_signal);
	sigaction(SIGHUP, &action, NULL);
	error = set_up(&d, code);
	if (!error) {
		output_print(STDOUT_FILENO, "export %s: %u ports\n", d.config.export_name,
			     d.config.port_count);
		error = run(&d, config, report);
	}
	tear_down(&d);
	return output_end(error);
}
