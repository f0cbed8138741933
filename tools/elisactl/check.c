/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `elisactl check`: what this host lacks, and what to do about it. It reads files and one MSR, and
 * must never change or load anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <elisa/cpu_bugs.h>
#include <elisa/kvm_hooks.h>
#include <elisa/prototype.h>
#include "elisactl.h"

struct check {
	const char *root; /* "", or for tests a directory with a copy of proc and sys */
	struct json_object *items;
	int usable;
	bool module_loaded;
	char *cpuinfo;
};

static void report(struct check *check, bool ok, const char *item, const char *todo,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

static void report(struct check *check, bool ok, const char *item, const char *todo,
		   const char *format, ...)
{
	struct json_object *entry = json_object_new_object();
	char found[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(found, sizeof(found), format, arguments);
	va_end(arguments);
	json_object_object_add(entry, "item", json_object_new_string(item));
	json_object_object_add(entry, "ok", json_object_new_boolean(ok));
	json_object_object_add(entry, "found", json_object_new_string(found));
	json_object_object_add(entry, "todo", ok ? NULL : json_object_new_string(todo));
	json_object_array_add(check->items, entry);
	if (!ok)
		check->usable = 0;
}

static int open_below(const struct check *check, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", check->root, path);
	return open(full, O_RDONLY | O_CLOEXEC);
}

/* Reads a whole small file as a string. Returns NULL if there is no file. */
static char *read_text(const struct check *check, const char *path, size_t limit)
{
	int fd = open_below(check, path);
	char *text = fd < 0 ? NULL : malloc(limit + 1);
	size_t size = 0;

	while (text && size < limit) {
		ssize_t got = read(fd, text + size, limit - size);

		if (got <= 0)
			break;
		size += (size_t)got;
	}
	if (text)
		text[size] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

/* Reads the first line into a buffer; "" if there is no file. */
static bool read_line(const struct check *check, const char *path, char *line, size_t size)
{
	char *text = read_text(check, path, size - 1);
	bool there;

	snprintf(line, size, "%s", text ? text : "");
	line[strcspn(line, "\n")] = 0;
	there = text;
	free(text);
	return there;
}

/* Returns the text behind the key in cpuinfo, for the first CPU: all CPUs must be alike. NULL:
 * there is no such line. */
static const char *cpu_line(const struct check *check, const char *key)
{
	const char *line = check->cpuinfo;

	while (line && (strncmp(line, key, strlen(key)) || !strchr("\t :", line[strlen(key)]))) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return line ? line + strcspn(line, ":\n") : NULL;
}

/* Returns the length of the line's next word, and moves *line to it; 0: there is none. */
static size_t next_word(const char **line)
{
	size_t length;

	*line += strspn(*line, ":\t ");
	length = strcspn(*line, "\t \n");
	*line += length;
	return length;
}

static bool is_word(const char *end, size_t length, const char *word)
{
	return strlen(word) == length && !strncmp(end - length, word, length);
}

static bool cpu_has(const struct check *check, const char *key, const char *word)
{
	const char *line = cpu_line(check, key);
	size_t length;

	while (line && (length = next_word(&line)))
		if (is_word(line, length, word))
			return true;
	return false;
}

static void check_flag(struct check *check, const char *key, const char *word, const char *todo)
{
	char item[64];
	bool has = cpu_has(check, key, word);

	snprintf(item, sizeof(item), "CPU: %s", word);
	report(check, has, item, todo, "%s in the %s of /proc/cpuinfo",
	       has ? "listed" : "not listed", key);
}

#define MSR_VMX_VMFUNC 0x491

/*
 * Checks for EPTP switching. /proc/cpuinfo has a name for it, but kernels look for it in the wrong
 * half of the MSR (init_vmx_capabilities()). So the MSR itself is read.
 */
static void check_vmfunc(struct check *check)
{
	static const char item[] = "CPU: EPTP switching by VMFUNC";
	uint64_t functions = 0;
	int fd;

	if (cpu_has(check, "vmx flags", "eptp_switching")) {
		report(check, true, item, "", "listed in /proc/cpuinfo");
		return;
	}
	if (check->module_loaded) {
		report(check, true, item, "", "the loaded module has found it");
		return;
	}
	fd = open_below(check, "/dev/cpu/0/msr");
	if (fd < 0) {
		report(check, false, item,
		       "run as root after: modprobe msr; or load the module, which checks it: "
		       "modprobe elisa",
		       "cannot tell: /dev/cpu/0/msr: %s", strerrordesc_np(errno));
		return;
	}
	if (pread(fd, &functions, sizeof(functions), MSR_VMX_VMFUNC) != sizeof(functions))
		functions = 0;
	close(fd);
	report(check, functions & 1, item,
	       "use an Intel CPU with VMFUNC and SMAP (Broadwell or newer); inside a VM have the "
	       "hypervisor below offer it",
	       "MSR %#x is %#llx", MSR_VMX_VMFUNC, (unsigned long long)functions);
}

static void check_cpu(struct check *check)
{
	bool in_vm = cpu_has(check, "flags", "hypervisor");
	const char *newer = "use a newer Intel CPU; inside a VM have the hypervisor below offer it";

	check_flag(check, "flags", "vmx",
		   in_vm ? "this host is a VM itself: have the hypervisor below offer nested VMX" :
			   "use an Intel CPU, and switch VT-x on in the firmware's setup");
	check_flag(check, "vmx flags", "ept", newer);
	check_flag(check, "vmx flags", "ept_x_only", newer);
	check_flag(check, "vmx flags", "vpid", newer);
	check_vmfunc(check);
	check_flag(check, "flags", "smep", newer);
	check_flag(check, "flags", "smap", newer);
	check_flag(check, "flags", "pdpe1gb", newer);
	check_flag(check, "flags", "xsave", newer);
}

struct types {
	struct elisa_btf btf;
	char *data;
};

/* Reads the types of the kernel or of a module. The caller frees them, also if it returns false. */
static bool read_types(const struct check *check, const char *name, struct types *types,
		       const struct elisa_btf *base)
{
	size_t size = 0, whole = 0;
	struct stat status;
	ssize_t got = 1;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", name);
	fd = open_below(check, path);
	if (fd < 0)
		return false;
	if (!fstat(fd, &status) && status.st_size > 0)
		whole = (size_t)status.st_size;
	types->data = malloc(whole + 1);
	while (types->data && got > 0 && size < whole) {
		got = read(fd, types->data + size, whole - size);
		size += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (!types->data || !elisa_btf_open(&types->btf, types->data, size, base))
		return false;
	elisa_btf_index(&types->btf, calloc(types->btf.count + 1, sizeof(*types->btf.at)));
	return true;
}

static void free_types(struct types *types)
{
	free(types->btf.at);
	free(types->data);
}

static const struct {
	const char *module, *function, *prototype;
} known[] = {
#define KNOWN(id, module, function, prototype) {module, function, prototype},
	ELISA_KVM_HOOKS(KNOWN) ELISA_KVM_CALLS(KNOWN)
#undef KNOWN
};

/* Tells whether all of KVM's functions are known. @wrong: the difference of one of them, or "". */
static bool compare(const struct elisa_btf *kvm, const struct elisa_btf *intel, char *wrong,
		    size_t size)
{
	char found[ELISA_PROTOTYPE_MAX];
	bool all = true;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !wrong[0]; i++) {
		if (!elisa_prototype(strcmp(known[i].module, "kvm") ? intel : kvm,
				     known[i].function, found))
			all = false;
		else if (!elisa_prototype_is(found, known[i].prototype))
			snprintf(wrong, size, "%s:%s is \"%s\", not \"%s\"", known[i].module,
				 known[i].function, found, known[i].prototype);
	}
	return all;
}

static bool compare_types(const struct check *check, char *wrong, size_t size)
{
	struct types kernel = {.data = NULL}, kvm = {.data = NULL}, intel = {.data = NULL};
	bool all;

	wrong[0] = 0;
	all = read_types(check, "vmlinux", &kernel, NULL) &&
	      read_types(check, "kvm", &kvm, &kernel.btf) &&
	      read_types(check, "kvm_intel", &intel, &kernel.btf) &&
	      compare(&kvm.btf, &intel.btf, wrong, size);
	free_types(&intel);
	free_types(&kvm);
	free_types(&kernel);
	return all;
}

/* Checks KVM's functions as eh_prototypes_check() in the module does. */
static void check_functions(struct check *check, const char *release)
{
	bool tested = elisa_kernel_is_tested(release), has_types;
	char wrong[512];

	has_types = compare_types(check, wrong, sizeof(wrong));
	report(check, !wrong[0] && (tested || has_types || check->module_loaded),
	       "kernel: KVM's functions are those that the module knows",
	       has_types ?
		       "boot another kernel, or port the module (docs/porting.md)" :
		       "boot a kernel with CONFIG_DEBUG_INFO_BTF_MODULES, load kvm_intel, or boot "
		       "a kernel that was tested",
	       "%s; the kernel was %stested",
	       wrong[0]	 ? wrong :
	       has_types ? "the types below /sys/kernel/btf are right" :
			   "no types of all of them below /sys/kernel/btf",
	       tested ? "" : "not ");
}

static void check_kernel(struct check *check)
{
	unsigned int major = 0, minor = 0;
	char line[128];
	bool supported;

	read_line(check, "/proc/sys/kernel/osrelease", line, sizeof(line));
	supported = sscanf(line, "%u.%u", &major, &minor) == 2 &&
		    (major > 6 || (major == 6 && minor >= 1));
	report(check, supported || check->module_loaded, "kernel release",
	       "boot a kernel from 6.1 on", "%s", line);
	check_functions(check, line);

	read_line(check, "/proc/sys/kernel/ftrace_enabled", line, sizeof(line));
	report(check, !strcmp(line, "1"), "kernel: function tracing",
	       line[0] ? "switch it on: sysctl kernel.ftrace_enabled=1" :
			 "boot a kernel with CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE",
	       "kernel.ftrace_enabled is %s", line[0] ? line : "missing");
}

#define HOOKED(id, module, function, prototype) function " [" module "] ",
static const char *const hooked[] = {ELISA_KVM_HOOKS(HOOKED)};

static bool is_hooked(const char *line)
{
	for (size_t i = 0; i < sizeof(hooked) / sizeof(hooked[0]); i++)
		if (!strncmp(line, hooked[i], strlen(hooked[i])))
			return true;
	return false;
}

/* Tells whether a line of ftrace's list has a flag: "function [module] (users) FLAGS". I:
 * redirected; D: direct call. */
static bool has_flag(const char *line, char flag)
{
	const char *flags = strchr(line, ')');
	size_t length = flags ? strcspn(flags, "\t\n") : 0;

	return length && memchr(flags, flag, length);
}

/*
 * Checks for other users of the hooked functions. The target of a direct call, "direct-->" or
 * "direct(jmp)-->", is in the function's line or in one after it. It may be BPF's trampoline, or
 * the module's own. The function's line may also name the ftrace code that makes such calls. Only
 * root may read the list; without it, this item is left out.
 */
static void check_ftrace(struct check *check)
{
	int fd = open_below(check, "/sys/kernel/tracing/enabled_functions");
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL, taken[256] = "", name[64] = "";
	size_t room = 0;

	if (!list)
		return;
	while (!taken[0] && getline(&line, &room, list) > 0) {
		if (line[0] != '\t')
			snprintf(name, sizeof(name), "%.*s",
				 is_hooked(line) ? (int)strcspn(line, " ") : 0, line);
		if (!name[0])
			continue;
		if (line[0] != '\t' && has_flag(line, 'I'))
			snprintf(taken, sizeof(taken), "%s is redirected", name);
		else if ((strstr(line, "direct-->") || strstr(line, "direct(jmp)-->")) &&
			 !strstr(line, " [elisa]"))
			snprintf(taken, sizeof(taken), "%s has a direct call", name);
	}
	free(line);
	fclose(list);
	report(check, !taken[0], "kernel: no livepatch or BPF program on KVM's functions",
	       "take the livepatch or the BPF program (fentry, fexit) away; tracepoints and kprobes "
	       "work beside ELISA",
	       "%s in /sys/kernel/tracing/enabled_functions", taken[0] ? taken : "none");
}

/* Checks whether VMMs may use perf: samples and counts of a VMM's own threads continue while a
 * guest is in an object's context. */
static void check_perf(struct check *check)
{
	char line[16];

	read_line(check, "/proc/sys/kernel/perf_event_paranoid", line, sizeof(line));
	report(check, strtol(line, NULL, 10) >= 3, "kernel: VMMs cannot use perf",
	       "sysctl kernel.perf_event_paranoid=3; where that means no more than 2 (all kernels but "
	       "Debian's and Ubuntu's) also keep the system call perf_event_open from VMMs "
	       "(systemd: SystemCallFilter=~perf_event_open)",
	       "kernel.perf_event_paranoid is %s", line[0] ? line : "missing");
}

static void check_parameter(struct check *check, const char *name, const char *needed)
{
	char path[96], item[64], todo[128], line[32];

	snprintf(path, sizeof(path), "/sys/module/kvm_intel/parameters/%s", name);
	snprintf(item, sizeof(item), "kvm_intel: %s=%s", name, needed);
	snprintf(todo, sizeof(todo),
		 "end all VMs, then: modprobe -r kvm_intel && modprobe kvm_intel %s=%c", name,
		 needed[0] == 'Y' ? '1' : '0');
	read_line(check, path, line, sizeof(line));
	report(check, !strcmp(line, needed), item, todo, "it is %s", line[0] ? line : "missing");
}

static void check_kvm(struct check *check)
{
	char line[32];
	bool loaded;

	/* a module has initstate; a built-in one may have parameters, but cannot be used */
	loaded = read_line(check, "/sys/module/kvm_intel/initstate", line, sizeof(line));
	report(check, loaded, "kvm_intel is loaded as a module",
	       "run: modprobe kvm_intel; a kernel that has it built in cannot be used",
	       "/sys/module/kvm_intel/initstate is %s", loaded ? line : "missing");
	if (!loaded)
		return;
	check_parameter(check, "ept", "Y");
	check_parameter(check, "unrestricted_guest", "Y");
	/* newer kernels have no such parameter, and behave as with 0 */
	if (read_line(check, "/sys/module/kvm_intel/parameters/pt_mode", line, sizeof(line)))
		check_parameter(check, "pt_mode", "0");
	read_line(check, "/sys/module/kvm_intel/parameters/nested", line, sizeof(line));
	report(check, true, "kvm_intel: nested", "",
	       "it is %s; either will do, but a guest's own guests cannot attach",
	       line[0] ? line : "missing");
}

#define HARMLESS(bug, name) name,
#define LEAKS(bug, name)
static const char *const harmless_bugs[] = {ELISA_CPU_BUGS(HARMLESS, LEAKS)};

static bool is_harmless(const char *end, size_t length)
{
	for (size_t i = 0; i < sizeof(harmless_bugs) / sizeof(harmless_bugs[0]); i++)
		if (is_word(end, length, harmless_bugs[i]))
			return true;
	return false;
}

/* Checks the CPU's flaws as elisa_cpu_leaks() in the module does: flaws that the kernel names, and
 * that are not known to be harmless. */
static void check_bugs(struct check *check)
{
	const char *line = cpu_line(check, "bugs");
	char item[96], override[16];
	bool any = false, accepted;
	size_t length;

	if (!line) {
		report(check, false, "CPU: flaws", "boot a kernel that knows the CPU's flaws",
		       "no line \"bugs\" in /proc/cpuinfo");
		return;
	}
	read_line(check, "/sys/module/elisa/parameters/allow_leaky_cpu", override,
		  sizeof(override));
	accepted = !strcmp(override, "Y");
	while ((length = next_word(&line))) {
		if (is_harmless(line, length))
			continue;
		any = true;
		snprintf(item, sizeof(item), "CPU: flaw %.*s%s", (int)length, line - length,
			 accepted ? " is accepted" : "");
		report(check, accepted, item,
		       "use another CPU, or accept that guests can read objects' data from the "
		       "CPU's caches and buffers: modprobe elisa allow_leaky_cpu=1",
		       accepted ? "allow_leaky_cpu is Y; it is in the bugs of /proc/cpuinfo" :
				  "in the bugs of /proc/cpuinfo");
	}
	if (!any)
		report(check, true, "CPU: no flaws but harmless ones", "",
		       "the bugs of /proc/cpuinfo");
}

/* Checks for TSX. The module asks the CPU itself: clearcpuid=rtm only hides these flags. */
static void check_tsx(struct check *check)
{
	bool has = cpu_has(check, "flags", "rtm") || cpu_has(check, "flags", "hle");

	report(check, !has, "CPU: no transactions (TSX)",
	       "boot with tsx=off; a CPU on which that does not take rtm and hle away cannot be "
	       "used",
	       "rtm or hle %s in the flags of /proc/cpuinfo", has ? "is listed" : "is not listed");
}

static void check_module(struct check *check)
{
	report(check, check->module_loaded, "the elisa module is loaded",
	       "run: modprobe elisa; if it refuses, the kernel's log (dmesg) has the reason",
	       "/sys/module/elisa/initstate is %s", check->module_loaded ? "there" : "missing");
}

/* Returns the items: {item, ok, found, todo}. *usable is set if all are ok. Reads files below
 * root. */
static struct json_object *check_host(const char *root, int *usable)
{
	struct check check = {.root = root, .items = json_object_new_array(), .usable = 1};
	char line[32];

	check.cpuinfo = read_text(&check, "/proc/cpuinfo", 1 << 16);
	check.module_loaded = read_line(&check, "/sys/module/elisa/initstate", line, sizeof(line));
	check_cpu(&check);
	check_kernel(&check);
	check_ftrace(&check);
	check_perf(&check);
	check_kvm(&check);
	check_bugs(&check);
	check_tsx(&check);
	check_module(&check);
	free(check.cpuinfo);
	*usable = check.usable;
	return check.items;
}

static const char *field(struct json_object *item, const char *key)
{
	return json_object_get_string(json_object_object_get(item, key));
}

int run_check(const struct options *options)
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
