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

const struct program program = {
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
		/* of the command line: what is cut off is its settings */
		status = add_port(fwd, policy, (char *)(uintptr_t)uplinks->name[i]);
		if (!status)
			status = port_open_uplink(&fwd->port[fwd->port_count - 1]);
	}
	return status;
}

/* What holds for each port that has no setting of its own. */
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
