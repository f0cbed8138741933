/* SPDX-License-Identifier: Apache-2.0 */
/* rvs-capture: shows or writes the frames of a vNIC of rvs-fwd, by the socket of its --control. */
#include "observe.h"
#include "options.h"

static struct options {
	const char *socket, *file;
	uint64_t count;
} options;

static const struct program_option known[] = {
	OPTION_TEXT("socket", "FILE", "a file", socket, "of rvs-fwd --control"),
	{.name = "write",
	 .letter = 'w',
	 .value = "FILE",
	 .must = "a file",
	 .read = option_text,
	 OPTION_AT(file),
	 .help = "write the frames to this file, as pcapng; -: to the standard output"},
	{.name = "count",
	 .letter = 'c',
	 .value = "N",
	 .must = "a number of frames",
	 .read = option_number,
	 OPTION_AT(count),
	 .most = 1e9,
	 .help = "end after this many frames; 0: at a signal (default)"},
};

static const struct program program = {
	.name = "rvs-capture",
	.before =
		"Usage: rvs-capture --socket FILE [OPTION]... VNIC [FILTER]...\n"
		"\n"
		"Shows the frames that a vNIC of rvs-fwd sends and gets: all, or those that pass the\n"
		"filter, which is as tcpdump's (pcap-filter(7)).\n"
		"\n",
	.after = "Exit status: 0 done; 1 failed, or refused; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

int main(int argc, char **argv)
{
	int first, status;

	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (!options.socket)
		return options_wrong(&program, "--socket is missing");
	if (first == argc)
		return options_wrong(&program, "the vNIC is missing");
	return observe(&(struct observation){.program = program.name,
					     .socket = options.socket,
					     .port = argv[first],
					     .file = options.file,
					     .count = options.count,
					     .filter = &argv[first + 1]});
}
