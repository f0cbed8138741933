/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentence that tells a manager about its function's fault: names, stacks, and as much as fits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elisa/extra.h>
#include "test.h"
#include "fake.h"

#define CODE   0x10000
#define STACKS (1ULL << 32)
#define STACK  0x8000

static struct fake fake;
static struct elisa *handle;
static struct elisa_export *export_;
static struct elisa_extra_image *image;
static uint64_t entry;

static int begin(void **state)
{
	char file[512];

	(void)state;
	memset(&fake, 0, sizeof(fake));
	snprintf(file, sizeof(file), "%s/good.so", getenv("ELISA_TEST_OBJECTS"));
	if (fake_open(&fake, &handle) || elisa_export_create(handle, "f", 0, 0, &export_) ||
	    elisa_extra_load(export_, file, CODE, &image))
		return -1;
	return elisa_extra_symbol(image, "entry_function", &entry);
}

static int end(void **state)
{
	(void)state;
	if (elisa_export_destroy(export_))
		return -1;
	elisa_extra_unload(image); /* after the export's end: nothing is left to do there */
	elisa_close(handle);
	return 0;
}

static struct elisa_event fault(enum elisa_fault_about about, uint64_t instruction)
{
	return (struct elisa_event){.type = ELISA_EVENT_FAULT,
				    .instruction = instruction,
				    .address = ELISA_ELSEWHERE,
				    .fault = {.about = about}};
}

static void says(struct elisa_event event, const char *what)
{
	char text[256];
	const int length = elisa_fault_text(export_, &event, text, sizeof(text));

	assert_int_equal(length, strlen(text));
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in \"%s\"", what, text);
}

static void the_instruction_has_a_name(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "at %#llx of the object area (entry_function+0x3)",
		 (unsigned long long)entry + 3);
	says(fault(ELISA_FAULT_TRIPLE, entry + 3), name);
	says(fault(ELISA_FAULT_TRIPLE, 0x123456), "at 0x123456 of the object area");
	says(fault(ELISA_FAULT_TRIPLE, ELISA_ELSEWHERE), "outside of the object area");
	elisa_extra_unload(image);
	image = NULL;
	snprintf(name, sizeof(name), "at %#llx of the object area", (unsigned long long)entry + 3);
	says(fault(ELISA_FAULT_TRIPLE, entry + 3), name);
}

static void the_access_is_told(void **state)
{
	struct elisa_event event = fault(ELISA_FAULT_ADDRESS, entry);

	(void)state;
	event.address = 0x7008;
	event.fault.access = ELISA_PROT_READ | ELISA_PROT_WRITE;
	says(event, "wrote 0x7008 of the object area");
	event.fault.access = ELISA_PROT_READ;
	says(event, "read 0x7008 of");
	event.fault.access = ELISA_PROT_EXEC;
	says(event, "executed 0x7008 of");
	event.address = ELISA_ELSEWHERE;
	says(event, "executed what is not in the object area");
}

static void stacks_are_told_apart(void **state)
{
	struct elisa_event event = fault(ELISA_FAULT_ADDRESS, entry);

	(void)state;
	says(fault(ELISA_FAULT_STACK, entry), "a larger stack than the host's 12288 bytes");
	assert_int_equal(elisa_export_places(export_, 1ULL << 33, 2, ELISA_PAGE_SIZE, 0), 0);
	assert_int_equal(elisa_export_stacks(export_, STACKS, STACK, 3), 0);
	event.fault.access = ELISA_PROT_WRITE;
	event.address = STACKS + ELISA_PAGE_SIZE; /* the first one's unmapped half */
	says(event, "a larger stack than the export's");
	event.address += 2 * STACK * 5 + STACK - 8; /* the last one's */
	says(event, "a larger stack than the export's");
	event.address += 8; /* a stack itself */
	says(event, "wrote 0x");
	event.address = STACKS + ELISA_PAGE_SIZE + 2 * STACK * 6;
	says(event, "wrote 0x");
	event.address = STACKS;
	says(event, "wrote 0x");
}

static void other_ends(void **state)
{
	struct elisa_event event = fault(ELISA_FAULT_EXCEPTION, entry);

	(void)state;
	event.fault.vector = 6;
	says(event, "#UD (vector 6)");
	event.fault.vector = 200;
	says(event, "exception (vector 200)");
	event = fault(ELISA_FAULT_FORBIDDEN, entry);
	event.fault.exit = 10;
	says(event, "CPUID (exit reason 10)");
	event.fault.exit = 77;
	says(event, "(exit reason 77)");
	says(fault(99, entry), "does not know (99)");
}

static void any_room(void **state)
{
	const struct elisa_event event = fault(ELISA_FAULT_TRIPLE, entry);
	char text[256], part[256];
	const int length = elisa_fault_text(export_, &event, text, sizeof(text));

	(void)state;
	assert_int_equal(elisa_fault_text(export_, &event, NULL, 0), length);
	for (int room = 1; room <= length + 1; room++) {
		memset(part, 'x', sizeof(part));
		assert_int_equal(elisa_fault_text(export_, &event, part, (size_t)room), length);
		assert_int_equal(strlen(part), room - 1);
		assert_memory_equal(part, text, (size_t)room - 1);
		assert_int_equal(part[room], 'x');
	}
}

static void others_are_refused(void **state)
{
	struct elisa_event event = fault(ELISA_FAULT_TRIPLE, entry);
	char text[64];

	(void)state;
	assert_int_equal(elisa_fault_text(NULL, &event, text, sizeof(text)), -EINVAL);
	assert_int_equal(elisa_fault_text(export_, NULL, text, sizeof(text)), -EINVAL);
	assert_int_equal(elisa_fault_text(export_, &event, NULL, 1), -EINVAL);
	event.type = ELISA_EVENT_ABORT;
	assert_int_equal(elisa_fault_text(export_, &event, text, sizeof(text)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_instruction_has_a_name, begin, end),
		cmocka_unit_test_setup_teardown(the_access_is_told, begin, end),
		cmocka_unit_test_setup_teardown(stacks_are_told_apart, begin, end),
		cmocka_unit_test_setup_teardown(other_ends, begin, end),
		cmocka_unit_test_setup_teardown(any_room, begin, end),
		cmocka_unit_test_setup_teardown(others_are_refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
