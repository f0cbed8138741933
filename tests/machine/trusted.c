// SPDX-License-Identifier: Apache-2.0
/*
 * Trusted mode, three switches: results are right, no call exits, and the cheapest kind costs 32
 * instructions at most.
 *
 * An export is of trusted mode only if the administrator's grant says so. The host's list must have
 * the right mode.
 */
#include "modes.h"

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	struct elisa_host_attachment attachments[8];
	char name[] = "t.trusted0";
	struct outcome out;
	uint32_t slot;
	double each;
	int i, n;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH | ELISA_GRANT_TRUSTED_MANAGER,
		    "t.trusted*", 0) > 0);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.strict", 0) > 0);
	for (i = 0; i < 4; i++) {
		name[9] = '0' + i;
		export_new(manager, name, kinds[i].export_flags, 0);
		slot = attach(guest, name, kinds[i].stub_flags, 0);
		out = call(guest, 0, slot, DO_ADD, 40, 2);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		CHECK_EQ(out.value, 42);
		each = count_calls(guest, manager, &kinds[i], "trusted", slot, i ? 10000 : 100000);
		if (!i)
			printf("result insns_per_call_trusted=%.2f\n", each);
		if (tsc_counts_instructions())
			CHECK(each >= 25 && (i || each <= 32));
	}
	export_new(manager, "t.strict", ELISA_EXPORT_GENERAL_REGS, 0);
	attach(guest, "t.strict", ELISA_STUB_TRUSTING, 0);
	n = admin_list(ELISA_HOST_ATTACHMENTS, attachments, sizeof(attachments[0]), 8);
	CHECK_EQ(n, 5);
	for (i = 0; i < n; i++)
		CHECK_EQ(attachments[i].mode, i < 4 ? ELISA_MODE_TRUSTED : ELISA_MODE_STRICT);
	/* both modes on one vCPU */
	out = call(guest, 0, attachments[4].slot, DO_ADD, 1, 2);
	CHECK_EQ(out.value, 3);
	out = call(guest, 0, attachments[0].slot, DO_UD, 0, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	out = call(guest, 0, attachments[0].slot, DO_ADD, 3, 4);
	CHECK_EQ(out.value, 7);
	printf("trusted: right results, no exits but the host's interrupts; strict without the grant\n");
	return 0;
}
