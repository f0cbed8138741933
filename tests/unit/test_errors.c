/* SPDX-License-Identifier: Apache-2.0 */
/* Every failure has a text of its own, with the value and with what to do. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test.h"
#include "fake.h"

#define VALUE 0x5a1f000

static char *text_of(struct elisa *handle, struct fake *fake, int error, uint32_t why)
{
	struct elisa_export *made;

	fake->error = error;
	fake->why = why;
	fake->value = VALUE;
	assert_int_equal(elisa_export_create(handle, "table", 0, 0, &made), -error);
	assert_null(made);
	return strdup(elisa_error(handle));
}

static void every_reason_has_its_own_text(void **state)
{
	char *texts[ELISA_WHY_COUNT] = {0};
	struct fake fake = {0};
	struct elisa *handle;

	(void)state;
	assert_int_equal(fake_open(&fake, &handle), 0);
	for (uint32_t why = 1; why < ELISA_WHY_COUNT; why++) {
		uint64_t value = 0;

		texts[why] = text_of(handle, &fake, EINVAL, why);
		assert_non_null(strstr(texts[why], "create export 'table': "));
		assert_non_null(strstr(texts[why], "; "));
		assert_null(strstr(texts[why], "(null)"));
		assert_true(strlen(texts[why]) < 400);
		assert_int_equal(elisa_error_why(handle, &value), why);
		assert_int_equal(value, VALUE);
		for (uint32_t other = 1; other < why; other++)
			assert_string_not_equal(texts[why], texts[other]);
	}
	for (uint32_t why = 1; why < ELISA_WHY_COUNT; why++)
		free(texts[why]);
	assert_int_equal(elisa_close(handle), 0);
}

static void texts_hold_the_value(void **state)
{
	static const uint32_t with_value[] = {ELISA_WHY_NOT_RAM, ELISA_WHY_RANGE, ELISA_WHY_PROT,
					      ELISA_WHY_ADDRESS, ELISA_WHY_COUNT + 3};
	struct fake fake = {0};
	struct elisa *handle;

	(void)state;
	assert_int_equal(fake_open(&fake, &handle), 0);
	for (size_t i = 0; i < COUNT_OF(with_value); i++) {
		char *text = text_of(handle, &fake, EINVAL, with_value[i]);

		assert_non_null(strstr(text, "0x5a1f000"));
		free(text);
	}
	assert_int_equal(elisa_close(handle), 0);
}

/* By QEMU's option, libvirt's line, or its kernel's command line. */
static void modes_say_how_to_start_the_vm(void **state)
{
	static const struct {
		enum elisa_why why;
		const char *says;
	} what[] = {
		{ELISA_WHY_PCID, "-cpu ...,-pcid"},
		{ELISA_WHY_PCID, "<feature policy='disable' name='pcid'/>"},
		{ELISA_WHY_PCID, "nopcid"},
		{ELISA_WHY_CET, "ibt=off nousershstk"},
		{ELISA_WHY_COUNTERS, "-cpu ...,pmu=off"},
		{ELISA_WHY_COUNTERS, "<pmu state='off'/>"},
		{ELISA_WHY_VCPU_STATE, "+smep,+smap"},
		{ELISA_WHY_VCPU_STATE, "<feature policy='require' name='smap'/>"},
	};
	struct fake fake = {0};
	struct elisa *handle;

	(void)state;
	assert_int_equal(fake_open(&fake, &handle), 0);
	for (size_t i = 0; i < COUNT_OF(what); i++) {
		char *text = text_of(handle, &fake, EOPNOTSUPP, what[i].why);

		assert_non_null(strstr(text, what[i].says));
		free(text);
	}
	assert_int_equal(elisa_close(handle), 0);
}

static void errno_alone_has_a_text(void **state)
{
	static const int errors[] = {ENOENT, ENODEV, EACCES, EPERM, ENOTTY,
				     ENOMEM, EINTR,  EBUSY,  EIO,   9999};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct fake fake = {.open_error = errors[i]};
		struct elisa *handle = (struct elisa *)8;

		assert_int_equal(fake_open(&fake, &handle), -errors[i]);
		assert_null(handle);
		assert_non_null(strstr(elisa_error(NULL), "open '/dev/fake': "));
		assert_non_null(strstr(elisa_error(NULL), "; "));
	}
}

static void missing_device_says_what_to_load(void **state)
{
	struct elisa *handle;

	(void)state;
	assert_int_equal(elisa_open("/nonexistent/elisa", &handle), -ENOENT);
	assert_non_null(strstr(elisa_error(NULL), "modprobe elisa-guest"));
	assert_int_equal(elisa_open("/dev/null", &handle), -ENOTTY);
	assert_int_equal(elisa_open(NULL, NULL), -EINVAL);
}

static void refused_hello_closes_the_device(void **state)
{
	struct fake fake = {.error = EPROTO, .why = ELISA_WHY_ABI, .value = 2};
	struct elisa *handle;

	(void)state;
	assert_int_equal(fake_open(&fake, &handle), -EPROTO);
	assert_null(handle);
	assert_int_equal(fake.closed, 1);
	assert_non_null(strstr(elisa_error(NULL), "other side 2"));
	assert_int_equal(elisa_error_why(NULL, NULL), ELISA_WHY_ABI);
}

static void *other_thread(void *handle)
{
	return strdup(elisa_error(handle));
}

static void threads_have_their_own_copy(void **state)
{
	struct fake fake = {0};
	struct elisa *handle;
	const char *mine;
	pthread_t thread;
	void *theirs;
	char *text;

	(void)state;
	assert_int_equal(fake_open(&fake, &handle), 0);
	assert_string_equal(elisa_error(handle), "no error");
	text = text_of(handle, &fake, EINVAL, ELISA_WHY_PCID);
	mine = elisa_error(handle);
	pthread_create(&thread, NULL, other_thread, handle);
	pthread_join(thread, &theirs);
	assert_string_equal(mine, text);
	assert_string_equal(theirs, text);
	free(theirs);
	free(text);
	assert_int_equal(elisa_close(handle), 0);
}

static void every_call_error_has_its_own_text(void **state)
{
	(void)state;
	for (long error = -9; error <= 1; error++) {
		const char *text = elisa_call_strerror(error);

		assert_true(strlen(text) > 10);
		for (long other = -9; other < error && error < 1; other++)
			assert_string_not_equal(text, elisa_call_strerror(other));
	}
	assert_string_equal(elisa_call_strerror(1), elisa_call_strerror(-9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_its_own_text),
		cmocka_unit_test(texts_hold_the_value),
		cmocka_unit_test(modes_say_how_to_start_the_vm),
		cmocka_unit_test(errno_alone_has_a_text),
		cmocka_unit_test(missing_device_says_what_to_load),
		cmocka_unit_test(refused_hello_closes_the_device),
		cmocka_unit_test(threads_have_their_own_copy),
		cmocka_unit_test(every_call_error_has_its_own_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
