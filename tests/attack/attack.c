// SPDX-License-Identifier: Apache-2.0
/* Counts the tries of an attack and prints the line that the runner looks for. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "attack.h"

#define SHOWN	     20 /* the most unexpected tries that are printed */
#define CR4_FSGSBASE (1 << 16)

static unsigned long tries, unexpected;

void attack_try(bool expected, const char *format, ...)
{
	va_list arguments;

	tries++;
	if (expected)
		return;
	if (unexpected++ < SHOWN) {
		va_start(arguments, format);
		printf("UNEXPECTED: ");
		vprintf(format, arguments);
		printf("\n");
		va_end(arguments);
	}
}

void attack_tries(unsigned long count, unsigned long bad, const char *what)
{
	tries += count;
	unexpected += bad;
	if (bad)
		printf("UNEXPECTED: %s, %lu of %lu\n", what, bad, count);
}

unsigned long attack_scale(unsigned long all)
{
	const char *percent = getenv("ELISA_ATTACK_SCALE");
	unsigned long scaled = percent && *percent ? all * strtoul(percent, NULL, 10) / 100 : all;

	return scaled ? scaled : 1;
}

void attack_place(struct vm *vm, uint64_t gpa, const uint8_t *code, const uint8_t *end)
{
	memcpy(vm->memory + gpa, code, end - code);
}

struct pair attack_pair(const char *name, uint32_t export_flags, uint32_t limit_us,
			uint32_t stub_flags, uint32_t exchange, int vcpus)
{
	struct pair pair = {vm_new(1), vm_new(vcpus), 0, 0};
	struct kvm_sregs sregs = get_sregs(pair.guest, 0);

	sregs.cr4 |= stub_flags & ELISA_STUB_FSGSBASE ? CR4_FSGSBASE : 0;
	CHECK_EQ(set_sregs(pair.guest, 0, &sregs), 0);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, name, 0) > 0);
	pair.export_id = export_new(pair.manager, name, export_flags, limit_us);
	pair.slot = attach(pair.guest, name, stub_flags, exchange);
	CHECK(attack_pair_works(&pair));
	return pair;
}

bool attack_pair_works(const struct pair *pair)
{
	struct outcome out = call(pair->guest, 0, pair->slot, DO_ADD, 30, 12);

	return !out.exit && !out.error && out.value == 42 && out.regs.rsp == USER_STACK;
}

/* Prints the result. A failed check of the harness ends the program and gets here too. */
static void at_exit(int status, void *unused)
{
	(void)unused;
	if (status && !unexpected)
		unexpected = 1;
	printf("attack %s tries=%lu unexpected=%lu\n", program_invocation_short_name, tries,
	       unexpected);
	fflush(stdout);
	if (unexpected && !status)
		_exit(1);
}

__attribute__((constructor)) static void begin(void)
{
	CHECK(!on_exit(at_exit, NULL));
}
