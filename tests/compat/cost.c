/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call costs, and how many exits calls make, by way of the compatibility library and beside
 * it by the library's own call: the same function, exported in the same way, in the same loop.
 *   compat_cost SERVER PORT EXPORT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <elisa/elisa.h>
#include <libelisa.h>
#include <measure.h>
#include "function.h"

enum {
	VMCALL = 18,
	VMFUNC = 59
};

static struct elisa *elisa;
static struct elisa_attachment *native;
static uint64_t before[ELISA_EXIT_REASONS], after[ELISA_EXIT_REASONS], traps[2];

static int nothing(int sockfd)
{
	(void)sockfd;
	return 0;
}

static __attribute__((noinline)) double native_calls(void)
{
	return MEASURE_LEAST(({
		struct elisa_result result = elisa_call(native, VALUE, 0, 0, 511, 0, 0);

		if (result.error || result.value != 1)
			exit(1);
	}));
}

static __attribute__((noinline)) double compat_calls(void)
{
	return MEASURE_LEAST(({
		if (elisa_gate_entry(VALUE, 0, 0, 511, 0, 0) != 1)
			exit(1);
	}));
}

/* Exits that the calls made: by VMFUNC, but for those that let a waiting
 * interrupt in, and VMCALL. */
static double counted(const char *name, double (*calls)(void))
{
	double cost;

	elisa_vcpu_exits(elisa, before, &traps[0]);
	cost = calls();
	elisa_vcpu_exits(elisa, after, &traps[1]);
	printf("%s: %.1f instructions for a call, %lld exits in %d calls\n", name, cost,
	       (long long)((after[VMFUNC] - before[VMFUNC]) - (traps[1] - traps[0]) +
			   (after[VMCALL] - before[VMCALL]) - 1),
	       MEASURE_BATCH * MEASURE_BATCHES);
	return cost;
}

int main(int argc, char **argv)
{
	const uint32_t flags = getenv("ELISA_COMPAT_TRUST_MANAGER") ? ELISA_ATTACH_TRUST_MANAGER :
								      0;
	double own, compat;
	bool more;

	if (argc < 4 || elisa_client(argv[1], atoi(argv[2]), nothing) < 0) {
		fprintf(stderr, "%s\n", elisa_compat_error());
		return 1;
	}
	if (elisa_open(NULL, &elisa) < 0 ||
	    elisa_attach(elisa, argv[3], flags, NULL, 0, &native) < 0) {
		fprintf(stderr, "%s\n", elisa_error(elisa));
		return 1;
	}
	own = counted("native", native_calls);
	compat = counted("compat", compat_calls);
	/* a whole instruction more is one of ours; a tick of a timer in 100,000 calls is not */
	more = compat > own + 0.5;
	printf("cost: %s\n", more ? "MORE" : "the same");
	return more;
}
