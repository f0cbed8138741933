// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM takes memory back from its VM, as a balloon or a memory-saving host does.
 *
 * The memory includes pages that are shared by ELISA. The VMM takes them between calls and in the
 * middle of a call. The exported object and the exchange buffer must stay the pages that the host
 * pinned. The test notices another page by a counter that does not go on.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "attack.h"

static const struct {
	const char *name;
	int advice;
} ways[] = {
	{"DONTNEED", MADV_DONTNEED},
	{"REMOVE", MADV_REMOVE},
	{"FREE", MADV_FREE},
	{"COLD", 20},
	{"PAGEOUT", 21},
	{"MERGEABLE", MADV_MERGEABLE},
	{"HUGEPAGE", MADV_HUGEPAGE},
	{"COLLAPSE", 25},
	{"DONTFORK", MADV_DONTFORK},
	{"WILLNEED", MADV_WILLNEED},
	{"WIPEONFORK", 18},
	{"UNMERGEABLE", MADV_UNMERGEABLE},
};
#define WAYS (int)(sizeof(ways) / sizeof(ways[0]))

static struct pair pair;

/* Applies @way to the pages of the manager's export or of the guest's exchange buffer. */
static void take(int way, bool managers)
{
	uint8_t *at = managers ? pair.manager->memory + OBJECT :
				 pair.guest->memory + OBJECT + 0x100000;

	/*
	 * The kernel refuses some advice for this kind of memory. A refusal is as good as success.
	 */
	madvise(at, 2 * PAGE_SIZE, ways[way].advice);
}

static void between_calls(int way, bool managers)
{
	struct outcome before = call(pair.guest, 0, pair.slot, DO_COUNT, 0, 0), after;

	take(way, managers);
	after = call(pair.guest, 0, pair.slot, DO_COUNT, 0, 0);
	attack_try(!after.exit && !after.error && after.value == before.value + 1,
		   "%s of %s: exit %#x, error %ld, %ld after %ld", ways[way].name,
		   managers ? "the object" : "the buffer", after.exit, after.error, after.value,
		   before.value);
}

/*
 * The function counts in the exchange buffer. The counter must go on in the page that was pinned.
 */
static void in_a_call(int way, bool managers)
{
	uint64_t buffer = code_page(pair.slot) + ELISA_EXCHANGE_OFFSET;
	struct kvm_regs regs = {
		.rdi = DO_STAY, .rsi = buffer, .r11 = stub_entry(pair.slot), .rflags = 0x200};
	uint64_t first, second;

	start_at(pair.guest, 0, 3, user_code(user_call), &regs);
	timer(1000, 0);
	CHECK_EQ(run_once(pair.guest, 0), -EINTR);
	take(way, managers);
	timer(1000, 0);
	attack_try(run_once(pair.guest, 0) == -EINTR, "%s: the call did not go on", ways[way].name);
	(void)get_sregs(pair.guest, 0); /* ends the call */
	attack_try(finish(pair.guest, 0).error == ELISA_CALL_VMM, "%s: not ended", ways[way].name);
	first = call(pair.guest, 0, pair.slot, DO_READ, buffer, 0).value;
	second = call(pair.guest, 0, pair.slot, DO_READ, buffer, 0).value;
	attack_try(first && first == second, "%s: %llu, then %llu", ways[way].name,
		   (unsigned long long)first, (unsigned long long)second);
}

int main(void)
{
	unsigned long round, rounds = attack_scale(20);
	int way;

	for (round = 0; round < rounds; round++) {
		pair = attack_pair("t.balloon", ELISA_EXPORT_GENERAL_REGS, 1000000,
				   ELISA_STUB_TRUSTING, 2, 1);
		for (way = 0; way < WAYS; way++) {
			between_calls(way, true);
			between_calls(way, false);
			in_a_call(way, true);
			in_a_call(way, false);
		}
		attack_try(attack_pair_works(&pair), "no call afterwards");
		vm_free(pair.guest);
		vm_free(pair.manager);
	}
	return 0;
}
