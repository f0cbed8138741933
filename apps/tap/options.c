/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. A value that is wrong is named. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tap.h"

const char usage_text[] =
	"Usage: rvif-tap [OPTION]... VNIC\n"
	"\n"
	"Makes a network interface of an rvif vNIC, as long as it runs. VNIC is a file for a switch in\n"
	"another process (rvs-fwd); in a VM, elisa:EXPORT or elisa:/PATH/OF/TICKET, a port of\n"
	"elisa-vmnet. Needs CAP_NET_ADMIN.\n"
	"\n"
	"  --name NAME      of the interface (default rvif0)\n"
	"  --queues N       in each direction, 1 to 128 (default 1)\n"
	"  --mtu N          68 to 65513 (default 1500)\n"
	"  --mac MAC        address to insist on (default: what the switch says, else random)\n"
	"  --mode MODE      permissions of the file VNIC, octal (default 0600)\n"
	"  --group GROUP    its group\n"
	"  --no-csum        no checksum offload, nor TSO\n"
	"  --no-tso         no segmentation offload\n"
	"  --promiscuous    receive frames for unknown addresses, too\n"
	"  --drop PERMILLE  for tests: drop so many of 1000 received frames\n"
	"  --stats          print statistics at the end; SIGUSR1 prints them at any time\n"
	"  --json           the same as JSON, an object a line\n"
	"  --help           this text\n"
	"\n"
	"Exit status: 0 ended by a signal; 1 failed, or a report could not be written; 2 wrong\n"
	"usage.\n";

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "rvif-tap: %s: %s; see rvif-tap --help\n", what, value);
	return 2;
}

static bool read_mac(const char *text, uint8_t mac[6])
{
	return !rvif_parse_mac(text, mac) && rvif_mac_is_station(mac);
}

static bool read_number(const char *text, uint32_t least, uint32_t most, uint32_t *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = (uint32_t)value;
	return text[0] >= '0' && text[0] <= '9' && !*end && value >= least && value <= most;
}

static bool read_name(const char *text, char name[IFNAMSIZ])
{
	if (!*text || strlen(text) >= IFNAMSIZ || strpbrk(text, "/: \t\n") || !strcmp(text, ".") ||
	    !strcmp(text, ".."))
		return false;
	strcpy(name, text);
	return true;
}

/* 0, or the exit status. */
static int read_option(struct options *options, int option)
{
	switch (option) {
	case 'n':
		return read_name(optarg, options->name) ?
			       0 :
			       usage_error("no name of an interface, at most 15 bytes", optarg);
	case 'q':
		return read_number(optarg, 1, RVIF_MAX_QUEUES, &options->queues) ?
			       0 :
			       usage_error("no number of queues from 1 to 128", optarg);
	case 'u':
		return read_number(optarg, MIN_MTU, MAX_MTU, &options->mtu) ?
			       0 :
			       usage_error("no MTU from 68 to 65513", optarg);
	case 'm':
		options->has_mac = true;
		return read_mac(optarg, options->mac) ?
			       0 :
			       usage_error("no address of a station, as 02:00:00:00:00:01", optarg);
	case 'd':
		return read_number(optarg, 0, 1000, &options->drop) ?
			       0 :
			       usage_error("no number from 0 to 1000", optarg);
	case 'M':
		return rvif_parse_mode(optarg, &options->access.mode) ?
			       usage_error("no octal mode from 1 to 0777", optarg) :
			       0;
	case 'G':
		options->access.has_group = 1;
		return rvif_parse_group(optarg, &options->access.group) ?
			       usage_error("no group", optarg) :
			       0;
	case 'c':
		options->no_csum = options->no_tso = true;
		return 0;
	case 't':
		options->no_tso = true;
		return 0;
	case 'p':
		options->promiscuous = true;
		return 0;
	case 'j':
		options->json = options->stats = true;
		return 0;
	case 's':
		options->stats = true;
		return 0;
	default:
		fputs("see rvif-tap --help\n", stderr);
		return 2;
	}
}

bool options_over_elisa(const struct options *options)
{
	return !strncmp(options->where, "elisa:", 6);
}

int options_read(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"name", required_argument, NULL, 'n'},	 {"queues", required_argument, NULL, 'q'},
		{"mtu", required_argument, NULL, 'u'},	 {"mac", required_argument, NULL, 'm'},
		{"mode", required_argument, NULL, 'M'},	 {"group", required_argument, NULL, 'G'},
		{"no-csum", no_argument, NULL, 'c'},	 {"no-tso", no_argument, NULL, 't'},
		{"promiscuous", no_argument, NULL, 'p'}, {"drop", required_argument, NULL, 'd'},
		{"stats", no_argument, NULL, 's'},	 {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	 {NULL, 0, NULL, 0},
	};
	int option, error;

	*options = (struct options){.name = "rvif0", .queues = 1, .mtu = 1500};
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'h')
			return OPTIONS_HELP;
		error = read_option(options, option);
		if (error)
			return -error;
	}
	if (optind != argc - 1)
		return -usage_error("not one vNIC", "give a file or elisa:EXPORT");
	options->where = argv[optind];
	if (options_over_elisa(options) && (options->access.mode || options->access.has_group))
		return -usage_error("--mode and --group are for a file, not for", options->where);
	return 0;
}
