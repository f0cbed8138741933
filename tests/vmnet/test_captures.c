/* SPDX-License-Identifier: Apache-2.0 */
/* Who may look at what ports send, for how long, and that the ring is to be read alone. */
#include "asking.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t captured(struct rvs_observer *observer)
{
	struct rvs_copy copy;
	uint64_t count = 0;

	net_send(net, 1, 2, 64, 1);
	for (int call = 0; call < 4; call++)
		count += (uint64_t)rvs_observed(observer, &copy);
	return count;
}

static struct rvs_observer map(int file)
{
	const size_t size = rvs_size(&net_config) - rvs_capture_offset(&net_config);
	struct rvs_observer observer;
	const void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(rvs_observe(&observer, at, size), 0);
	return observer;
}

/* For as long as it is asked for; each time the reply has the ring. */
static void test_capture(void **unused)
{
	const char *const first = "{\"command\": \"capture\", \"port\": \"first\"}";
	json_object *result = asked(first);
	struct rvs_observer observer = map(ring);

	(void)unused;
	assert_int_equal(number(result, "port"), 1);
	assert_int_equal(number(result, "seconds"), CAPTURE_SECONDS);
	json_object_put(result);
	assert_string_equal(fake.said, "port first: captured, by process 5 of user 1000\n");
	assert_int_equal(captured(&observer), 1);
	fake.daemon->now += CAPTURE_SECONDS - 1;
	fake.said[0] = 0;
	told(first);
	assert_string_equal(fake.said, ""); /* the same observer, still there */
	assert_true(ring >= 0);
	fake.daemon->now += CAPTURE_SECONDS - 1;
	captures_look(&fake.daemon->captures, fake.daemon->now);
	assert_int_equal(captured(&observer), 1);
	fake.daemon->now += 2;
	captures_look(&fake.daemon->captures, fake.daemon->now);
	assert_int_equal(captured(&observer), 0);
	told("{\"command\": \"ports\"}");
	assert_int_equal(ring, -1);
	/* the next port of the place is another one's */
	told(first);
	assert_int_equal(captured(&observer), 1);
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	assert_int_equal(captured(&observer), 0);
	refused(first, "no port is called \"first\"");
	assert_int_equal(ring, -1);
}

/* An observer can read the ring, and not a word else of the switch, and change nothing. */
static void test_ring_is_to_read(void **unused)
{
	struct stat is;

	(void)unused;
	told("{\"command\": \"capture\", \"port\": \"first\"}");
	assert_int_equal(fstat(ring, &is), 0);
	assert_int_equal(is.st_size, rvs_size(&net_config) - rvs_capture_offset(&net_config));
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0), MAP_FAILED);
	assert_int_equal(pwrite(ring, "x", 1, 0), -1);
	assert_int_equal(ftruncate(ring, 0), -1);
	assert_int_equal(ftruncate(ring, 1 << 30), -1);
	user.may_change = false;
	refused("{\"command\": \"capture\", \"port\": \"second\"}",
		"user 1000 may ask, but not see what ports send");
	assert_int_equal(ring, -1);
	assert_false(captures_is_on(&fake.daemon->captures, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASKING_TEST(test_capture),
		ASKING_TEST(test_ring_is_to_read),
	};

	return cmocka_run_group_tests_name("vmnet: captures", tests, NULL, NULL);
}
