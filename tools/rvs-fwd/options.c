/* SPDX-License-Identifier: Apache-2.0 */
/* rvs-fwd's command line. */
#include "fwd.h"

#include <errno.h>
#include "ready.h"

static int read_uplink(const struct program_option *option, const char *text, void *to)
{
	struct uplink_names *uplinks = to;

	(void)option;
	if (uplinks->count == MAX_UPLINKS)
		return -EINVAL;
	uplinks->name[uplinks->count++] = text;
	return 0;
}

static const struct program_option known[] = {
	OPTION_READ("uplink", "INTERFACE", "an interface, one of at most 8", read_uplink, uplinks,
		    "a port that is a Linux interface, with settings as a vNIC has; may\n"
		    "be repeated. Needs CAP_NET_RAW"),
	OPTION_REAL("interval", "SECONDS", "a number of seconds", interval, 1e6,
		    "print statistics this often (default 1; 0: only at the end)"),
	OPTION_FLAG("json", json, "print statistics as JSON, an object on each line"),
	OPTION_FLAG("quiet", quiet, "print no statistics"),
	OPTION_TEXT("metrics", "FILE", "a file", metrics,
		    "write all counters to this file as often, as OpenMetrics text"),
	OPTION_BITS("check-source", flags, RVS_CHECK_SOURCE,
		    "drop frames that a port sends from other addresses than its own"),
	OPTION_REAL("max-age", "SECONDS", "a number of seconds", max_age, 1e9,
		    "forget a learned address after this time (default 300)"),
	OPTION_NUMBER("max-learned", "N", "a number of addresses", max_learned, 0, 1e6,
		      "the most addresses to learn from a port (default 1024)"),
	OPTION_BITS("forward-link-local", flags, RVS_FORWARD_LINK_LOCAL,
		    "flood STP and LLDP (01:80:C2:00:00:00 to 0F), too; pause frames\n"
		    "and LACP are always dropped"),
	OPTION_NUMBER("hold", "MS", "a number of milliseconds", hold, 0, 10000,
		      "let a frame wait this long for a receiver without room, before it\n"
		      "is dropped (default 100; 0: never wait)"),
	OPTION_FLAG("no-offload", no_offload, "grant neither checksum nor segmentation offload"),
	OPTION_TEXT("control", "FILE", "a file", control,
		    "answer requests of rvs-capture at this socket"),
	OPTION_READY_FD(ready_fd),
	OPTION_FLAG("poll", poll, "never sleep, even when no frames come"),
};

const struct program program = {
	.name = "rvs-fwd",
	.before = "Usage: rvs-fwd [OPTION]... [--uplink INTERFACE[,SETTING]]... VNIC[,SETTING]...\n"
		  "\n"
		  "Switches frames between vNICs. Each vNIC is a file that its driver makes\n"
		  "(rvs-pktgen, DPDK's net_rvif). A file may exist already or appear later.\n"
		  "Ends with SIGINT or SIGTERM.\n"
		  "\n",
	.after =
		"Settings of a port, behind its path:\n"
		"\n"
		"  ,vlan=V             the VLAN of its frames without a tag\n"
		"  ,trunk=V+V-V        the port sends and gets tagged frames of these VLANs\n"
		"  ,ip=A+A             it sends IP, ARP and neighbour discovery from these only\n"
		"  ,frames=N ,bytes=N  it sends at most this many frames or bytes a second\n"
		"  ,floods=N           the same limit for frames to groups and unknown addresses\n"
		"  ,isolated           it reaches no other isolated port\n"
		"  ,share              no port may take all of its receive ring while others send\n"
		"\n"
		"Exit status: 0 ended by a signal; 1 failed, or a report could not be written;\n"
		"2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

/* Adds a port with its settings. Returns 0, or the exit status after a message. */
static int add_port(struct fwd *fwd, const struct rvs_policy *policy, char *argument)
{
	struct port *port = &fwd->port[fwd->port_count++];

	port->policy = *policy;
	port->path = argument;
	return port_settings(argument, &port->policy);
}

static int add_uplinks(struct fwd *fwd, const struct rvs_policy *policy)
{
	const struct uplink_names *uplinks = &fwd->options.uplinks;
	int status = 0;

	for (uint32_t i = 0; i < uplinks->count && !status; i++) {
		/* add_port() cuts the settings off, in the command line's own memory */
		status = add_port(fwd, policy, (char *)(uintptr_t)uplinks->name[i]);
		if (!status)
			status = port_open_uplink(&fwd->port[fwd->port_count - 1]);
	}
	return status;
}

/* Returns the policy of a port without settings of its own. */
static struct rvs_policy common_policy(const struct options *options)
{
	struct rvs_policy policy = {.features = RVIF_F_ALL,
				    .mbps = 100000,
				    .flags = options->flags,
				    .max_learned = options->max_learned};

	if (options->no_offload)
		policy.features &= ~(RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_TSO6);
	return policy;
}

bool read_command_line(struct fwd *fwd, int argc, char **argv, int *status)
{
	struct options *options = &fwd->options;
	struct rvs_policy policy;
	int first;

	*options =
		(struct options){.interval = 1, .max_age = 300, .max_learned = 1024, .hold = 100};
	first = options_read(&program, 0, options, argc, argv, status);
	if (first == OPTIONS_DONE)
		return false;
	if (first == argc) {
		*status = options_wrong(&program, "the paths of vNICs' files are missing");
		return false;
	}
	if (argc - first + (int)options->uplinks.count > MAX_PATHS) {
		*status = options_wrong(&program, "more than %d ports", MAX_PATHS);
		return false;
	}
	policy = common_policy(options);
	for (*status = 0; first < argc && !*status; first++)
		*status = add_port(fwd, &policy, argv[first]);
	if (!*status)
		*status = add_uplinks(fwd, &policy);
	return !*status;
}
