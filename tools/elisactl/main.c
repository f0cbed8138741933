/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host administrator's tool: list, count, grant, revoke, check. It only carries requests to the
 * module, which decides.
 */
#include <string.h>
#include "elisactl.h"
#include "rules.h"
#include "state.h"

#define MOST_PAGES (1ull << 52) /* number of pages that addresses allow */

static const struct program_option known[] = {
	{.help = "grant:"},
	OPTION_NUMBER("pid", "PID", "a process id", pid, 1, INT32_MAX, "the VMM's process"),
	OPTION_TEXT("pidfile", "FILE", "a file", pidfile, "which the VMM wrote its process id to"),
	OPTION_BITS("trusted-manager", grant.rights, ELISA_GRANT_TRUSTED_MANAGER,
		    "with export: calls take 3 context switches instead of 4, and\n"
		    "the manager's code becomes part of the host's trusted base"),
	OPTION_BITS("allow-pcid", grant.rights, ELISA_GRANT_ALLOW_PCID,
		    "the VM may attach with CR4.PCIDE=1; trusts the VM's kernel"),
	OPTION_BITS("dirty-log", grant.rights, ELISA_GRANT_DIRTY_LOG,
		    "memory stays shared while the VMM logs writes to it, as a live\n"
		    "migration does; the log does not record writes of functions"),
	OPTION_NUMBER("max-pages", "N", "a number of pages", grant.max_pages, 0, MOST_PAGES,
		      "the most pages of 4 KiB that the host may hold for the VM\n(0: the default)"),
	{.help = "metrics, selftest:"},
	{.name = "output",
	 .letter = 'o',
	 .value = "FILE",
	 .must = "a file",
	 .read = option_text,
	 OPTION_AT(output),
	 .help = "write to FILE instead of the standard output or the file\n"
		 "elisa-selftest-HOST.json"},
	OPTION_TEXT("programs", "DIR", "a folder", programs,
		    "selftest: the folder of its programs (default " SELFTEST_PROGRAMS ")"),
	{.help = "top:"},
	OPTION_REAL("interval", "SECONDS", "a number of seconds", interval, 3600,
		    "time between two views (default 1)"),
	OPTION_NUMBER("count", "N", "a number of views", count, 1, 1e9,
		      "end after this many views (default: a signal ends it)"),
	OPTION_TEXT("sort", "COLUMN", "a column", sort,
		    "suspended (default), calls, time, aborts, vm or name"),
	{.help = "all:"},
	OPTION_FLAG("json", json, "print JSON"),
	OPTION_TEXT("device", "PATH", "a file", device, "the module's device (default /dev/elisa)"),
	OPTION_TEXT("root", "DIR", "a folder", root,
		    "check, policy show: look at the files below DIR"),
	OPTION_TEXT("run", "DIR", "a folder", run,
		    "policy apply: the folder of elisad's state (default " STATE_DIRECTORY ")"),
	OPTION_FLAG("follow", follow, "events: continue until a signal comes"),
};

const struct program program = {
	.name = "elisactl",
	.before =
		"Usage: elisactl [OPTION]... COMMAND\n"
		"\n"
		"Administers ELISA on this host; needs CAP_SYS_ADMIN, except for check.\n"
		"\n"
		"  vms           VMs that the module knows\n"
		"  grants        what each VM was granted\n"
		"  exports       exports of all VMs\n"
		"  attachments   which VM is attached to which export\n"
		"  vcpus         which vCPUs may make calls, and what keeps the others from calls\n"
		"  stats         counters since the module was loaded\n"
		"  metrics       all counters, as OpenMetrics text for Prometheus\n"
		"  top           how often calls were interrupted, by attachment, at each interval\n"
		"  grant (--pid PID | --pidfile FILE) (export | attach) NAME\n"
		"                allow the VM of this VMM to export or to attach to NAME (or\n"
		"                PREFIX*, quoted); prints the grant's id\n"
		"  revoke ID     revoke a grant; its exports and attachments end\n"
		"  policy check [DIR]\n"
		"                check the rules in DIR (default " RULES_DIRECTORY ")\n"
		"  policy show [DIR]\n"
		"                the rules, and which of the module's VMs they match\n"
		"  policy apply [DIR]\n"
		"                adjust the grants to the rules: makes elisad read them, or, if\n"
		"                none runs, grants and revokes itself, once. It also does that\n"
		"                with --pid or --pidfile, for this VMM alone\n"
		"  events        wait for the next event, and print all that are there\n"
		"  version       releases and ABI versions of all sides\n"
		"  check         what this host lacks, and what to do\n"
		"  selftest [NAME]...\n"
		"                tests, attacks and a benchmark on this host, while no VM uses it;\n"
		"                NAME is machine, attack, hardware, bench, or one of them/TEST\n",
	.after = "Exit status: 0 done (check: usable); 1 failed (check: something is missing);\n"
		 "2 wrong usage; 3 selftest cannot run on this host.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

static int run(const struct options *options, char **arguments)
{
	const char *command = arguments[0];

	if (!strcmp(command, "grant"))
		return run_grant(options, arguments + 1);
	if (options->grant.rights || options->grant.max_pages)
		return options_wrong(&program, "%s takes no option of grant", command);
	if (!strcmp(command, "policy"))
		return run_policy(options, arguments + 1);
	if (options->pid || options->pidfile)
		return options_wrong(&program, "%s takes no option of grant", command);
	if (!strcmp(command, "selftest"))
		return run_selftest(options, arguments + 1);
	if (options->output && strcmp(command, "metrics"))
		return options_wrong(&program, "%s takes no option of metrics", command);
	if ((options->interval || options->count || options->sort) && strcmp(command, "top"))
		return options_wrong(&program, "%s takes no option of top", command);
	if (!strcmp(command, "revoke"))
		return run_revoke(options, arguments + 1);
	if (arguments[1])
		return options_wrong(&program, "%s takes no argument: '%s'", command, arguments[1]);
	if (!strcmp(command, "stats"))
		return run_stats(options);
	if (!strcmp(command, "metrics"))
		return run_metrics(options);
	if (!strcmp(command, "top"))
		return run_top(options);
	if (!strcmp(command, "events"))
		return run_events(options);
	if (!strcmp(command, "version"))
		return run_version(options);
	if (!strcmp(command, "check"))
		return run_check(options);
	return run_list(options, command);
}

int main(int argc, char **argv)
{
	struct options options = {.device = "/dev/elisa",
				  .root = "",
				  .run = STATE_DIRECTORY,
				  .programs = SELFTEST_PROGRAMS};
	int first, status;

	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first == argc)
		return options_wrong(&program, "a command is missing");
	return run(&options, argv + first);
}
