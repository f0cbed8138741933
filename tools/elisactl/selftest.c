/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `elisactl selftest`: runs the machine tests, the attacks, tests that need a real processor, and a
 * benchmark, on this host. It writes one file with the results, for others to read. It begins only
 * where it can do no harm: the module must know no VM. It changes two parameters of the module, and
 * sets them back.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <elisa/release.h>
#include "elisactl.h"
#include "module.h"
#include "selftest.h"

#define CANNOT_RUN 3 /* exit status */
#define LONGEST_US "60000000"
#define FORMAT	   1

/* ------------------------------------------------------------------ whether it can run here */

static void missing(bool *can, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints that something is missing. All missing things are printed, not only the first. */
static void missing(bool *can, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "elisactl: selftest cannot run here: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	*can = false;
}

static void look_at_vms(int fd, bool *can)
{
	struct elisa_host_vm *vms;
	int count = module_list(fd, ELISA_HOST_VMS, sizeof(*vms), (void **)&vms);

	if (count < 0)
		missing(can, "%s does not list VMs: %s", "the module", strerrordesc_np(-count));
	for (int i = 0; i < count; i++)
		missing(can, "VM %u of process %d uses ELISA; end it", vms[i].id, vms[i].pid);
	free(vms);
}

static void look_at_flaws(int fd, bool *can)
{
	struct elisa_host_stats stats = {0};

	if (ioctl(fd, ELISA_HOST_IOC_STATS, &stats) < 0)
		missing(can, "the module does not answer: %s", strerrordesc_np(errno));
	else if ((stats.flags & ELISA_HOST_CPU_BUG) && !(stats.flags & ELISA_HOST_OVERRIDE))
		missing(can,
			"no VM may attach on this CPU, which has a flaw (elisactl check names it); "
			"modprobe -r elisa; modprobe elisa allow_leaky_cpu=1");
}

static void look_at_module(const struct options *options, bool *can)
{
	FILE *file = fopen("/sys/module/elisa/refcnt", "re");
	int users = 0, fd;

	if (file && fscanf(file, "%d", &users) == 1 && users > 0)
		missing(can,
			"the module is in use (%d); end VMs that use it, and systemctl stop elisad",
			users);
	if (file)
		fclose(file);
	/* this says what to do */
	fd = open_device(options);
	if (fd < 0) {
		*can = false;
		return;
	}
	look_at_vms(fd, can);
	look_at_flaws(fd, can);
	close(fd);
}

static bool has_vmx(const struct json_object *machine)
{
	struct json_object *cpu = json_object_object_get(machine, "cpu");

	return json_object_object_get(cpu, "vmx flags");
}

static bool can_run(const struct options *options, const struct json_object *machine)
{
	bool can = true;

	if (!has_vmx(machine))
		missing(&can,
			"this CPU has no VT-x, or the firmware or the hypervisor has it switched off");
	if (geteuid())
		missing(&can, "it needs root");
	look_at_module(options, &can);
	return can;
}

/* ------------------------------------------------------------------- parameters of modules */

static void parameter_path(const char *root, const char *module, const char *name, char path[512])
{
	snprintf(path, 512, "%s/sys/module/%s/parameters/%s", root, module, name);
}

/* Reads a parameter; "" if there is none. */
static void parameter_read(const char *root, const char *module, const char *name, char value[32])
{
	char path[512];
	FILE *file;

	parameter_path(root, module, name, path);
	file = fopen(path, "re");
	if (!file || !fgets(value, 32, file))
		value[0] = 0;
	value[strcspn(value, "\n")] = 0;
	if (file)
		fclose(file);
}

static int parameter_write(const char *root, const char *name, const char *value)
{
	char path[512];
	FILE *file;

	parameter_path(root, "elisa", name, path);
	file = fopen(path, "r+e");
	if (file && fprintf(file, "%s\n", value) > 0 && !fclose(file))
		return 0;
	fprintf(stderr, "elisactl: selftest: %s: %s\n", path, strerrordesc_np(errno));
	return 1;
}

/* Tests make calls that take long, and suspend them for long. */
static const char *const raised[] = {"max_limit_us", "max_suspend_us"};
#define RAISED (sizeof(raised) / sizeof(*raised))

static int parameters_raise(const char *root, char before[RAISED][32])
{
	int status = 0;

	for (size_t i = 0; i < RAISED; i++) {
		parameter_read(root, "elisa", raised[i], before[i]);
		status |= parameter_write(root, raised[i], LONGEST_US);
	}
	return status;
}

static int parameters_restore(const char *root, char before[RAISED][32])
{
	int status = 0;

	for (size_t i = 0; i < RAISED; i++)
		if (before[i][0])
			status |= parameter_write(root, raised[i], before[i]);
	return status;
}

/* ---------------------------------------------------------------------------------- results */

struct report {
	const struct options *options;
	struct json_object *results, *figures;
	int count[SELFTEST_VERDICTS];
};

static const char *const verdicts[] = {"ok", "FAILED", "not available"};

/* Adds a number with two digits behind the point, because the measurements are not more precise. */
static void add_real(struct json_object *to, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.2f", value);
	json_object_object_add(to, key, json_object_new_double_s(value, text));
}

/* Returns the last line that is not empty, without its line end. Cuts the text there. */
static const char *last_line(char *text)
{
	size_t length = strlen(text);
	char *line;

	while (length && text[length - 1] == '\n')
		text[--length] = 0;
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

/* Adds figures from lines "figure NAME cycles=N ns=N". */
static void add_figures(struct json_object *to, const char *output)
{
	for (const char *line = output; line; line = strchr(line, '\n')) {
		struct json_object *figure;
		double cycles, ns;
		char name[64];

		line += *line == '\n';
		if (sscanf(line, "figure %63s cycles=%lf ns=%lf", name, &cycles, &ns) != 3)
			continue;
		figure = json_object_new_object();
		add_text(figure, "name", name);
		add_real(figure, "cycles", cycles);
		add_real(figure, "ns", ns);
		json_object_array_add(to, figure);
	}
}

static void add_result(struct report *report, const struct selftest_item *item,
		       struct selftest_outcome *outcome)
{
	struct json_object *result = json_object_new_object();
	const char *said;

	if (!strcmp(item->group, "bench"))
		add_figures(report->figures, outcome->output);
	add_text(result, "group", item->group);
	add_text(result, "name", item->name);
	add_text(result, "verdict", verdicts[outcome->verdict]);
	add_number(result, "status", (uint64_t)outcome->status);
	add_real(result, "seconds", outcome->seconds);
	if (outcome->verdict == SELFTEST_FAILED)
		add_text(result, "output", outcome->output);
	said = last_line(outcome->output);
	add_text(result, "said", said);
	json_object_array_add(report->results, result);
	report->count[outcome->verdict]++;
	printf("%-13s %s/%s: %s\n", verdicts[outcome->verdict], item->group, item->name, said);
	fflush(stdout);
}

/* Tells whether an item is wanted. Without names, all are; a name is a group or GROUP/NAME. */
static bool wanted(const struct selftest_item *item, char **names)
{
	char full[96];

	snprintf(full, sizeof(full), "%s/%s", item->group, item->name);
	for (char **name = names; *name; name++)
		if (!strcmp(*name, item->group) || !strcmp(*name, full))
			return true;
	return !*names;
}

static void run_item(struct report *report, const struct selftest_item *item)
{
	const char *arguments[sizeof(item->arguments) / sizeof(item->arguments[0]) + 2];
	struct selftest_outcome outcome = {.verdict = SELFTEST_UNAVAILABLE,
					   .status = SELFTEST_NOT_AVAILABLE};
	char path[512], value[32];
	size_t count = 0;

	if (item->parameter) {
		parameter_read(report->options->root, "kvm_intel", item->parameter, value);
		if (strcmp(value, "Y")) {
			snprintf(outcome.output, sizeof(outcome.output), "kvm_intel's %s is '%s'",
				 item->parameter, value);
			add_result(report, item, &outcome);
			return;
		}
	}
	snprintf(path, sizeof(path), "%s/%s", report->options->programs, item->program);
	arguments[count++] = path;
	for (const char *const *argument = item->arguments; *argument; argument++)
		arguments[count++] = *argument;
	arguments[count] = NULL;
	selftest_run(arguments, &outcome);
	if (!selftest_stopped())
		add_result(report, item, &outcome);
}

/* ------------------------------------------------------------------------------------ file */

static struct json_object *module_facts(const char *root)
{
	static const char *const names[] = {"enable_apicv", "preemption_timer", "pml", "nested",
					    "pt_mode"};
	struct json_object *facts = json_object_new_object();
	char value[32];

	add_text(facts, "release", ELISA_RELEASE);
	add_number(facts, "abi", ELISA_ABI_VERSION);
	parameter_read(root, "elisa", "allow_leaky_cpu", value);
	add_text(facts, "allow_leaky_cpu", value);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		parameter_read(root, "kvm_intel", names[i], value);
		add_text(facts, names[i], value);
	}
	return facts;
}

static struct json_object *whole_report(struct report *report, struct json_object *machine)
{
	struct json_object *whole = json_object_new_object();
	const time_t now = time(NULL);
	char when[32];

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	add_number(whole, "format", FORMAT);
	add_text(whole, "when", when);
	json_object_object_add(whole, "machine", machine);
	json_object_object_add(whole, "module", module_facts(report->options->root));
	add_number(whole, "ok", (uint64_t)report->count[SELFTEST_OK]);
	add_number(whole, "failed", (uint64_t)report->count[SELFTEST_FAILED]);
	add_number(whole, "not_available", (uint64_t)report->count[SELFTEST_UNAVAILABLE]);
	json_object_object_add(whole, "stopped", json_object_new_boolean(selftest_stopped()));
	json_object_object_add(whole, "figures", report->figures);
	json_object_object_add(whole, "results", report->results);
	return whole;
}

static int write_report(const struct options *options, struct json_object *whole)
{
	struct utsname name;
	char path[512];

	uname(&name);
	if (options->output)
		snprintf(path, sizeof(path), "%s", options->output);
	else
		snprintf(path, sizeof(path), "elisa-selftest-%s.json", name.nodename);
	if (json_object_to_file_ext(path, whole,
				    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)) {
		fprintf(stderr, "elisactl: selftest: %s", json_util_get_last_err());
		return 1;
	}
	printf("written: %s\n", path);
	return 0;
}

/* --------------------------------------------------------------------------------- command */

static int run_all(struct report *report, const struct selftest_list *list, char **names)
{
	const char *root = report->options->root;
	char before[RAISED][32];
	int status = parameters_raise(root, before);

	for (size_t i = 0; !status && !selftest_stopped() && i < list->count; i++)
		if (wanted(&list->item[i], names))
			run_item(report, &list->item[i]);
	return parameters_restore(root, before) || status;
}

static int run_and_write(const struct options *options, struct json_object *machine,
			 const struct selftest_list *list, char **names)
{
	struct report report = {.options = options,
				.results = json_object_new_array(),
				.figures = json_object_new_array()};
	struct json_object *whole;
	int status;

	selftest_catch_signals();
	status = run_all(&report, list, names);
	whole = whole_report(&report, json_object_get(machine));
	status |= write_report(options, whole);
	json_object_put(whole);
	printf("%d ok, %d failed, %d not available%s\n", report.count[SELFTEST_OK],
	       report.count[SELFTEST_FAILED], report.count[SELFTEST_UNAVAILABLE],
	       selftest_stopped() ? "; stopped by a signal" : "");
	return status || report.count[SELFTEST_FAILED] || selftest_stopped() || flush_output();
}

/* Checks the names. Returns 0, or a usage error: an unknown name must not pass for a test that was
 * run. */
static int check_names(const struct selftest_list *list, char **names)
{
	for (char **name = names; *name; name++) {
		char *one[] = {*name, NULL};
		size_t i = 0;

		while (i < list->count && !wanted(&list->item[i], one))
			i++;
		if (i == list->count)
			return options_wrong(&program, "selftest: there is no test '%s'", *name);
	}
	return 0;
}

int run_selftest(const struct options *options, char **names)
{
	struct json_object *machine = selftest_machine(options->root);
	struct selftest_list list;
	int error = selftest_list_read(options->programs, &list), status;

	if (error) {
		fprintf(stderr, "elisactl: selftest: %s: %s; install the package elisa-selftest\n",
			options->programs, strerrordesc_np(error));
		can_run(options, machine);
		status = CANNOT_RUN;
	} else {
		status = check_names(&list, names);
		if (!status && !can_run(options, machine))
			status = CANNOT_RUN;
		if (!status)
			status = run_and_write(options, machine, &list, names);
	}
	json_object_put(machine);
	free(list.item);
	return status;
}
