// SPDX-License-Identifier: Apache-2.0
/*
 * Strict mode, four switches: results are right and no call exits, with each kind of export and
 * stub.
 *
 * 100,000 calls of the cheapest kind may cost 40 instructions each, where the TSC counts
 * instructions.
 */
#include "modes.h"

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	char name[] = "t.strict0";
	struct outcome out;
	uint32_t slot;
	double each;
	int i;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	for (i = 0; i < 4; i++) {
		name[8] = '0' + i;
		export_new(manager, name, kinds[i].export_flags, 0);
		slot = attach(guest, name, kinds[i].stub_flags, 0);
		CHECK_EQ(guest->page->why, ELISA_OK);
		out = call(guest, 0, slot, DO_ADD, 1L << 62, -5);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		CHECK_EQ(out.value, (1L << 62) - 5);
		each = count_calls(guest, manager, &kinds[i], "strict", slot, i ? 10000 : 100000);
		if (!i)
			printf("result insns_per_call_strict=%.2f\n", each);
		if (tsc_counts_instructions())
			CHECK(each >= 30 && (i || each <= 40));
	}
	printf("strict: right results, no exits but the host's interrupts\n");
	return 0;
}
