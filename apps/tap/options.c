/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: the table of its options. */
#include <errno.h>
#include <string.h>
#include "ready.h"
#include "tap.h"
#include "vnic_options.h"

static int read_name(const struct program_option *option, const char *text, void *to)
{
	if (!*text || strlen(text) >= option->size || strpbrk(text, "/: \t\n") ||
	    !strcmp(text, ".") || !strcmp(text, ".."))
		return -EINVAL;
	strcpy(to, text);
	return 0;
}

static int read_ring(const struct program_option *option, const char *text, void *to)
{
	const int error = option_number(option, text, to);

	return error || rvif_ring_ok(*(uint32_t *)to) ? error : -EINVAL;
}

static const struct program_option known[] = {
	OPTION_READ("name", "NAME", "a name of an interface, at most 15 bytes", read_name, name,
		    "name of the interface (default rvif0)"),
	OPTION_NUMBER("queues", "N", "a number of queues", queues, 1, RVIF_MAX_QUEUES,
		      "queues in each direction, 1 to 128 (default 1)"),
	{.name = "ring",
	 .value = "N",
	 .must = "a power of two, of descriptors",
	 .read = read_ring,
	 OPTION_AT(ring),
	 .least = MIN_RING,
	 .most = RVIF_MAX_RING,
	 .help = "descriptors of each ring, a power of two from 64 to 32768\n(default 256)"},
	OPTION_NUMBER("buffer", "N", "a number of bytes", buffer, MIN_BUFFER, RVIF_MAX_BUFFER,
		      "bytes of the buffer of each descriptor, 1024 to 65535 (default 8192)"),
	OPTION_NUMBER("hold", "MS", "a number of milliseconds", hold, 0, 10000,
		      "elisa: let a frame wait this long for a receiver without room before\n"
		      "it is dropped (default 100; 0: do not wait)"),
	OPTION_NUMBER("mtu", "N", "a number of bytes", mtu, MIN_MTU, MAX_MTU,
		      "MTU, 68 to 65513 (default 1500); it may change later"),
	OPTION_READ("mac", "MAC", STATION_MUST, option_station, mac,
		    "address to insist on (default: the switch's, else random)"),
	OPTION_READ("mode", "MODE", ACCESS_MODE_MUST, option_mode, access,
		    "permissions of the file VNIC, octal (default 0600)"),
	OPTION_READ("group", "GROUP", "a group", option_group, access, "group of the file"),
	OPTION_FLAG("no-csum", no_csum, "no checksum offload, nor TSO"),
	OPTION_FLAG("no-tso", no_tso, "no segmentation offload"),
	OPTION_FLAG("promiscuous", promiscuous, "also receive frames for unknown addresses"),
	OPTION_NUMBER("drop", "PERMILLE", "a number of frames", drop, 0, 1000,
		      "for tests: drop this many of 1000 received frames"),
	OPTION_READY_FD(ready_fd),
	OPTION_FLAG("stats", stats, "print statistics at the end; SIGUSR1 prints them at any time"),
	OPTION_FLAG("json", json, "print statistics at the end as JSON, an object a line"),
};

const struct program program = {
	.name = "rvif-tap",
	.before =
		"Usage: rvif-tap [OPTION]... VNIC\n"
		"\n"
		"Makes a network interface of an rvif vNIC while it runs. VNIC is a file for a switch\n"
		"in another process (rvs-fwd). In a VM, VNIC may be elisa:EXPORT or\n"
		"elisa:/PATH/OF/TICKET, a port of elisa-vmnet. Needs CAP_NET_ADMIN.\n"
		"\n",
	.after = "Exit status: 0 ended by a signal; 1 failed, or a report could not be written;\n"
		 "2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

bool read_command_line(struct options *options, int argc, char **argv, int *status)
{
	int first;

	*options = (struct options){
		.name = "rvif0", .queues = 1, .ring = 256, .buffer = 8192, .hold = 100, .mtu = 1500};
	first = options_read(&program, 0, options, argc, argv, status);
	if (first == OPTIONS_DONE)
		return false;
	*status = argc - first == 1 ?
			  vnic_check_access(&program, argv[first], &options->access) :
			  options_wrong(&program, "give one vNIC: a file or elisa:EXPORT");
	if (*status)
		return false;
	options->where = argv[first];
	options->has_mac = rvif_mac_is_station(options->mac);
	options->no_tso |= options->no_csum;
	options->stats |= options->json;
	return true;
}
