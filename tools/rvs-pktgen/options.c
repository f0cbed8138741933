/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: the table of its options, and what depends on the command. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "pktgen.h"
#include "vnic_options.h"

static int read_size(const struct program_option *option, const char *text, void *to)
{
	if (strcmp(text, "imix"))
		return option_number(option, text, to);
	*(uint32_t *)to = IMIX;
	return 0;
}

static int read_udp(const struct program_option *option, const char *text, void *to)
{
	const char *comma = strchr(text, ',');
	struct udp_option *udp = to;
	char from[INET_ADDRSTRLEN];

	(void)option;
	if (!comma || (size_t)(comma - text) >= sizeof(from))
		return -EINVAL;
	memcpy(from, text, (size_t)(comma - text));
	from[comma - text] = 0;
	udp->is_on = inet_pton(AF_INET, from, udp->from) == 1 &&
		     inet_pton(AF_INET, comma + 1, udp->to) == 1;
	return udp->is_on ? 0 : -EINVAL;
}

static const struct program_option known[] = {
	OPTION_READ("mac", "MAC", STATION_MUST, option_station, mac,
		    "address to insist on (default what the switch says, else\n"
		    "02:00:00:00:00:01 for tx and ping, 02:00:00:00:00:02 for rx and pong)"),
	OPTION_READ("to", "MAC", "a MAC address, as 02:00:00:00:00:01", option_address, to,
		    "where to send (default 02:00:00:00:00:02)"),
	{.name = "size",
	 .value = "N | imix",
	 .must = "a number of bytes or imix",
	 .read = read_size,
	 OPTION_AT(size),
	 .least = MIN_SIZE,
	 .most = MAX_SIZE,
	 .help = "bytes of a frame, 64 to 9216 (default 64)"},
	OPTION_READ("udp", "FROM,TO", "two IPv4 addresses, as 10.0.0.1,10.0.0.2", read_udp, udp,
		    "tx: send with IP and UDP headers between these; frames then\n"
		    "have at least 80 bytes"),
	OPTION_NUMBER("flows", "N", "a number of flows", flows, 1, MAX_FLOWS,
		      "with --udp: source ports, in turn, 1 to 1024 (default 1)"),
	OPTION_FLAG("latency", latency,
		    "tx: put the time into each frame; rx prints how long the frames\n"
		    "were on their way, if it runs on the same machine"),
	OPTION_NUMBER("queues", "N", "a number of queues", queues, 1, MAX_QUEUES,
		      "tx, rx: pairs of queues, with a thread each, 1 to 16 (default 1)"),
	OPTION_NUMBER("batch", "N", "a number of frames", batch, 1, MAX_BATCH,
		      "frames that are posted at once, 1 to 256 (default 32)"),
	{.name = "count",
	 .value = "N",
	 .must = "a number of frames",
	 .read = option_real,
	 OPTION_AT(count),
	 .least = 1,
	 .most = 1e18,
	 .help = "end after this many frames sent, received, or answered"},
	OPTION_REAL("time", "SECONDS", "a number of seconds", time, 1e9,
		    "end after this time, or --count if that comes first (default 10\nfor ping)"),
	OPTION_REAL("rate", "N", "a number of frames per second", rate, 1e12,
		    "the most frames to send a second"),
	OPTION_REAL("interval", "SECONDS", "a number of seconds", interval, 1e6,
		    "print rates this often (default 1; 0: only at the end)"),
	OPTION_READ("mode", "MODE", ACCESS_MODE_MUST, option_mode, access,
		    "permissions of the file VNIC, octal (default 0600)"),
	OPTION_READ("group", "GROUP", "a group", option_group, access, "group of the file"),
	OPTION_FLAG("json", json, "print JSON, an object a line"),
	OPTION_FLAG("poll", poll, "never sleep, even when no frames come"),
	OPTION_REAL("wait", "SECONDS", "a number of seconds", wait, 1e9,
		    "give up if no switch attaches the vNIC (default: wait)"),
};

const struct program program = {
	.name = "rvs-pktgen",
	.before =
		"Usage: rvs-pktgen COMMAND [OPTION]... VNIC\n"
		"\n"
		"Makes the vNIC VNIC, a file, and waits until a switch (rvs-fwd) attaches it. In a\n"
		"VM, VNIC may be elisa:EXPORT or elisa:/PATH/OF/TICKET: a port of elisa-vmnet.\n"
		"\n"
		"  tx    send frames\n"
		"  rx    receive and count frames; find losses\n"
		"  ping  send one frame at a time and wait for its answer; print latencies\n"
		"  pong  answer the frames of ping\n"
		"\n",
	.after =
		"Exit status: 0 done, or ended by a signal; 1 failed, or the results could not be\n"
		"written; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

static bool to_command(const char *text, enum command *command)
{
	static const char *const names[] = {"tx", "rx", "ping", "pong"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			*command = (enum command)i;
			return true;
		}
	return false;
}

/* Sets options that were not given, as the command needs them. */
static void set_defaults(struct options *options)
{
	const enum command command = options->command;

	options->has_mac = rvif_mac_is_station(options->mac);
	if (!options->has_mac)
		memcpy(options->mac,
		       (uint8_t[]){2, 0, 0, 0, 0, command == TX || command == PING ? 1 : 2}, 6);
	if (options->udp.is_on && options->size < MIN_UDP_SIZE)
		options->size = MIN_UDP_SIZE;
	if (options->time < 0)
		options->time = command == PING ? 10 : 0;
}

bool read_command_line(struct options *options, int argc, char **argv, int *status)
{
	int first;

	*options = (struct options){
		.to = {2, 0, 0, 0, 0, 2},
		.size = MIN_SIZE,
		.batch = 32,
		.flows = 1,
		.queues = 1,
		.time = -1,
		.interval = 1,
	};
	first = options_read(&program, 0, options, argc, argv, status);
	if (first == OPTIONS_DONE)
		return false;
	*status = 2;
	if (first == argc)
		options_wrong(&program, "the command is missing: tx, rx, ping or pong");
	else if (!to_command(argv[first], &options->command))
		options_wrong(&program, "'%s' is not tx, rx, ping or pong", argv[first]);
	else if (argc - first != 2)
		options_wrong(&program, "give one vNIC, by the path of its file");
	else if (options->command >= PING && options->size > BUFFER)
		options_wrong(&program, "--size: frames of ping and pong have at most %d bytes",
			      BUFFER);
	else if (options->command != TX && (options->udp.is_on || options->latency))
		options_wrong(&program, "--udp and --latency are for tx");
	else if (options->command >= PING && options->queues > 1)
		options_wrong(&program, "--queues is for tx and rx");
	else if (options->udp.is_on && options->size == IMIX)
		options_wrong(&program, "--udp: frames of a mix of sizes have no room for it");
	else
		*status = vnic_check_access(&program, argv[first + 1], &options->access);
	if (*status)
		return false;
	options->path = argv[first + 1];
	set_defaults(options);
	return true;
}
