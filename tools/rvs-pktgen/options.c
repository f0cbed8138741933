/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. A value that is wrong is named. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pktgen.h"

const char usage_text[] =
	"Usage: rvs-pktgen COMMAND [OPTION]... VNIC\n"
	"\n"
	"Makes the vNIC VNIC, a file, and waits until a switch (rvs-fwd) attaches it. In a VM,\n"
	"VNIC may be elisa:EXPORT or elisa:/PATH/OF/TICKET: a port of elisa-vmnet.\n"
	"\n"
	"  tx    send frames\n"
	"  rx    receive, count, find losses\n"
	"  ping  send one frame at a time and wait for its answer; print latencies\n"
	"  pong  answer\n"
	"\n"
	"  --mac MAC        address to insist on (default what the switch says, else\n"
	"                   02:00:00:00:00:01 for tx and ping, 02:00:00:00:00:02 for rx and pong)\n"
	"  --to MAC         where to send (default 02:00:00:00:00:02)\n"
	"  --size N | imix  bytes of a frame, 64 to 9216 (default 64)\n"
	"  --batch N        frames that are posted at once, 1 to 256 (default 32)\n"
	"  --count N        end after so many frames sent, received, or answered\n"
	"  --time SECONDS   end after this time (default 10 for ping: whatever comes first)\n"
	"  --rate N         frames per second to send at most\n"
	"  --interval S     print rates this often (default 1; 0: only at the end)\n"
	"  --mode MODE      permissions of the file VNIC, octal (default 0600)\n"
	"  --group GROUP    its group\n"
	"  --json           print JSON, an object a line\n"
	"  --poll           never sleep while nothing comes\n"
	"  --wait SECONDS   give up if no switch attaches the vNIC (default: wait)\n"
	"  --help           this text\n"
	"\n"
	"Exit status: 0 done, or ended by a signal; 1 failed, or the results could not be\n"
	"written; 2 wrong usage.\n";

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "rvs-pktgen: %s: %s; see rvs-pktgen --help\n", what, value);
	return 2;
}

static bool to_number(const char *text, double min, double max, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= min && *value <= max;
}

/* 0, or the exit status. */
static int read_option(struct options *options, int option)
{
	double number;

	switch (option) {
	case 'm':
		options->has_mac = true;
		return !rvif_parse_mac(optarg, options->mac) && rvif_mac_is_station(options->mac) ?
			       0 :
			       usage_error("no address of a station, as 02:00:00:00:00:01", optarg);
	case 't':
		return rvif_parse_mac(optarg, options->to) ?
			       usage_error("no MAC address, as 02:00:00:00:00:01", optarg) :
			       0;
	case 's':
		if (!strcmp(optarg, "imix"))
			options->size = IMIX;
		else if (to_number(optarg, MIN_SIZE, MAX_SIZE, &number))
			options->size = (uint32_t)number;
		else
			return usage_error("no size from 64 to 9216", optarg);
		return 0;
	case 'b':
		if (!to_number(optarg, 1, MAX_BATCH, &number))
			return usage_error("no batch from 1 to 256", optarg);
		options->batch = (uint32_t)number;
		return 0;
	case 'c':
		return to_number(optarg, 1, 1e18, &options->count) ?
			       0 :
			       usage_error("no number of frames", optarg);
	case 'T':
		return to_number(optarg, 0, 1e9, &options->time) ?
			       0 :
			       usage_error("no number of seconds", optarg);
	case 'r':
		return to_number(optarg, 0, 1e12, &options->rate) ? 0 :
								    usage_error("no rate", optarg);
	case 'i':
		return to_number(optarg, 0, 1e6, &options->interval) ?
			       0 :
			       usage_error("no number of seconds", optarg);
	case 'w':
		return to_number(optarg, 0, 1e9, &options->wait) ?
			       0 :
			       usage_error("no number of seconds", optarg);
	case 'M':
		return rvif_parse_mode(optarg, &options->access.mode) ?
			       usage_error("no octal mode from 1 to 0777", optarg) :
			       0;
	case 'G':
		options->access.has_group = 1;
		return rvif_parse_group(optarg, &options->access.group) ?
			       usage_error("no group", optarg) :
			       0;
	case 'j':
		options->json = true;
		return 0;
	case 'p':
		options->poll = true;
		return 0;
	default:
		fputs("see rvs-pktgen --help\n", stderr);
		return 2;
	}
}

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

static void set_defaults(struct options *options, enum command command)
{
	*options = (struct options){
		.command = command,
		.mac = {2, 0, 0, 0, 0, command == TX || command == PING ? 1 : 2},
		.to = {2, 0, 0, 0, 0, 2},
		.size = MIN_SIZE,
		.batch = 32,
		.time = command == PING ? 10 : 0,
		.interval = 1,
	};
}

bool options_over_elisa(const char *path)
{
	return !strncmp(path, "elisa:", 6);
}

int options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"mac", required_argument, NULL, 'm'},
		{"to", required_argument, NULL, 't'},
		{"size", required_argument, NULL, 's'},
		{"batch", required_argument, NULL, 'b'},
		{"count", required_argument, NULL, 'c'},
		{"time", required_argument, NULL, 'T'},
		{"rate", required_argument, NULL, 'r'},
		{"interval", required_argument, NULL, 'i'},
		{"wait", required_argument, NULL, 'w'},
		{"mode", required_argument, NULL, 'M'},
		{"group", required_argument, NULL, 'G'},
		{"json", no_argument, NULL, 'j'},
		{"poll", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	enum command command;
	int option, error;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return OPTIONS_HELP;
	if (argc < 2 || !to_command(argv[1], &command))
		return -usage_error("no command", argc < 2 ? "tx, rx, ping or pong" : argv[1]);
	set_defaults(options, command);
	optind = 2;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'h')
			return OPTIONS_HELP;
		error = read_option(options, option);
		if (error)
			return -error;
	}
	if (optind != argc - 1)
		return -usage_error("not one vNIC", "give the path of its file");
	if ((command == PING || command == PONG) && options->size > BUFFER)
		return -usage_error("frames of ping and pong have at most 2048 bytes", "--size");
	options->path = argv[optind];
	if (options_over_elisa(options->path) &&
	    (options->access.mode || options->access.has_group))
		return -usage_error("--mode and --group are for a file, not for", options->path);
	return 0;
}
