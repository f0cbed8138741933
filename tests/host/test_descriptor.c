// SPDX-License-Identifier: Apache-2.0
/*
 * Which instruction bytes of a guest KVM's emulator may get after a descriptor-table exit.
 *
 * Only the instruction that has exited, after any prefixes, is allowed. The attack would be another
 * instruction that a second vCPU has written there. The test tries all opcodes.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "host.h"
#include "../../host/path/descriptor.h"

static const u8 legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};

static bool prefix(unsigned int byte, bool code64)
{
	for (unsigned int i = 0; i < sizeof(legacy); i++)
		if (legacy[i] == byte)
			return true;
	return code64 && byte >= 0x40 && byte <= 0x4f;
}

/* SGDT, SIDT, LGDT, LIDT are 0f 01 /0 to /3 with memory; SLDT, STR, LLDT, LTR are 0f 00 /0 to /3 */
static void every_opcode(void **state)
{
	u8 code[3];

	(void)state;
	for (unsigned int all = 0; all < 1 << 24; all++) {
		code[0] = all >> 16;
		if (prefix(code[0], true))
			continue;
		code[1] = all >> 8;
		code[2] = all;
		for (u32 which = 0; which < 4; which++) {
			bool is = code[0] == 0x0f && (code[2] >> 3 & 7) == which;

			assert_int_equal(eh_is_descriptor_access(code, 3, true, 0, which),
					 is && code[1] == 0);
			assert_int_equal(eh_is_descriptor_access(code, 3, true, 1, which),
					 is && code[1] == 1 && code[2] >> 6 != 3);
		}
	}
}

static void every_prefix(void **state)
{
	u8 code[EH_INSTRUCTION_MAX] = {0, 0x0f, 0x01, 0x07};

	(void)state;
	for (int code64 = 0; code64 < 2; code64++)
		for (unsigned int byte = 0; byte < 256; byte++) {
			code[0] = byte;
			assert_int_equal(eh_is_descriptor_access(code, 4, code64, 1, 0),
					 prefix(byte, code64));
		}
}

static void too_short(void **state)
{
	u8 code[EH_INSTRUCTION_MAX];

	(void)state;
	/* prefixes alone, and an opcode that begins in the last bytes */
	memset(code, 0x66, sizeof(code));
	assert_false(eh_is_descriptor_access(code, sizeof(code), true, 1, 0));
	code[13] = 0x0f;
	code[14] = 0x01;
	assert_false(eh_is_descriptor_access(code, sizeof(code), true, 1, 0));
	code[12] = 0x0f;
	code[13] = 0x01;
	code[14] = 0x07;
	assert_true(eh_is_descriptor_access(code, sizeof(code), true, 1, 0));
	for (u32 size = 0; size < sizeof(code); size++)
		assert_false(eh_is_descriptor_access(code, size, true, 1, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode),
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(too_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
