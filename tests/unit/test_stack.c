/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Larger stacks. The library makes them with the fake driver. Then its stub runs in this process,
 * at the address that a sub context has for it, for callers that the test chooses.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"
#include "fake.h"

#define OFFSET	 (1ULL << 32)
#define PLACES	 2
#define VCPUS	 3
#define STACK	 (1u << 20)
#define AREA	 (ELISA_PAGE_SIZE + 2ULL * STACK * PLACES * VCPUS)
#define POISONED 0x5a

static struct fake fake;
static struct elisa *handle;
static struct elisa_export *export_;
static struct elisa_self *self;

typedef long function(long a0, long a1, long a2, long a3, long a4, long a5);

/* A function whose locals take half a stack. */
__attribute__((noinline)) static long large_frame(long a0, long a1, long a2, long a3, long a4,
						  long a5)
{
	volatile char local[STACK / 2];

	if (a0 + 10 * a1 + 100 * a2 + 1000 * a3 + 10000 * a4 + 100000 * a5 != 654321)
		return 0;
	for (size_t i = 0; i < sizeof(local); i += 512)
		local[i] = POISONED;
	/* the compiler's alignment of the frame must hold */
	return (long)(uintptr_t)local + (((uintptr_t)__builtin_frame_address(0) & 15) != 0);
}

__attribute__((noinline)) static long too_large_frame(long a0, long a1, long a2, long a3, long a4,
						      long a5)
{
	volatile char local[STACK + STACK / 2];

	local[0] = (char)(a0 + a1 + a2 + a3 + a4 + a5);
	return local[0];
}

static void *map(uint64_t at, size_t length, int protection)
{
	void *made = mmap((void *)(uintptr_t)at, length, protection,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_ptr_equal(made, (void *)(uintptr_t)at);
	return made;
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	if (fake_open(&fake, &handle) < 0)
		return -1;
	self = map(ELISA_SELF_ADDRESS, ELISA_PAGE_SIZE, PROT_READ | PROT_WRITE);
	return elisa_export_create(handle, "table", 0, 0, &export_);
}

static int teardown(void **state)
{
	(void)state;
	fake.error = 0;
	munmap(self, ELISA_PAGE_SIZE);
	munmap((void *)(ELISA_OBJECT_BASE + OFFSET), AREA);
	return elisa_export_destroy(export_) < 0 ? -1 : elisa_close(handle);
}

static int make(void)
{
	int ret = elisa_export_places(export_, 0, PLACES, ELISA_PAGE_SIZE, 0);

	return ret < 0 ? ret : elisa_export_stacks(export_, OFFSET, STACK, VCPUS);
}

/* Maps the requested pages where a sub context has them. Returns the published entry. */
static function *publish(function *of)
{
	assert_int_equal(make(), 0);
	/* The function is not in the object area, which the stub does not need. */
	assert_int_equal(elisa_export_publish(export_, 0x1000), 0);
	assert_int_equal(fake.last.publish.entry, OFFSET);
	assert_int_equal(fake.maps, 1 + PLACES * VCPUS);
	map(ELISA_OBJECT_BASE + OFFSET, AREA, PROT_NONE);
	for (unsigned int i = 0; i < fake.maps; i++) {
		const struct elisa_ioc_map *asked = &fake.map[i];
		uint64_t at = ELISA_OBJECT_BASE + asked->offset;
		uint64_t entry = ELISA_OBJECT_BASE + 0x1000, ours = (uintptr_t)of;
		uint8_t *code;

		map(at, asked->length, PROT_READ | PROT_WRITE);
		if (asked->prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
			continue;
		memcpy((void *)(uintptr_t)at, (void *)(uintptr_t)asked->address, asked->length);
		code = memmem((void *)(uintptr_t)at, asked->length, &entry, sizeof(entry));
		assert_non_null(code);
		memcpy(code, &ours, sizeof(ours));
		mprotect((void *)(uintptr_t)at, asked->length, PROT_READ | PROT_EXEC);
	}
	return (function *)(uintptr_t)(ELISA_OBJECT_BASE + OFFSET);
}

static long call(function *stub, uint32_t place, uint32_t vcpu)
{
	self->place = place;
	self->vcpu = vcpu;
	return stub(1, 2, 3, 4, 5, 6);
}

/* Makes the call in a process of its own. Returns the signal that ends the process. */
static int dies_of(function *stub, uint32_t place, uint32_t vcpu)
{
	int status;
	pid_t child = fork();

	if (!child) {
		signal(SIGILL, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		call(stub, place, vcpu);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void each_caller_has_its_own(void **state)
{
	function *stub = publish(large_frame);
	uint64_t seen[PLACES * VCPUS];

	(void)state;
	for (uint32_t i = 0; i < PLACES * VCPUS; i++) {
		const uint64_t bottom =
			ELISA_OBJECT_BASE + OFFSET + ELISA_PAGE_SIZE + 2ULL * i * STACK + STACK;

		seen[i] = (uint64_t)call(stub, i / VCPUS, i % VCPUS);
		assert_in_range(seen[i], bottom, bottom + STACK - STACK / 2);
		assert_int_equal(seen[i] % 16, 0);
		/* the same stack again, also after a call that did not end */
		assert_int_equal(call(stub, i / VCPUS, i % VCPUS), seen[i]);
	}
	/* no caller has written to another's stack */
	for (uint32_t i = 1; i < PLACES * VCPUS; i++)
		assert_int_equal(seen[i] - seen[i - 1], 2 * STACK);
}

static void the_rest_is_not_mapped(void **state)
{
	function *stub = publish(too_large_frame);

	(void)state;
	for (uint32_t i = 0; i < PLACES * VCPUS; i++)
		assert_int_equal(dies_of(stub, i / VCPUS, i % VCPUS), SIGSEGV);
}

static void others_have_none(void **state)
{
	function *stub = publish(large_frame);

	(void)state;
	assert_int_equal(dies_of(stub, PLACES - 1, VCPUS - 1), 0);
	assert_int_equal(dies_of(stub, PLACES, 0), SIGILL);
	assert_int_equal(dies_of(stub, 0, VCPUS), SIGILL);
	assert_int_equal(dies_of(stub, ELISA_NO_PLACE, 0), SIGILL);
	assert_int_equal(dies_of(stub, 0, UINT32_MAX), SIGILL);
}

static void one_function_is_published(void **state)
{
	(void)state;
	publish(large_frame);
	assert_int_equal(elisa_export_publish(export_, 0x2000), -EBUSY);
	assert_int_equal(elisa_error_why(handle, NULL), ELISA_WHY_PUBLISHED);
	assert_int_equal(elisa_export_publish(export_, 0x1000), 0);
	assert_int_equal(fake.last.publish.entry, OFFSET);
}

static void refused(int ret, const char *because)
{
	assert_int_equal(ret, -EINVAL);
	if (!strstr(elisa_error(handle), because))
		fail_msg("'%s' does not contain '%s'", elisa_error(handle), because);
	assert_int_equal(fake.maps, 0);
}

static void what_cannot_be(void **state)
{
	(void)state;
	refused(elisa_export_stacks(export_, OFFSET, STACK, 1), "elisa_export_places() first");
	assert_int_equal(elisa_export_places(export_, 0, PLACES, ELISA_PAGE_SIZE, 0), 0);
	refused(elisa_export_stacks(export_, OFFSET, STACK, 0), "stacks for 0 vCPUs");
	refused(elisa_export_stacks(export_, OFFSET, STACK, ELISA_STACK_MAX_VCPUS + 1),
		"give 1 to");
	refused(elisa_export_stacks(export_, OFFSET, 0, 1), "stacks of 0 bytes");
	refused(elisa_export_stacks(export_, OFFSET, STACK + 1, 1), "multiples of 4096");
	refused(elisa_export_stacks(export_, OFFSET + 1, STACK, 1), "multiples of 4096");
	refused(elisa_export_stacks(export_, ELISA_OBJECT_SIZE, STACK, 1), "that fit");
	refused(elisa_export_stacks(export_, ELISA_OBJECT_SIZE - 4096, STACK, 1), "that fit");
	refused(elisa_export_stacks(export_, 0, 1ULL << 63, 1), "that fit");
	refused(elisa_export_stacks(export_, ELISA_OBJECT_SIZE - AREA + 4096, STACK, VCPUS),
		"that fit");
	assert_int_equal(elisa_export_stacks(export_, ELISA_OBJECT_SIZE - AREA, STACK, VCPUS), 0);
	assert_int_equal(elisa_export_stacks(export_, 0, STACK, VCPUS), -EBUSY);
}

/* The quota is used up at each of the mappings in turn. */
static void a_failure_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(elisa_export_places(export_, 0, PLACES, ELISA_PAGE_SIZE, 0), 0);
	for (unsigned int i = 1; i <= 1 + PLACES * VCPUS; i++) {
		fake.error = EDQUOT;
		fake.why = ELISA_WHY_QUOTA;
		fake.maps = fake.unmaps = 0;
		fake.fail_at = fake.requests + i;
		assert_int_equal(elisa_export_stacks(export_, OFFSET, STACK, VCPUS), -EDQUOT);
		assert_int_equal(fake.maps, i - 1);
		assert_int_equal(fake.unmaps, i - 1);
	}
	fake.error = 0;
	assert_int_equal(elisa_export_stacks(export_, OFFSET, STACK, VCPUS), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_caller_has_its_own), TEST(the_rest_is_not_mapped),
		TEST(others_have_none),	       TEST(one_function_is_published),
		TEST(what_cannot_be),	       TEST(a_failure_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
