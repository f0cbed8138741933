/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch in a process of its own, over vNICs that are files. A driver's file may come, go, be
 * replaced or be cut short at any time; that must never stop the other ports.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <rvif/driver.h>
#include <rvif/patience.h>
#include <rvif/switch.h>
#include "clock.h"
#include "limit.h"
#include "options.h"
#include "output.h"
#include "port_stats.h"
#include "ready.h"
#include "rvs-fwd-control.h"
#include "rvs-fwd-port.h"
#include "see.h"
#include "service.h"
#include "signals.h"
#include "turns.h"
#include "uplink.h"
#include "utf8.h"
#include "vlans.h"

enum {
	MAX_PATHS = 256,
	MAX_UPLINKS = 8,
	UPLINK_MIB = 16, /* of memory, at most */
	QUEUES = 16,
	BURST = 256,
	LOOK_EVERY_US = 2000, /* at files and drivers' states */
	SLEEP_US = 20000,     /* the same if nothing comes: until then it sleeps, or until a kick */
	IDLE_ROUNDS = 30,     /* before it sleeps */
	NAP_US = 50,	      /* if frames may come without a kick */
	RECORDS = 4096, /* of frames that are captured: 8 MiB, if there is a socket to ask by */
};

struct port {
	const char *path;	 /* or the name of an interface: */
	struct uplink *uplink;	 /* NULL: it is no uplink */
	struct uplink_seen seen; /* of that */
	struct rvs_policy policy;
	struct rvif_mapping map;
	char why_not[96]; /* the last reason not to map the file that was said; "": none */
	bool attached;
	bool refused;	 /* said so for this epoch */
	uint32_t epoch;	 /* of the driver that is attached or was refused */
	uint32_t queues; /* to transmit */
	struct rvif_patience patience[QUEUES];
	struct limit limit;	 /* of what is said because of its file and driver */
	struct rvs_stats before; /* of the last report */
};

static struct options {
	bool json, quiet, poll, no_offload;
	uint32_t hold; /* milliseconds */
	const char *metrics, *control;
	double interval;
	double max_age;
	uint32_t max_learned;
	uint32_t flags; /* enum rvs_port_flag */
	int ready_fd;
	struct {
		const char *name[MAX_UPLINKS];
		uint32_t count;
	} uplinks;
} options = {.interval = 1, .max_age = 300, .max_learned = 1024, .hold = 100};

static struct rvs *rvs;
static struct fwd_control control;
static struct port ports[MAX_PATHS];
static uint32_t port_count;
static struct rvs_policy policy = {.features = RVIF_F_ALL, .mbps = 100000};
static volatile sig_atomic_t stop;

/* A file that was cut short: the access fails with SIGBUS at an address of one region. */
static sigjmp_buf cut_short;
static volatile sig_atomic_t may_jump;
static uint8_t *volatile fault_at;

/* The driver and the owner of the file decide how often. */
static void say(struct port *port, const char *what)
{
	if (limit_allows(&port->limit, monotonic()))
		output_print(STDERR_FILENO, "rvs-fwd: %s: %s\n", port->path, what);
}

static void say_left_out(double now)
{
	for (uint32_t i = 0; i < port_count; i++) {
		const uint64_t lines = limit_left_out(&ports[i].limit, now);

		if (lines)
			output_print(STDERR_FILENO, "rvs-fwd: %s: %llu messages were left out\n",
				     ports[i].path, (unsigned long long)lines);
	}
}

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!may_jump) {
		struct sigaction fatal = {.sa_handler = SIG_DFL};

		sigaction(signal, &fatal, NULL);
		return; /* and again */
	}
	fault_at = info->si_addr;
	siglongjmp(cut_short, 1);
}

/* --------------------------------------------------------------------------------- receivers */

static const struct rvif_header *header_of(const struct port *port)
{
	return (const struct rvif_header *)(const void *)port->map.region;
}

/* A receiver sleeps on "completed" of its queue; see rvif_shared_file. */
static void wake(uint32_t number, uint32_t queue)
{
	const struct port *port = &ports[number];
	const struct rvif_header *header = header_of(port);
	struct rvif_config config = header->config; /* its own affair if this changed */
	struct rvif_layout layout;

	if (!port->attached || rvif_layout(&config, &layout) || queue >= config.rx_queues ||
	    layout.buffers > port->map.size)
		return;
	syscall(SYS_futex, &rvif_rx_queue(port->map.region, &layout, queue)->completed, FUTEX_WAKE,
		INT_MAX, NULL, NULL, 0);
}

static void wake_port(uint32_t number)
{
	for (uint32_t queue = 0; ports[number].attached && queue < QUEUES; queue++)
		wake(number, queue);
}

static void wake_all(void)
{
	for (uint32_t i = 0; i < port_count; i++)
		wake_port(i);
}

/* ------------------------------------------------------------------------------------- ports */

/* There is one sender, and it is here, so none is inside: what is busy has more to do. */
static int let_go(uint32_t number)
{
	int error;

	do
		error = rvs_port_detach(rvs, number);
	while (error == -RVS_BUSY);
	return error;
}

static void detach(struct port *port)
{
	if (port->attached && let_go((uint32_t)(port - ports)) < 0)
		say(port, "detaching failed");
	port->attached = false;
}

/* The memory is not there any more. Zeroes take its place, so that
 * detaching has something to write to. */
static void drop_cut_short(void)
{
	for (uint32_t i = 0; i < port_count; i++) {
		struct port *port = &ports[i];
		struct rvif_mapping *map = &port->map;

		if (!map->region || fault_at < map->region || fault_at >= map->region + map->size)
			continue;
		say(port, "the file was cut short; dropped");
		if (mmap(map->region, map->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			 0) == MAP_FAILED)
			abort();
		rvs_sender_gone(rvs, 0);
		let_go(i); /* it may have been in the middle of attaching */
		port->attached = false;
		rvif_unmap(map);
		return;
	}
	rvs_sender_gone(rvs, 0);
}

/* The same is said once: we look all the time. */
static void cannot_use(struct port *port, const char *why)
{
	if (!strcmp(why, port->why_not))
		return;
	snprintf(port->why_not, sizeof(port->why_not), "%s", why);
	say(port, why);
}

/* A file may come later; that its folder does as well is less likely than a mistake. */
static bool has_folder(const char *path)
{
	char folder[PATH_MAX];

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return true;
	return !access(dirname(folder), F_OK);
}

static void map_file(struct port *port)
{
	const char *why;
	const int error = rvif_map(&port->map, port->path, &why);

	if (error == -EAGAIN)
		return;
	if (error && (error != -ENOENT || !has_folder(port->path))) {
		cannot_use(port, error == -ENOENT ? "there is no such folder" : why);
		return;
	}
	port->why_not[0] = 0;
	port->refused = false;
}

static void attach(struct port *port, uint32_t epoch)
{
	int error = rvs_port_attach(rvs, (uint32_t)(port - ports), port->map.region, port->map.size,
				    &port->policy);
	struct rvs_port_info info;

	if (error == -RVIF_NOT_UP || (port->refused && port->epoch == epoch && error))
		return;
	port->epoch = epoch;
	port->refused = error != 0;
	if (error) {
		say(port, rvif_strreason(-error));
		return;
	}
	port->attached = true;
	rvs_port_info(rvs, (uint32_t)(port - ports), &info);
	port->queues = info.tx_queues;
	memset(&port->before, 0, sizeof(port->before));
	memset(port->patience, 0, sizeof(port->patience));
	/* an earlier switch may have been killed between giving frames, perhaps a whole ring, and
	 * waking for them */
	wake_port((uint32_t)(port - ports));
}

/* Its driver is in this process, and goes up once. */
static void look_at_uplink(struct port *port, double now)
{
	const char *what;

	if (!port->attached)
		attach(port, rvif_load(&rvif_header(uplink_vnic(port->uplink))->driver.epoch));
	what = uplink_look(port->uplink, now);
	if (what)
		say(port, what);
}

/* The file and the driver as they are now. */
static void look_at(struct port *port, double now)
{
	const struct rvif_header *header;
	uint32_t state, epoch;

	if (port->uplink) {
		look_at_uplink(port, now);
		return;
	}
	if (port->map.is_open && rvif_map_is_old(&port->map, port->path)) {
		detach(port);
		rvif_unmap(&port->map);
	}
	if (!port->map.region)
		map_file(port);
	if (!port->map.region)
		return;
	header = header_of(port);
	state = rvif_load_acquire(&header->driver.state);
	epoch = rvif_load(&header->driver.epoch);
	if (port->attached && (state != RVIF_DRIVER_UP || epoch != port->epoch))
		detach(port);
	if (!port->attached && state == RVIF_DRIVER_UP)
		attach(port, epoch);
}

/* -------------------------------------------------------------------------------- statistics */

static const char *name_of(const void *owner, uint32_t port)
{
	(void)owner;
	return port < port_count ? ports[port].path : "";
}

static const struct uplink_seen *uplink_of(const void *owner, uint32_t port)
{
	(void)owner;
	return ports[port].uplink ? &ports[port].seen : NULL;
}

static void print_uplinks(FILE *to, const struct see *see)
{
	uplink_metrics(to, see, uplink_of);
}

static struct see see_all(void)
{
	return (struct see){.rvs = rvs,
			    .count = port_count,
			    .name = name_of,
			    .more = options.uplinks.count ? print_uplinks : NULL};
}

static void write_metrics(void)
{
	const struct see see = see_all();

	if (see_metrics(&see, options.metrics))
		output_print(STDERR_FILENO, "rvs-fwd: %s: %s\n", options.metrics,
			     strerrordesc_np(errno));
}

static struct json_object *port_as_json(const struct port *port, const struct rvs_stats *stats,
					double seconds)
{
	const struct see see = see_all();
	struct json_object *object = json_object_new_object();
	struct rvs_port_info info;
	char mac[MAC_TEXT_SIZE];

	rvs_port_info(rvs, (uint32_t)(port - ports), &info);
	mac_text(info.mac, mac);
	json_object_object_add(object, "vnic", utf8_json(port->path));
	json_object_object_add(object, "attached", json_object_new_boolean(port->attached));
	if (port->uplink)
		uplink_report(object, port->path, &port->seen);
	json_object_object_add(object, "mac", json_object_new_string(mac));
	port_stats_add_vlans(object, &port->policy);
	json_object_object_add(object, "learned", json_object_new_uint64(info.learned));
	port_stats_add(object, stats);
	json_object_object_add(object, "queues", see_queues(&see, (uint32_t)(port - ports)));
	port_stats_add_rate(object, "sent_per_second", stats->frames - port->before.frames,
			    seconds);
	port_stats_add_rate(object, "received_per_second",
			    stats->rx_frames - port->before.rx_frames, seconds);
	return object;
}

static void print_port(FILE *to, const struct port *port, const struct rvs_stats *stats,
		       double seconds)
{
	fprintf(to, "%-32s %12.0f %12.0f %12llu %12llu  %llu", port->path,
		(double)(stats->frames - port->before.frames) / seconds,
		(double)(stats->rx_frames - port->before.rx_frames) / seconds,
		(unsigned long long)stats->frames, (unsigned long long)stats->rx_frames,
		(unsigned long long)port_stats_drops(stats));
	port_stats_print_drops(to, stats);
	if (port->uplink)
		uplink_print(to, port->path, &port->seen);
}

static void print_table(FILE *to, const struct rvs_stats *stats, double seconds)
{
	fprintf(to, "%-32s %12s %12s %12s %12s  %s\n", "vnic", "sent/s", "received/s", "sent",
		"received", "drops");
	for (uint32_t i = 0; i < port_count; i++)
		print_port(to, &ports[i], &stats[i], seconds);
}

static void print_json(FILE *to, const struct rvs_stats *stats, double seconds)
{
	const struct see see = see_all();
	struct json_object *list = json_object_new_array(), *object = json_object_new_object();

	for (uint32_t i = 0; i < port_count; i++)
		json_object_array_add(list, port_as_json(&ports[i], &stats[i], seconds));
	json_object_object_add(object, "seconds", json_object_new_double(seconds));
	json_object_object_add(object, "ports", list);
	json_object_object_add(object, "table", see_table(&see, (uint32_t)monotonic()));
	fprintf(to, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static void report(double seconds)
{
	static struct rvs_stats stats[MAX_PATHS];
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return;
	for (uint32_t i = 0; i < port_count; i++)
		rvs_port_stats(rvs, i, &stats[i]);
	if (options.json)
		print_json(to, stats, seconds);
	else
		print_table(to, stats, seconds);
	fclose(to);
	output_text(STDOUT_FILENO, text);
	for (uint32_t i = 0; i < port_count; i++)
		ports[i].before = stats[i];
}

/* --------------------------------------------------------------------------------- switching */

static uint64_t microseconds(double seconds)
{
	return (uint64_t)(seconds * 1e6);
}

/* Returns frames moved. */
static uint32_t forward(uint32_t number, uint32_t queue, double now)
{
	struct rvif_patience *patience = &ports[number].patience[queue];
	const uint32_t hold =
		options.hold && rvif_has_patience(patience, microseconds(now)) ? RVS_HOLD : 0;
	struct rvs_result result;

	if (rvs_forward(rvs, 0, number, queue, BURST | hold, (uint32_t)now, &result))
		return 0;
	if (result.held)
		rvif_wait_on(patience, result.next, result.next + result.pending,
			     microseconds(monotonic()), options.hold * 1000ull);
	for (uint32_t w = 0; w < result.wakes; w++)
		wake(result.wake[w].port, result.wake[w].queue);
	if (result.more_wakes)
		wake_all();
	return result.frames;
}

/* Once over all queues; each time another port is the first that may use room which a receiver has
 * made. Returns frames moved. */
static uint32_t forward_round(double now)
{
	static uint32_t first;
	uint32_t frames = 0;

	first = first + 1 < port_count ? first + 1 : 0;
	for (uint32_t k = 0; k < port_count; k++) {
		const uint32_t i = first + k < port_count ? first + k : first + k - port_count;

		for (uint32_t queue = 0; ports[i].attached && queue < ports[i].queues; queue++)
			frames += forward(i, queue, now);
	}
	return frames;
}

/* All drivers that could kick, as they are before they are asked to. Returns how many; more than
 * FUTEX_WAITV_MAX cannot be waited for. */
static uint32_t list_kicks(struct futex_waitv *list)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < port_count; i++) {
		struct rvif_header *header = (struct rvif_header *)(void *)ports[i].map.region;

		if (!header)
			continue;
		if (count == FUTEX_WAITV_MAX)
			return count + 1;
		list[count++] = (struct futex_waitv){
			.val = rvif_load(&header->driver.kicks),
			.uaddr = (uintptr_t)&header->driver.kicks,
			.flags = FUTEX_32,
		};
	}
	return count;
}

/* Until a driver kicks, or there is something else to do. */
static void sleep_for_kicks(void)
{
	const struct timespec nap = {.tv_nsec = NAP_US * 1000};
	struct futex_waitv kicks[FUTEX_WAITV_MAX];
	const uint32_t count = list_kicks(kicks);
	struct timespec until;

	if (!count || count > FUTEX_WAITV_MAX || rvs_want_kicks(rvs, 1)) {
		nanosleep(&nap, NULL);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += SLEEP_US * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		/* fails where the kernel has no such call (before 5.16), or a file was cut short */
		if (syscall(SYS_futex_waitv, kicks, count, 0, &until, CLOCK_MONOTONIC) < 0 &&
		    (errno == ENOSYS || errno == EFAULT))
			nanosleep(&nap, NULL);
	}
	rvs_want_kicks(rvs, 0);
}

static void run(void)
{
	static double last_report, last_look, last_age, began;
	static uint32_t idle, rounds;
	static bool ages; /* a part of the table at each look */

	began = last_report = last_age = monotonic();
	last_look = 0;
	if (sigsetjmp(cut_short, 1)) {
		may_jump = 0;
		drop_cut_short();
		wake_all();
	}
	may_jump = 1;
	while (!stop) {
		double now;

		/* the clock costs more than an empty round */
		if (forward_round(last_look) || options.poll)
			idle = 0;
		else
			idle++;
		if (++rounds % 64 && idle < IDLE_ROUNDS)
			continue;
		now = monotonic();
		if (now - last_look > (idle < IDLE_ROUNDS ? LOOK_EVERY_US : SLEEP_US) * 1e-6) {
			rvs_refill(rvs, (uint32_t)(1e6 * (now - last_look)));
			last_look = now;
			if (ages)
				ages = rvs_table_age(rvs, (uint32_t)now);
			for (uint32_t i = 0; i < port_count; i++)
				look_at(&ports[i], now);
			control.now = now;
			control_serve(&control.socket, now);
		}
		if (now - last_age > 1) {
			last_age = now;
			captures_look(&control.captures, now);
			ages = true;
			say_left_out(now);
		}
		if (options.interval > 0 && now - last_report >= options.interval) {
			if (!options.quiet)
				report(now - last_report);
			if (options.metrics)
				write_metrics();
			last_report = now;
		}
		if (idle >= IDLE_ROUNDS)
			sleep_for_kicks();
	}
	if (options.metrics)
		write_metrics();
	if (!options.quiet)
		report(options.interval > 0 ? monotonic() - last_report : monotonic() - began);
	for (uint32_t i = 0; i < port_count; i++) {
		detach(&ports[i]);
		if (ports[i].uplink)
			uplink_close(ports[i].uplink);
		else
			rvif_unmap(&ports[i].map);
	}
	may_jump = 0;
}

/* ------------------------------------------------------------------------------------ options */

static uint32_t count_vlans(void)
{
	uint64_t all[VLANS_WORDS] = {0};

	for (uint32_t i = 0; i < port_count; i++) {
		const struct rvs_policy *of = &ports[i].policy;

		for (uint32_t word = 0; word < VLANS_WORDS; word++)
			all[word] |= of->trunk[word];
		if (of->vlan)
			all[of->vlan / 64] |= 1ull << of->vlan % 64;
	}
	return vlans_count(all);
}

static int port_of(const char *path)
{
	for (uint32_t i = 0; i < port_count; i++)
		if (!strcmp(ports[i].path, path))
			return (int)i;
	return -1;
}

static int make_switch(uint32_t max_age)
{
	struct rvs_config config = {.ports = port_count,
				    .senders = 1,
				    .queues = QUEUES,
				    .buckets = 4096,
				    .vlans = count_vlans(),
				    .one_thread = 1,
				    .max_age = max_age,
				    .records = options.control ? RECORDS : 0};
	uint64_t size;

	if (getrandom(&config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
		return -errno;
	rvs = captures_memory(&control.captures, 0, &config, &size);
	return rvs ? rvs_init(rvs, size, &config) : -ENOMEM;
}

static void catch_signals(void)
{
	struct sigaction bus = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	signals_catch(on_stop);
	sigaction(SIGBUS, &bus, NULL);
}

static int read_uplink(const struct program_option *option, const char *text, void *to)
{
	__typeof__(options.uplinks) *uplinks = to;

	(void)option;
	if (uplinks->count == MAX_UPLINKS)
		return -EINVAL;
	uplinks->name[uplinks->count++] = text;
	return 0;
}

static const struct program_option known[] = {
	OPTION_READ("uplink", "INTERFACE", "an interface, one of at most 8", read_uplink, uplinks,
		    "a port that is a Linux interface; settings as of a vNIC; more than\n"
		    "once for more of them. Needs CAP_NET_RAW"),
	OPTION_REAL("interval", "SECONDS", "a number of seconds", interval, 1e6,
		    "print statistics of each port this often (default 1; 0: only at\nthe end)"),
	OPTION_FLAG("json", json, "print statistics as JSON, an object a line"),
	OPTION_FLAG("quiet", quiet, "print no statistics"),
	OPTION_TEXT("metrics", "FILE", "a file", metrics,
		    "write all counters there as often, as OpenMetrics text"),
	OPTION_BITS("check-source", flags, RVS_CHECK_SOURCE,
		    "drop what a port sends from other addresses than its own"),
	OPTION_REAL("max-age", "SECONDS", "a number of seconds", max_age, 1e9,
		    "forget a learned address after this time (default 300)"),
	OPTION_NUMBER("max-learned", "N", "a number of addresses", max_learned, 0, 1e6,
		      "addresses that a port may teach (default 1024)"),
	OPTION_BITS("forward-link-local", flags, RVS_FORWARD_LINK_LOCAL,
		    "flood STP and LLDP (01:80:C2:00:00:00 to 0F), too; pause frames\n"
		    "and LACP are always dropped"),
	OPTION_NUMBER("hold", "MS", "a number of milliseconds", hold, 0, 10000,
		      "let frames wait so long for a receiver that has no room, before\n"
		      "they are dropped (default 100; 0: not at all)"),
	OPTION_FLAG("no-offload", no_offload, "grant neither checksum nor segmentation offload"),
	OPTION_TEXT("control", "FILE", "a file", control,
		    "answer requests of rvs-capture at this socket"),
	OPTION_READY_FD(ready_fd),
	OPTION_FLAG("poll", poll, "never sleep, also when nothing comes"),
};

static const struct program program = {
	.name = "rvs-fwd",
	.before =
		"Usage: rvs-fwd [OPTION]... [--uplink INTERFACE[,SETTING]]... VNIC[,SETTING]...\n"
		"\n"
		"Switches frames between vNICs, each of which is a file that its driver makes\n"
		"(rvs-pktgen, DPDK's net_rvif). Files may be there already or come later. Ends with\n"
		"SIGINT or SIGTERM.\n"
		"\n",
	.after =
		"Settings of a port, behind its path:\n"
		"\n"
		"  ,vlan=V             it is in this VLAN; of a trunk: frames without a tag are\n"
		"  ,trunk=V+V-V        a trunk: it sends and gets frames of these VLANs, tagged\n"
		"  ,ip=A+A             it sends IP, ARP and neighbour discovery of these only\n"
		"  ,frames=N ,bytes=N  it sends at most so many a second\n"
		"  ,floods=N           the same of frames to groups and unknown addresses\n"
		"  ,isolated           it reaches no other isolated port\n"
		"  ,share              no port may take all of its receive ring, if others send, "
		"too\n"
		"\n"
		"Exit status: 0 ended by a signal; 1 failed, or its reports could not be written;\n"
		"2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

/* 0, or the exit status after a message. */
static int add_port(char *argument)
{
	struct port *port = &ports[port_count++];

	port->policy = policy;
	port->path = argument;
	return port_settings(&program, argument, &port->policy);
}

/*
 * Stations behind it have any addresses. What the ports have no offloads for, the switch does: the
 * kernel cannot be told to leave them to it.
 */
static int open_uplink(struct port *port)
{
	const char *what;
	int error;

	port->policy.flags &= ~(uint32_t)RVS_CHECK_SOURCE;
	port->policy.features = RVIF_F_ALL;
	if (!uplink_is_name(port->path))
		return options_wrong(&program, "--uplink: '%s' is no name of an interface",
				     port->path);
	error = uplink_open(&port->uplink, port->path, &rvif_private_memory, "", UPLINK_MIB << 20,
			    &port->seen, &what);
	if (error) {
		fprintf(stderr, "rvs-fwd: uplink %s: %s: %s%s\n", port->path, what,
			strerrordesc_np(-error), error == -EPERM ? "; this needs CAP_NET_RAW" : "");
		return 1;
	}
	port->map.region = uplink_vnic(port->uplink)->region;
	port->map.size = uplink_vnic(port->uplink)->size;
	return 0;
}

static int add_uplinks(void)
{
	int status = 0;

	for (uint32_t i = 0; i < options.uplinks.count && !status; i++) {
		/* of the command line: what is cut off is its settings */
		status = add_port((char *)(uintptr_t)options.uplinks.name[i]);
		if (!status)
			status = open_uplink(&ports[port_count - 1]);
	}
	return status;
}

int main(int argc, char **argv)
{
	int first, status;

	if (output_open(program.name))
		return 1;
	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first == argc)
		return options_wrong(&program, "the paths of vNICs' files are missing");
	if (argc - first + (int)options.uplinks.count > MAX_PATHS)
		return options_wrong(&program, "more than %d ports", MAX_PATHS);
	policy.flags = options.flags;
	policy.max_learned = options.max_learned;
	if (options.no_offload)
		policy.features &= ~(RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_TSO6);
	for (status = 0; first < argc && !status; first++)
		status = add_port(argv[first]);
	if (!status)
		status = add_uplinks();
	if (status)
		return status;
	if (make_switch((uint32_t)options.max_age)) {
		fputs("rvs-fwd: no memory for the switch\n", stderr);
		return 1;
	}
	control.port = port_of;
	control.socket.fd = -1;
	if (options.control && fwd_control_open(&control, options.control))
		return output_end(1);
	catch_signals();
	take_short_turns();
	service_ready("rvs-fwd", options.ready_fd);
	run();
	control_close(&control.socket);
	return output_end(0);
}
