/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host administrator's tool: list, count, grant, revoke, check. It only carries requests to the
 * module, which decides; it must never guess a VM from anything but the process it was given.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <elisa/host_ioctl.h>
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
	"      --max-pages N      pages of 4 KiB that it may have pinned (0: the default)\n"
	"  revoke ID     take a grant back; its exports and attachments end\n"
	"  check         what this host lacks, and what to do\n"
	"\n"
	"  --json         print JSON\n"
	"  --device PATH  the module's device (default /dev/elisa)\n"
	"  --root DIR     check: look at the files below DIR\n"
	"  --help         this text\n"
	"\n"
	"Exit status: 0 done (check: usable); 1 failed (check: something is missing); 2 wrong usage.\n";

struct options {
	const char *device;
	const char *root;
	bool json;
	struct elisa_host_grant grant;
	long pid; /* 0: none given */
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "elisactl: %s%s%s; see elisactl --help\n", what, value ? ": " : "",
		value ? value : "");
	return 2;
}

/* -------------------------------------------------------------------------- the device */

static const char *what_to_do(int error)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return "load the module: modprobe elisa (elisactl check tells what it needs)";
	case EPERM:
	case EACCES:
		return "run it as root (CAP_SYS_ADMIN)";
	case ENOTTY:
	case EINVAL:
		return "use the elisactl of the module's release; inside a VM /dev/elisa is another "
		       "device";
	default:
		return "see the kernel's log (dmesg)";
	}
}

static int fail(const char *doing, int error)
{
	fprintf(stderr, "elisactl: %s: %s; %s\n", doing, strerrordesc_np(error), what_to_do(error));
	return 1;
}

/* Descriptor, or -1 after a message. */
static int open_device(const struct options *options)
{
	int fd = open(options->device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail(options->device, errno);
	return fd;
}

/* All records of a kind, in *records to be freed; their count, or -errno. More may come into being
 * between two requests, so ask until they fit. */
static int list_records(int fd, uint32_t kind, size_t size, void **records)
{
	struct elisa_host_list list = {.kind = kind, .size = (uint32_t)size, .room = 16};

	for (*records = NULL;;) {
		free(*records);
		*records = calloc(list.room, size);
		if (!*records)
			return -ENOMEM;
		list.records = (uintptr_t)*records;
		if (ioctl(fd, ELISA_HOST_IOC_LIST, &list) < 0)
			return -errno;
		if (list.count <= list.room)
			return (int)list.count;
		list.room = list.count + 16;
	}
}

/* --------------------------------------------------------------------------- printing */

static void add_number(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

/* From a field that may lack its NUL. */
static void add_name(struct json_object *to, const char name[ELISA_NAME_SIZE])
{
	int length = (int)strnlen(name, ELISA_NAME_SIZE);

	json_object_object_add(to, "name", json_object_new_string_len(name, length));
}

/* names[i] is bit i's, or NULL if it has no meaning. */
static void add_flags(struct json_object *to, const char *key, uint32_t flags,
		      const char *const names[], size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		if (names[i] && flags & (1u << i))
			json_object_array_add(list, json_object_new_string(names[i]));
	json_object_object_add(to, key, list);
}

static void cell_text(struct json_object *value, char *text, size_t size)
{
	size_t used = 0;

	if (!json_object_is_type(value, json_type_array)) {
		snprintf(text, size, "%s", value ? json_object_get_string(value) : "");
		return;
	}
	snprintf(text, size, "-");
	for (size_t i = 0; i < json_object_array_length(value) && used < size; i++)
		used += (size_t)snprintf(
			text + used, size - used, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(value, i)));
}

#define COLUMNS 12

static void measure_row(struct json_object *record, int width[COLUMNS])
{
	char text[256];
	int column = 0;

	json_object_object_foreach(record, key, value)
	{
		cell_text(value, text, sizeof(text));
		if ((int)strlen(key) > width[column])
			width[column] = (int)strlen(key);
		if ((int)strlen(text) > width[column])
			width[column] = (int)strlen(text);
		column++;
	}
}

static void print_row(struct json_object *record, const int width[COLUMNS], bool title)
{
	char text[256];
	int column = 0;

	json_object_object_foreach(record, key, value)
	{
		cell_text(value, text, sizeof(text));
		printf("%s%-*s", column ? "  " : "", width[column], title ? key : text);
		column++;
	}
	printf("\n");
}

/* The keys of the first record are the columns; they all have the same, at most COLUMNS. */
static void print_table(struct json_object *records)
{
	size_t count = json_object_array_length(records);
	int width[COLUMNS] = {0};

	for (size_t i = 0; i < count; i++)
		measure_row(json_object_array_get_idx(records, i), width);
	if (count)
		print_row(json_object_array_get_idx(records, 0), width, true);
	for (size_t i = 0; i < count; i++)
		print_row(json_object_array_get_idx(records, i), width, false);
}

static void print_json(struct json_object *value)
{
	puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY |
							   JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---------------------------------------------------------------------------- listing */

static struct json_object *show_vm(const void *record)
{
	const struct elisa_host_vm *vm = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "vm", vm->id);
	json_object_object_add(shown, "pid", json_object_new_int(vm->pid));
	add_number(shown, "vcpus", vm->vcpus);
	add_number(shown, "exports", vm->exports);
	add_number(shown, "attachments", vm->attachments);
	add_number(shown, "pages", vm->pages);
	return shown;
}

static struct json_object *show_grant(const void *record)
{
	static const char *const rights[] = {"export", "attach", "trusted-manager", "allow-pcid"};
	const struct elisa_host_grant_info *grant = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", grant->id);
	json_object_object_add(shown, "pid", json_object_new_int(grant->pid));
	add_flags(shown, "rights", grant->rights, rights, 4);
	add_number(shown, "max_pages", grant->max_pages);
	add_name(shown, grant->name);
	return shown;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {"new", "live"};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static struct json_object *show_export(const void *record)
{
	static const char *const flags[] = {"general-regs", "private", "poison"};
	const struct elisa_host_export *export_ = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", export_->id);
	add_number(shown, "vm", export_->vm);
	json_object_object_add(shown, "state", json_object_new_string(state_name(export_->state)));
	add_flags(shown, "flags", export_->flags, flags, 3);
	add_number(shown, "pages", export_->pages);
	add_number(shown, "attachments", export_->attachments);
	add_number(shown, "limit_us", export_->limit_us);
	add_number(shown, "aborts", export_->aborts);
	add_name(shown, export_->name);
	return shown;
}

static struct json_object *show_attachment(const void *record)
{
	const struct elisa_host_attachment *attachment = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "vm", attachment->vm);
	add_number(shown, "slot", attachment->slot);
	add_number(shown, "export", attachment->export_id);
	json_object_object_add(shown, "mode",
			       json_object_new_string(attachment->mode == ELISA_MODE_STRICT ?
							      "strict" :
							      "trusted"));
	add_number(shown, "vcpus", attachment->vcpus);
	add_number(shown, "pages_per_vcpu", attachment->pages);
	add_number(shown, "aborts", attachment->aborts);
	add_name(shown, attachment->name);
	return shown;
}

static const struct list_command {
	const char *name;
	uint32_t kind;
	size_t size;
	struct json_object *(*show)(const void *record);
} lists[] = {
	{"vms", ELISA_HOST_VMS, sizeof(struct elisa_host_vm), show_vm},
	{"grants", ELISA_HOST_GRANTS, sizeof(struct elisa_host_grant_info), show_grant},
	{"exports", ELISA_HOST_EXPORTS, sizeof(struct elisa_host_export), show_export},
	{"attachments", ELISA_HOST_ATTACHMENTS, sizeof(struct elisa_host_attachment),
	 show_attachment},
};

static int run_list(const struct options *options, const struct list_command *command)
{
	struct json_object *shown;
	void *records;
	int fd = open_device(options);
	int count;

	if (fd < 0)
		return 1;
	count = list_records(fd, command->kind, command->size, &records);
	close(fd);
	if (count < 0) {
		free(records);
		return fail(command->name, -count);
	}
	shown = json_object_new_array();
	for (int i = 0; i < count; i++)
		json_object_array_add(
			shown, command->show((const char *)records + (size_t)i * command->size));
	free(records);
	if (options->json)
		print_json(shown);
	else
		print_table(shown);
	json_object_put(shown);
	return 0;
}

/* ------------------------------------------------------------------------------ stats */

static const char *const counters[] = {
	[ELISA_COUNT_HYPERCALLS] = "hypercalls",
	[ELISA_COUNT_HYPERCALL_ERRORS] = "hypercall_errors",
	[ELISA_COUNT_EXITS_IN_CONTEXT] = "exits_in_context",
	[ELISA_COUNT_RESUMED] = "resumed",
	[ELISA_COUNT_RETURN_TRAPS] = "return_traps",
	[ELISA_COUNT_DEFERRED] = "deferred",
	[ELISA_COUNT_FAULTS] = "faults",
	[ELISA_COUNT_FORBIDDEN] = "forbidden",
	[ELISA_COUNT_TIMEOUTS] = "timeouts",
	[ELISA_COUNT_REVOKED] = "revoked",
	[ELISA_COUNT_VMM_ENDED] = "vmm_ended",
	[ELISA_COUNT_REFUSED_VMFUNC] = "refused_vmfunc",
	[ELISA_COUNT_FOREIGN_ROOT] = "foreign_root",
	[ELISA_COUNT_ROOT_RELOADS] = "root_reloads",
	[ELISA_COUNT_CLOSED] = "closed",
	[ELISA_COUNT_DESC_EXITS] = "desc_exits",
	[ELISA_COUNT_DEBUG_SUPPRESSED] = "debug_suppressed",
	[ELISA_COUNT_RINGS] = "rings",
	[ELISA_COUNT_INTERRUPTS] = "interrupts",
};
_Static_assert(sizeof(counters) / sizeof(counters[0]) == ELISA_COUNT_COUNT, "a name is missing");

static struct json_object *show_stats(const struct elisa_host_stats *stats)
{
	static const char *const flags[] = {NULL, "cpu-bug", "override", "armed"};
	struct json_object *shown = json_object_new_object();

	add_number(shown, "abi", stats->abi);
	add_flags(shown, "flags", stats->flags, flags, 4);
	for (uint32_t i = 0; i < ELISA_COUNT_COUNT && i < stats->count; i++)
		add_number(shown, counters[i], stats->counter[i]);
	return shown;
}

static int run_stats(const struct options *options)
{
	struct elisa_host_stats stats = {0};
	struct json_object *shown;
	int fd = open_device(options);
	char text[64];
	int ret;

	if (fd < 0)
		return 1;
	ret = ioctl(fd, ELISA_HOST_IOC_STATS, &stats) < 0 ? errno : 0;
	close(fd);
	if (ret)
		return fail("stats", ret);
	shown = show_stats(&stats);
	if (options->json) {
		print_json(shown);
	} else {
		json_object_object_foreach(shown, key, value)
		{
			cell_text(value, text, sizeof(text));
			printf("%-17s %s\n", key, text);
		}
	}
	json_object_put(shown);
	return 0;
}

/* ------------------------------------------------------------------------------ grants */

static bool parse_number(const char *text, uint64_t limit, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && *text >= '0' && *text <= '9' && (!*end || *end == '\n') &&
	       *number <= limit;
}

static bool parse_pid(const char *text, long *pid)
{
	uint64_t number;

	if (!parse_number(text, INT32_MAX, &number) || !number)
		return false;
	*pid = (long)number;
	return true;
}

static int read_pidfile(const char *file, long *pid)
{
	char text[32] = "";
	FILE *from = fopen(file, "re");

	if (!from) {
		fprintf(stderr, "elisactl: %s: %m; give the file that the VMM wrote its pid to\n",
			file);
		return 1;
	}
	if (!fgets(text, sizeof(text), from) || !parse_pid(text, pid)) {
		fclose(from);
		fprintf(stderr,
			"elisactl: %s: '%.*s' is no process id; give the file that the VMM "
			"wrote its pid to\n",
			file, (int)strcspn(text, "\n"), text);
		return 1;
	}
	fclose(from);
	return 0;
}

/* As the module matches: a name, or a prefix and '*'. */
static bool good_pattern(const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";
	size_t plain = strspn(name, good);

	return strlen(name) > 0 && strlen(name) < ELISA_NAME_SIZE &&
	       (!name[plain] || !strcmp(name + plain, "*"));
}

static int grant_failed(const struct options *options, int error)
{
	if (error == ESRCH) {
		fprintf(stderr,
			"elisactl: there is no process %ld; give the pid of the running VMM (its "
			"-pidfile)\n",
			options->pid);
		return 1;
	}
	return fail("grant", error);
}

static void take_back(int fd, uint32_t id)
{
	struct elisa_host_revoke revoke = {.id = id};

	ioctl(fd, ELISA_HOST_IOC_REVOKE, &revoke);
}

/*
 * The module takes a number. It meant the same process all the time if a pidfd from before shows
 * it alive afterwards; if not, the grant may be a stranger's, and is taken back. 0 or an errno.
 */
static int grant_by_pid(int fd, struct elisa_host_grant *grant)
{
	struct pollfd alive = {.events = POLLIN};
	int ret;

	alive.fd = (int)syscall(SYS_pidfd_open, (pid_t)grant->pid, 0);
	if (alive.fd < 0)
		return errno;
	ret = ioctl(fd, ELISA_HOST_IOC_GRANT, grant) < 0 ? errno : 0;
	if (!ret && poll(&alive, 1, 0) != 0) {
		take_back(fd, grant->id);
		ret = ESRCH;
	}
	close(alive.fd);
	return ret;
}

/* Is there a name that both match? */
static bool overlap(const char *a, const char *b)
{
	size_t plain_a = strcspn(a, "*");
	size_t plain_b = strcspn(b, "*");

	return (a[plain_a] || plain_a >= plain_b) && (b[plain_b] || plain_b >= plain_a) &&
	       !strncmp(a, b, plain_a < plain_b ? plain_a : plain_b);
}

/* Of the grants that match a name the oldest decides, and it may not be the one just made. */
static void warn_of_older(int fd, uint32_t id)
{
	const uint32_t rights = ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH;
	const struct elisa_host_grant_info *grants, *made = NULL;
	void *records;
	int count = list_records(fd, ELISA_HOST_GRANTS, sizeof(*grants), &records);

	grants = records;
	for (int i = 0; i < count; i++)
		if (grants[i].id == id)
			made = &grants[i];
	for (int i = 0; made && i < count; i++)
		if (grants[i].id < id && grants[i].pid == made->pid &&
		    (grants[i].rights & made->rights & rights) &&
		    overlap(grants[i].name, made->name))
			fprintf(stderr,
				"elisactl: warning: grant %u (%s) is older and decides for names "
				"that match both; revoke it if the new one is to count\n",
				grants[i].id, grants[i].name);
	free(records);
}

static int grant_to(const struct options *options, struct elisa_host_grant *grant)
{
	int fd = open_device(options);
	int ret;

	if (fd < 0)
		return 1;
	grant->pid = (int32_t)options->pid;
	ret = grant_by_pid(fd, grant);
	if (!ret)
		warn_of_older(fd, grant->id);
	close(fd);
	return ret ? grant_failed(options, ret) : 0;
}

static void print_id(uint32_t id)
{
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", id);
	print_json(shown);
	json_object_put(shown);
}

static int run_grant(const struct options *options, char **arguments)
{
	struct elisa_host_grant grant = options->grant;
	int ret;

	if (!arguments[0] || !arguments[1] || arguments[2])
		return usage_error("grant takes export or attach, and a name", NULL);
	if (!strcmp(arguments[0], "export"))
		grant.rights |= ELISA_GRANT_EXPORT;
	else if (!strcmp(arguments[0], "attach"))
		grant.rights |= ELISA_GRANT_ATTACH;
	else
		return usage_error("what is granted must be export or attach", arguments[0]);
	if ((grant.rights & ELISA_GRANT_TRUSTED_MANAGER) && !(grant.rights & ELISA_GRANT_EXPORT))
		return usage_error("--trusted-manager is for a grant to export", NULL);
	if (!good_pattern(arguments[1]))
		return usage_error("a name has 1 to 63 of A-Z a-z 0-9 . _ - and may end with *",
				   arguments[1]);
	if (!options->pid)
		return usage_error("grant needs --pid or --pidfile", NULL);
	strncpy(grant.name, arguments[1], sizeof(grant.name) - 1);

	ret = grant_to(options, &grant);
	if (ret)
		return ret;
	if (!options->json) {
		printf("%u\n", grant.id);
		return 0;
	}
	print_id(grant.id);
	return 0;
}

static int run_revoke(const struct options *options, char **arguments)
{
	struct elisa_host_revoke revoke = {0};
	uint64_t id;
	int ret;
	int fd;

	if (!arguments[0] || arguments[1] || !parse_number(arguments[0], UINT32_MAX, &id))
		return usage_error("revoke takes the id of a grant", arguments[0]);
	fd = open_device(options);
	if (fd < 0)
		return 1;
	revoke.id = (uint32_t)id;
	ret = ioctl(fd, ELISA_HOST_IOC_REVOKE, &revoke) < 0 ? errno : 0;
	close(fd);
	if (ret == ENOENT) {
		fprintf(stderr, "elisactl: there is no grant %u; elisactl grants lists them\n",
			revoke.id);
		return 1;
	}
	if (ret)
		return fail("revoke", ret);
	if (options->json)
		print_id(revoke.id);
	return 0;
}

/* ------------------------------------------------------------------------------- check */

static const char *field(struct json_object *item, const char *key)
{
	return json_object_get_string(json_object_object_get(item, key));
}

static int run_check(const struct options *options)
{
	int usable;
	struct json_object *items = check_host(options->root, &usable);

	for (size_t i = 0; i < json_object_array_length(items) && !options->json; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		if (json_object_get_boolean(json_object_object_get(item, "ok")))
			printf("ok: %s (%s)\n", field(item, "item"), field(item, "found"));
		else
			printf("missing: %s (%s); do: %s\n", field(item, "item"),
			       field(item, "found"), field(item, "todo"));
	}
	if (options->json)
		print_json(items);
	json_object_put(items);
	return usable ? 0 : 1;
}

/* ---------------------------------------------------------------------------- options */

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
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (!strcmp(command, lists[i].name))
			return run_list(options, &lists[i]);
	return usage_error("unknown command", command);
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
