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
#include <unistd.h>
#include "elisactl.h"

struct check {
	const char *root; /* "" or a directory with a copy of proc and sys, for tests */
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

/* A whole small file as a string; NULL if it is not there. */
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

/* The first line, in a buffer; "" if the file is not there. */
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

/* Is word in the line of cpuinfo that begins with key? Of the first CPU: they must be alike. */
static bool cpu_has(const struct check *check, const char *key, const char *word)
{
	const char *line = check->cpuinfo;
	size_t length = strlen(word);

	while (line && (strncmp(line, key, strlen(key)) || !strchr("\t :", line[strlen(key)]))) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	if (!line)
		return false;
	for (const char *end = line + strcspn(line, "\n"); line < end; line++) {
		line += strspn(line, "\t ");
		if (strcspn(line, "\t \n") == length && !strncmp(line, word, length))
			return true;
		line += strcspn(line, "\t \n");
	}
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
 * /proc/cpuinfo has a name for EPTP switching, but kernels look for it in the wrong half of the
 * MSR (init_vmx_capabilities()), so the MSR itself has to be asked.
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
	       "use an Intel CPU with VMFUNC (Haswell or newer); inside a VM have the hypervisor "
	       "below offer it",
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

static void check_kernel(struct check *check)
{
	unsigned int major = 0, minor = 0;
	char line[128];
	bool supported;

	read_line(check, "/proc/sys/kernel/osrelease", line, sizeof(line));
	supported = sscanf(line, "%u.%u", &major, &minor) == 2 &&
		    ((major == 6 && minor >= 1 && minor <= 12) || check->module_loaded);
	report(check, supported, "kernel release",
	       "boot a kernel from 6.1 to 6.12, or port the module (host/compat.h)", "%s", line);

	read_line(check, "/proc/sys/kernel/ftrace_enabled", line, sizeof(line));
	report(check, !strcmp(line, "1"), "kernel: function tracing",
	       line[0] ? "switch it on: sysctl kernel.ftrace_enabled=1" :
			 "boot a kernel with CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE",
	       "kernel.ftrace_enabled is %s", line[0] ? line : "missing");
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

	/* initstate is there for a module; parameters also if it is built in, which will not do. */
	loaded = read_line(check, "/sys/module/kvm_intel/initstate", line, sizeof(line));
	report(check, loaded, "kvm_intel is loaded as a module",
	       "run: modprobe kvm_intel; a kernel that has it built in cannot be used",
	       "/sys/module/kvm_intel/initstate is %s", loaded ? line : "missing");
	if (!loaded)
		return;
	check_parameter(check, "ept", "Y");
	check_parameter(check, "unrestricted_guest", "Y");
	/* Interrupts that the CPU delivers by itself would reach the object's context. */
	check_parameter(check, "enable_apicv", "N");
	read_line(check, "/sys/module/kvm_intel/parameters/nested", line, sizeof(line));
	report(check, true, "kvm_intel: nested", "",
	       "it is %s; either will do, but a guest's own guests cannot attach",
	       line[0] ? line : "missing");
}

/* The flaws that the module looks at (elisa_cpu_leaks()). A kernel that has no file for one of the
 * later ones does not know it, and neither does the module there. */
static void check_leak(struct check *check, const char *name, bool always_known)
{
	char path[96], item[64], line[160], override[16];
	bool known, ok;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", name);
	snprintf(item, sizeof(item), "CPU: not affected by %s", name);
	known = read_line(check, path, line, sizeof(line)) || always_known;
	read_line(check, "/sys/module/elisa/parameters/allow_leaky_cpu", override,
		  sizeof(override));
	ok = !known || !strcmp(line, "Not affected") || !strcmp(override, "Y");
	report(check, ok, item,
	       "use another CPU, or accept that guests can read objects' data from the CPU's "
	       "caches and buffers: modprobe elisa allow_leaky_cpu=1",
	       "%s%s", line[0] ? line : "the kernel does not say",
	       !strcmp(override, "Y") ? " (overridden by allow_leaky_cpu)" : "");
}

static void check_module(struct check *check)
{
	report(check, check->module_loaded, "the elisa module is loaded",
	       "run: modprobe elisa; if it refuses, the kernel's log (dmesg) has the reason",
	       "/sys/module/elisa/initstate is %s", check->module_loaded ? "there" : "missing");
}

/* Items of {item, ok, found, todo}; *usable is set if all are ok. Looks at files below root. */
static struct json_object *check_host(const char *root, int *usable)
{
	struct check check = {.root = root, .items = json_object_new_array(), .usable = 1};
	char line[32];

	check.cpuinfo = read_text(&check, "/proc/cpuinfo", 1 << 16);
	check.module_loaded = read_line(&check, "/sys/module/elisa/initstate", line, sizeof(line));
	check_cpu(&check);
	check_kernel(&check);
	check_kvm(&check);
	check_leak(&check, "l1tf", true);
	check_leak(&check, "mds", true);
	check_leak(&check, "tsx_async_abort", false);
	check_leak(&check, "mmio_stale_data", false);
	check_leak(&check, "gather_data_sampling", false);
	check_leak(&check, "reg_file_data_sampling", false);
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
