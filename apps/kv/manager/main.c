/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-kv: exports a key-value store and manages it. It serves no guest: guests do everything by
 * their calls. It keeps the store's clock, frees what dead callers had taken, removes expired
 * items, and writes snapshots. When the daemon ends, the export ends.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "daemon.h"
#include "options.h"
#include "output.h"
#include "ready.h"
#include "service.h"
#include "settings.h"

#define CODE_OFFSET   0ull /* offsets in the object area */
#define PLACES_OFFSET (1ull << 29)
#define STORE_OFFSET  (1ull << 30)
#define TICK_MS	      1000
#define OWED_MS	      10   /* until the next try at a store that is busy */
#define SWEEP_BUCKETS 4096 /* buckets of each space that are swept in a second */

static int failed(struct daemon *d, const char *what)
{
	output_print(STDERR_FILENO, "elisa-kv: %s: %s\n", what, elisa_error(d->elisa));
	return -1;
}

/* ---------------------------------------------------------------------------------- set up */

static int make_store(struct daemon *d)
{
	const struct config *config = &d->config;
	struct kv_space_config space[MAX_SPACES];
	struct kv_config sizes = {.places = config->place_count,
				  .vcpus = (uint32_t)config->vcpus,
				  .spaces = config->space_count,
				  .space = space};
	struct timespec now;
	void *memory;

	for (uint32_t i = 0; i < config->space_count; i++)
		space[i] = (struct kv_space_config){.memory = config->space[i].mib << 20,
						    .cell_size = (uint32_t)config->space[i].cell};
	clock_gettime(CLOCK_REALTIME, &now);
	sizes.first_cas = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (getrandom(&sizes.secret, sizeof(sizes.secret), 0) != sizeof(sizes.secret))
		return -1;
	d->size = kv_store_size(&sizes);
	if (!d->size || d->size > ELISA_OBJECT_SIZE - STORE_OFFSET) {
		output_print(STDERR_FILENO, "elisa-kv: spaces of these sizes are not possible\n");
		return -1;
	}
	memory = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		output_print(STDERR_FILENO, "elisa-kv: %llu MiB for the store: %s\n",
			     (unsigned long long)d->size >> 20, strerror(errno));
		return -1;
	}
	d->store = memory;
	return kv_store_init(d->store, &sizes);
}

static int make_places(struct daemon *d)
{
	const struct config *config = &d->config;
	const uint32_t per_vmm = config->open_places_per_vm < config->place_count ?
					 (uint32_t)config->open_places_per_vm :
					 config->place_count;
	uint8_t ticket[ELISA_TICKET_SIZE];

	if (elisa_export_places(d->export_, PLACES_OFFSET, config->place_count, ELISA_PAGE_SIZE,
				per_vmm))
		return failed(d, "places");
	for (uint32_t i = 0; i < config->place_count; i++) {
		const char *file = config->place[i].ticket_file;

		if (!file[0])
			continue;
		if (settings_secret(&(struct settings){.program = "elisa-kv", .file = file}, ticket,
				    sizeof(ticket)))
			return -1;
		if (elisa_export_place_ticket(d->export_, i, ticket))
			return failed(d, file);
	}
	explicit_bzero(ticket, sizeof(ticket));
	return 0;
}

/* Loads the code, and tells it the distance to the store. */
static int make_code(struct daemon *d, const char *code)
{
	int64_t *distance;
	uint64_t at;

	if (elisa_extra_load(d->export_, code, CODE_OFFSET, &d->code) ||
	    elisa_extra_symbol(d->code, "kv_store_distance", &at))
		return failed(d, code);
	distance = elisa_extra_address(d->code, "kv_store_distance");
	if (!distance)
		return failed(d, code);
	*distance = (int64_t)STORE_OFFSET - (int64_t)at;
	return 0;
}

static int set_up(struct daemon *d, const char *code)
{
	d->started = d->now = monotonic();
	if (elisa_open(NULL, &d->elisa)) {
		output_print(STDERR_FILENO, "elisa-kv: /dev/elisa: %s\n", elisa_error(NULL));
		return -1;
	}
	if (make_store(d))
		return -1;
	elisa_set_suspend_limit(d->elisa, (uint32_t)d->config.suspend_us);
	if (elisa_export_create(d->elisa, d->config.export_name,
				ELISA_EXPORT_GENERAL_REGS | ELISA_EXPORT_FAULTS,
				(uint32_t)d->config.limit_us, &d->export_) ||
	    elisa_export_map(d->export_, STORE_OFFSET, d->store, d->size,
			     ELISA_PROT_READ | ELISA_PROT_WRITE))
		return failed(d, d->config.export_name);
	if (make_places(d) || make_code(d, code))
		return -1;
	guests_allow(d);
	if (d->config.snapshot[0])
		load_snapshot(d);
	return elisa_extra_publish(d->code, "entry_function") ? failed(d, code) : 0;
}

/* Ends the export, then writes the snapshot. No guest is in the store any more then, so the
 * snapshot has everything that was answered. */
static int tear_down(struct daemon *d, bool keep)
{
	int error = 0;

	elisa_extra_unload(d->code);
	elisa_export_destroy(d->export_);
	if (keep && d->config.snapshot[0])
		error = snapshot_whole(d);
	elisa_close(d->elisa);
	if (d->store)
		munmap(d->store, d->size);
	return error;
}

/* ------------------------------------------------------------------------------------- run */

static void read_again(struct daemon *d, const char *file)
{
	static struct config config;

	service_reload = 0;
	if (config_read(file, &config) || !reload_is_possible(&d->config, &config, file))
		return;
	d->config = config;
	guests_allow(d);
}

static void wait_for_work(struct daemon *d)
{
	struct pollfd wait = {.fd = elisa_fd(d->elisa), .events = POLLIN};

	poll(&wait, 1, d->snapshot.to ? 0 : d->owes ? OWED_MS : TICK_MS);
	d->now = monotonic();
}

/* Does what is due each second. */
static void tick(struct daemon *d, const char *report, const char *metrics)
{
	library_left_out(d);
	for (uint32_t i = 0; i < d->config.space_count; i++)
		kv_manager_sweep(d->store, i, &d->cursor[i], SWEEP_BUCKETS);
	if (report)
		report_write(d, report);
	if (metrics)
		report_metrics(d, metrics);
}

static int run(struct daemon *d, const char *config, const char *report, const char *metrics)
{
	double ticked = d->now, kept = d->now;

	while (!service_stop && !d->over) {
		wait_for_work(d);
		kv_store_time(d->store, (uint64_t)(d->now - d->started));
		library_events(d);
		if (service_reload)
			read_again(d, config);
		if (d->snapshot.to) {
			snapshot_step(d);
		} else if (d->config.snapshot_s && d->now - kept >= (double)d->config.snapshot_s) {
			kept = d->now;
			snapshot_begin(d);
		}
		if (d->now - ticked >= 1) {
			ticked = d->now;
			tick(d, report, metrics);
		}
	}
	return d->over ? -1 : 0;
}

/* -------------------------------------------------------------------------------- program */

struct options {
	const char *config, *code, *report, *metrics, *show;
	bool only_check;
	int ready_fd;
};

static const struct program_option known[] = {
	OPTION_TEXT("config", "FILE", "a file", config,
		    "spaces and places, JSON; read again at SIGHUP"),
	OPTION_FLAG("check", only_check,
		    "check the configuration, report what is wrong with it, and end"),
	OPTION_TEXT("code", "FILE", "a file", code, "the store's code\n(default " CODE_FILE ")"),
	OPTION_TEXT("report", "FILE", "a file", report,
		    "write the state of the store to this file every second, as JSON"),
	OPTION_TEXT("metrics", "FILE", "a file", metrics,
		    "write the counters to this file as OpenMetrics text, for Prometheus"),
	OPTION_READY_FD(ready_fd),
	OPTION_TEXT("show", "FILE", "a file", show, "print a file of --report as a table"),
};

static const struct program program = {
	.name = "elisa-kv",
	.before = "Usage: elisa-kv --config FILE [OPTION]...\n"
		  "       elisa-kv --show REPORT\n"
		  "\n"
		  "Manages a key-value store that VMs share and call in their own sub contexts.\n"
		  "Runs in the manager's VM.\n"
		  "\n",
	.after = "Exit status: 0 ended by a signal, or done; 1 failed, or its output or the\n"
		 "snapshot could not be written; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

static int manage(const struct options *options)
{
	static struct daemon d;
	int error;

	if (config_read(options->config, &d.config))
		return output_end(-1);
	if (options->only_check)
		return output_end(0);
	service_begin();
	error = set_up(&d, options->code);
	if (error) {
		tear_down(&d, false);
		return output_end(error);
	}
	output_print(STDOUT_FILENO, "export %s: %u spaces, %u places\n", d.config.export_name,
		     d.config.space_count, d.config.place_count);
	service_ready(program.name, options->ready_fd);
	error = run(&d, options->config, options->report, options->metrics);
	if (tear_down(&d, true))
		error = -1;
	return output_end(error);
}

int main(int argc, char **argv)
{
	struct options options = {.code = CODE_FILE};
	int status;

	if (output_open(program.name))
		return 1;
	if (!options_only(&program, &options, argc, argv, &status))
		return status;
	if (options.show)
		return output_end(report_show(options.show));
	if (!options.config)
		return options_wrong(&program, "--config is missing");
	return manage(&options);
}
