// SPDX-License-Identifier: Apache-2.0
/*
 * Calls of an export with the flag that counts calls.
 *
 * The host's list must have the exact number of calls of all vCPUs, aborted calls included. A
 * counted call must cause no exit and take one or three instructions more. A function can write to
 * its own count, but must not change the count of another attachment. An export without the flag
 * has no count.
 */
#include "modes.h"

#define CALLS 1000
#define TRIES 20

static struct vm *manager, *guest;

static struct elisa_host_attachment record(uint32_t slot)
{
	struct elisa_host_attachment all[16];
	int i, n = admin_list(ELISA_HOST_ATTACHMENTS, all, sizeof(all[0]), 16);

	for (i = 0; i < n && all[i].slot != slot; i++)
		;
	CHECK(i < n);
	return all[i];
}

static uint64_t calls_of_vcpu(uint32_t vcpu)
{
	struct elisa_host_vcpu all[16];
	int i, n = admin_list(ELISA_HOST_VCPUS, all, sizeof(all[0]), 16);

	for (i = 0; i < n; i++)
		if (all[i].vcpu == vcpu && all[i].attachments)
			return all[i].calls;
	CHECK(false);
	return 0;
}

/* Returns the exits without those that the host's interrupts caused. */
static uint64_t own_exits(void)
{
	return vcpu_stat(guest, 0, "exits") - vcpu_stat(guest, 0, "irq_exits") -
	       counter(ELISA_COUNT_RETURN_TRAPS);
}

/* Returns the instructions of a call, including the loop and the function. */
static double least_of(uint32_t slot, uint64_t *calls)
{
	uint64_t cycles, least = ~0ULL;
	int i;

	for (i = 0; i < TRIES; i++) {
		CHECK_EQ(call_loop(guest, 0, slot, DO_ADD, CALLS, &cycles).error, 0);
		least = cycles < least ? cycles : least;
		*calls += CALLS;
	}
	return (double)least / CALLS;
}

static uint32_t attach_kind(const char *name, const struct kind *kind, uint32_t flags)
{
	export_new(manager, name, kind->export_flags | flags, 0);
	return attach(guest, name, kind->stub_flags, 0);
}

static void exact(const struct kind *kind, int number)
{
	const bool general = kind->export_flags & ELISA_EXPORT_GENERAL_REGS;
	char name[] = "t.plain0", counted[] = "t.counted0";
	uint64_t calls = 0, none = 0, exits;
	uint32_t plain, slot;
	double cost;

	name[7] = counted[9] = '0' + number;
	plain = attach_kind(name, kind, 0);
	slot = attach_kind(counted, kind, ELISA_EXPORT_COUNTED);
	CHECK_EQ(record(slot).calls, 0);
	CHECK_EQ(record(slot).flags, kind->export_flags | ELISA_EXPORT_COUNTED);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 40, 2).value, 42);
	CHECK_EQ(record(slot).calls, ++calls);
	least_of(slot, &calls);
	least_of(plain, &none);
	exits = own_exits();
	cost = least_of(slot, &calls) - least_of(plain, &none);
	/* each loop ends by one OUT, which exits */
	CHECK_EQ(own_exits() - exits, 2 * TRIES);
	CHECK_EQ(record(slot).calls, calls);
	CHECK_EQ(record(plain).calls, 0);
	printf("result insns_of_counting_%s_%s=%.2f\n", trusted ? "trusted" : "strict", kind->name,
	       cost);
	if (tsc_counts_instructions())
		CHECK(cost > (general ? 2.9 : 0.9) && cost < (general ? 3.1 : 1.1));
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	CHECK_EQ(record(slot).calls, ++calls);
	CHECK_EQ(call(guest, 1, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(record(slot).calls, ++calls);
	CHECK_EQ(detach(guest, 0, plain), 0);
	CHECK_EQ(detach(guest, 0, slot), 0);
}

static void a_function_lies(void)
{
	uint32_t slot = attach_kind("t.lies", &kinds[0], ELISA_EXPORT_COUNTED);
	uint32_t other = attach_kind("t.honest", &kinds[0], ELISA_EXPORT_COUNTED);
	const uint64_t count = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + ELISA_CALLS_OFFSET;

	CHECK_EQ(call(guest, 0, other, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(call(guest, 0, slot, DO_WRITE, count, 1000000).error, 0);
	CHECK_EQ(record(slot).calls, 1000000);
	CHECK_EQ(calls_of_vcpu(0), 1000001);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(record(slot).calls, 1000001);
	CHECK_EQ(record(other).calls, 1);
	CHECK_EQ(detach(guest, 0, other), 0);
	CHECK_EQ(detach(guest, 0, slot), 0);
}

static void test(void)
{
	int kind;

	manager = vm_new(1);
	guest = vm_new(2);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	for (kind = 0; kind < 4; kind++)
		exact(&kinds[kind], kind);
	a_function_lies();
}

int main(void)
{
	return in_both_modes(test);
}
