/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four kinds of calls that strict.c and trusted.c count: exports of general or of all
 * registers, and callers that trust the manager or guard themselves.
 */
#ifndef ELISA_TEST_MODES_H
#define ELISA_TEST_MODES_H

#include "../../gate/gate_page.h"
#include "harness.h"

static const struct kind {
	const char *name;
	uint32_t export_flags, stub_flags;
} kinds[] = {
	{"general_trusting", ELISA_EXPORT_GENERAL_REGS, ELISA_STUB_TRUSTING},
	{"general_guarded", ELISA_EXPORT_GENERAL_REGS, ELISA_STUB_XSAVE},
	{"full_trusting", 0, ELISA_STUB_TRUSTING},
	{"full_guarded", 0, ELISA_STUB_XSAVE},
};

/* Calls of one measurement. Some of these loops see no interrupt, so the least result counts. */
#define CHUNK 2500

static uint64_t bad_ends(void)
{
	return counter(ELISA_COUNT_FAULTS) + counter(ELISA_COUNT_FORBIDDEN) +
	       counter(ELISA_COUNT_REFUSED_VMFUNC) + counter(ELISA_COUNT_TIMEOUTS);
}

/*
 * Makes @calls calls and checks their exits. Each exit must be an external interrupt of the host,
 * or the return trap after one, when the host watches the call's time. Returns the instructions of
 * one call, without those of the loop and the function.
 */
static inline double count_calls(struct vm *guest, struct vm *manager, const struct kind *kind,
				 const char *mode, uint32_t slot, uint64_t calls)
{
	uint64_t exits, irq, traps, bad, cycles, least = ~0ULL, done;
	struct outcome out;
	double each;

	*object_data(manager) = 0;
	out = call_loop(guest, 0, slot, DO_COUNT, 10, NULL);
	CHECK_EQ(out.value, 10);
	exits = vcpu_stat(guest, 0, "exits");
	irq = vcpu_stat(guest, 0, "irq_exits");
	traps = counter(ELISA_COUNT_RETURN_TRAPS);
	bad = bad_ends();
	for (done = 0; done < calls; done += CHUNK) {
		out = call_loop(guest, 0, slot, DO_ADD, CHUNK, &cycles);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		least = cycles < least ? cycles : least;
	}
	irq = vcpu_stat(guest, 0, "irq_exits") - irq;
	exits = vcpu_stat(guest, 0, "exits") - exits;
	traps = counter(ELISA_COUNT_RETURN_TRAPS) - traps;
	/* the other exits are the OUT at the end of each loop */
	CHECK_EQ(exits, irq + traps + calls / CHUNK);
	CHECK(traps <= irq);
	CHECK_EQ(bad_ends(), bad);
	each = (double)least / CHUNK - LOOP_INSTRUCTIONS - ADD_INSTRUCTIONS;
	printf("result insns_per_call_%s_%s=%.2f\n", mode, kind->name, each);
	printf("  %llu calls, %llu exits: %llu interrupts, %llu looks at the time, %llu OUT\n",
	       (unsigned long long)calls, (unsigned long long)exits, (unsigned long long)irq,
	       (unsigned long long)traps, (unsigned long long)(calls / CHUNK));
	return each;
}

#endif
