/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which machine the self-test ran on, and whether it is an emulated one: results of an emulator
 * need not hold for a processor. Of data that identify a single machine, such as serial numbers,
 * only the host's name is included.
 */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <x86intrin.h>
#include "elisactl.h"
#include "selftest.h"

#define CHAIN	   "1000"
#define TRIES	   200
#define HYPERVISOR (1 << 31) /* CPUID 1, ECX */

/* ---- the emulator */

/* Measures a chain of instructions. It takes the least time of several tries, because interrupts
 * only add time. */
#define TICKS_OF(instruction)                                                          \
	({                                                                             \
		uint64_t least_ = UINT64_MAX, took_;                                   \
		for (int i_ = 0; i_ < TRIES; i_++) {                                   \
			took_ = __rdtsc();                                             \
			__asm__ volatile(".rept " CHAIN "\n\t" instruction "\n\t.endr" \
					 :                                             \
					 :                                             \
					 : "rax", "cc");                               \
			took_ = __rdtsc() - took_;                                     \
			least_ = took_ < least_ ? took_ : least_;                      \
		}                                                                      \
		(double)least_;                                                        \
	})

/*
 * Tells whether time is a number of instructions, as in an emulator. A processor takes three cycles
 * or more for a multiplication that waits for the result of the one before. It takes less than one
 * for a NOP. In an emulator both take the same time.
 */
static bool counts_instructions(void)
{
	return TICKS_OF("imul %%rax, %%rax") < 2 * TICKS_OF("nop");
}

/* Returns the hypervisor's name for itself; "" without a hypervisor. */
static void hypervisor_name(char name[13])
{
	unsigned int a, b, c, d, words[3];

	name[0] = 0;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & HYPERVISOR))
		return;
	__cpuid(0x40000000, a, words[0], words[1], words[2]);
	memcpy(name, words, sizeof(words));
	name[12] = 0;
}

static void add_emulated(struct json_object *to)
{
	const bool counts = counts_instructions();
	char hypervisor[13];

	hypervisor_name(hypervisor);
	json_object_object_add(to, "emulated",
			       json_object_new_boolean(counts ||
						       !strcmp(hypervisor, "TCGTCGTCGTCG")));
	add_text(to, "tsc_counts", counts ? "instructions" : "time");
	add_text(to, "hypervisor", hypervisor);
}

/* ---- the rest */

/* Reads the first line of a file; "" if there is none. */
static void first_line(const char *root, const char *path, char *line, size_t size)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	file = fopen(full, "re");
	if (!file || !fgets(line, (int)size, file))
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (file)
		fclose(file);
}

static void add_file(struct json_object *to, const char *key, const char *root, const char *path)
{
	char line[256];

	first_line(root, path, line, sizeof(line));
	add_text(to, key, line);
}

/* Adds data of the first processor. */
static void add_cpu(struct json_object *to, const char *root)
{
	static const char *const keys[] = {"vendor_id", "model name", "cpu family", "model",
					   "stepping",	"microcode",  "bugs",	    "vmx flags"};
	char full[512], *line = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(full, sizeof(full), "%s/proc/cpuinfo", root);
	file = fopen(full, "re");
	while (file && getline(&line, &size, file) > 0 && line[0] != '\n') {
		char *value = strchr(line, ':');
		size_t length = strcspn(line, "\t:");

		for (size_t i = 0; value && i < sizeof(keys) / sizeof(*keys); i++)
			if (strlen(keys[i]) == length && !strncmp(line, keys[i], length)) {
				value[strcspn(value, "\n")] = 0;
				add_text(to, keys[i], value + 1 + strspn(value + 1, " "));
			}
	}
	free(line);
	if (file)
		fclose(file);
}

struct json_object *selftest_machine(const char *root)
{
	struct json_object *machine = json_object_new_object();
	struct json_object *cpu = json_object_new_object();
	struct utsname name;

	uname(&name);
	add_text(machine, "host", name.nodename);
	add_text(machine, "kernel", name.release);
	add_text(machine, "kernel_version", name.version);
	add_file(machine, "command_line", root, "/proc/cmdline");
	add_file(machine, "vendor", root, "/sys/class/dmi/id/sys_vendor");
	add_file(machine, "product", root, "/sys/class/dmi/id/product_name");
	add_file(machine, "firmware", root, "/sys/class/dmi/id/bios_version");
	add_cpu(cpu, root);
	json_object_object_add(machine, "cpu", cpu);
	json_object_object_add(machine, "cpus",
			       json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
	add_emulated(machine);
	return machine;
}
