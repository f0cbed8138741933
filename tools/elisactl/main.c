/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host administrator's tool: list, count, grant, revoke, check. It only carries requests to the
 * module, which decides.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "elisactl.h"

static const char usage_text[] =
	"Usage: elisactl [OPTION]... COMMAND\n"
	"\n"
	"Administers ELISA on this host; needs CAP_SYS_ADMIN, except for check.\n"
	"\n"
	"  vms           VMs that the module knows\n"
	"  grants        what was granted\n"
	"  exports       exports of all VMs\n"
	"  attachments   who is attached to what\n"
	"  stats         counters since the module was loaded\n"
	"  grant (--pid PID | --pidfile FILE) (export | attach) NAME\n"
	"                allow the VM of the VMM process PID to export or to attach to NAME (or\n"
	"                PREFIX*, quoted); prints the grant's id\n"
	"      --trusted-manager  with export: calls take 3 context switches instead of 4, and\n"
	"                         the manager's code becomes part of the host's trusted base\n"
	"      --allow-pcid       the VM's kernel is trusted with CR4.PCIDE=1\n"
	"      --max-pages N      pages of 4 KiB that the host may hold for it (0: the default)\n"
	"  revoke ID     take a grant back; its exports and attachments end\n"
	"  check         what this host lacks, and what to do\n"
	"\n"
	"  --json         print JSON\n"
	"  --device PATH  the module's device (default /dev/elisa)\n"
	"  --root DIR     check: look at the files below DIR\n"
	"  --help         this text\n"
	"\n"
	"Exit status: 0 done (check: usable); 1 failed (check: something is missing); 2 wrong usage.\n";

int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "elisactl: %s%s%s; see elisactl --help\n", what, value ? ": " : "",
		value ? value : "");
	return 2;
}

enum option_code {
	JSON = 256,
	DEVICE,
	ROOT,
	PID,
	PIDFILE,
	TRUSTED_MANAGER,
	ALLOW_PCID,
	MAX_PAGES
};

static const struct option long_options[] = {
	{"json", no_argument, NULL, JSON},
	{"device", required_argument, NULL, DEVICE},
	{"root", required_argument, NULL, ROOT},
	{"pid", required_argument, NULL, PID},
	{"pidfile", required_argument, NULL, PIDFILE},
	{"trusted-manager", no_argument, NULL, TRUSTED_MANAGER},
	{"allow-pcid", no_argument, NULL, ALLOW_PCID},
	{"max-pages", required_argument, NULL, MAX_PAGES},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* 0, an exit status after a message, or -1 for --help. */
static int take_option(struct options *options, int code)
{
	uint64_t number;

	switch (code) {
	case JSON:
		options->json = true;
		return 0;
	case DEVICE:
		options->device = optarg;
		return 0;
	case ROOT:
		options->root = optarg;
		return 0;
	case PID:
		return parse_pid(optarg, &options->pid) ? 0 :
							  usage_error("not a process id", optarg);
	case PIDFILE:
		return read_pidfile(optarg, &options->pid);
	case TRUSTED_MANAGER:
		options->grant.rights |= ELISA_GRANT_TRUSTED_MANAGER;
		return 0;
	case ALLOW_PCID:
		options->grant.rights |= ELISA_GRANT_ALLOW_PCID;
		return 0;
	case MAX_PAGES:
		if (!parse_number(optarg, UINT64_MAX, &number))
			return usage_error("not a number of pages", optarg);
		options->grant.max_pages = number;
		return 0;
	case 'h':
		return -1;
	default:
		return usage_error("unknown option or missing value", NULL);
	}
}

static int run(const struct options *options, char **arguments)
{
	const char *command = arguments[0];

	if (!strcmp(command, "grant"))
		return run_grant(options, arguments + 1);
	if (options->pid || options->grant.rights || options->grant.max_pages)
		return usage_error("only grant takes --pid and the options below it", command);
	if (!strcmp(command, "revoke"))
		return run_revoke(options, arguments + 1);
	if (arguments[1])
		return usage_error("this command takes no argument", arguments[1]);
	if (!strcmp(command, "stats"))
		return run_stats(options);
	if (!strcmp(command, "check"))
		return run_check(options);
	return run_list(options, command);
}

int main(int argc, char **argv)
{
	struct options options = {.device = "/dev/elisa", .root = ""};
	int code;

	while ((code = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		int status = take_option(&options, code);

		if (status < 0)
			fputs(usage_text, stdout);
		if (status)
			return status < 0 ? 0 : status;
	}
	if (optind >= argc)
		return usage_error("a command is missing", NULL);
	return run(&options, argv + optind);
}
