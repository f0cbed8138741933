/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's memory: where mappings are placed, what a loaded object asks for, and which pages
 * clients share. Children take the part of a server's processes for its clients.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libelisa_extra/map.h>
#include "test.h"
#include "fake_elisa.h"
#include "../../lib/compat/internal.h"

#define RW (ELISA_PROT_READ | ELISA_PROT_WRITE)

static bool in_object_area(const void *address)
{
	return (uintptr_t)address >= ELISA_OBJECT_BASE && (uintptr_t)address < COMPAT_OBJECT_END;
}

static long *page(int flags)
{
	long *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(made, MAP_FAILED);
	return made;
}

static int map(const void *address, uint32_t prot)
{
	const struct compat_run run = {
		.source = (uintptr_t)address,
		.offset = 0x3000,
		.length = 4096,
		.prot = prot,
		.first = 9,
	};

	return compat_memory_map(NULL, &run);
}

/* Runs it in a client's process, which ends before the next one begins. */
static int child(int (*body)(long *), long *argument)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(body(argument));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void no_stacks(uint32_t vcpus, int error, const char *because)
{
	fake_elisa.stack_vcpus = 0;
	assert_int_equal(compat_stacks(NULL, vcpus), -1);
	assert_int_equal(errno, error);
	if (!strstr(elisa_compat_error(), because))
		fail_msg("'%s' does not contain '%s'", elisa_compat_error(), because);
	assert_int_equal(fake_elisa.stack_vcpus, 0);
}

static void stacks_for_each_vcpu(void **state)
{
	const size_t default_size = 1 << 20;

	(void)state;
	assert_int_equal(elisa_compat_place(), 0);
	assert_int_equal(compat_stacks(NULL, 3), 0);
	assert_int_equal(fake_elisa.places, 1);
	assert_int_equal(fake_elisa.stack_size, default_size);
	assert_int_equal(fake_elisa.stack_vcpus, 3);
	assert_int_equal(fake_elisa.stack_offset, fake_elisa.places_offset + 4096);
	/* all of it is taken in this process */
	for (uint64_t at = fake_elisa.places_offset;
	     at < fake_elisa.stack_offset + 4096 + 2 * 3 * default_size; at += 4096)
		assert_ptr_equal(mmap((void *)(uintptr_t)(ELISA_OBJECT_BASE + at), 4096, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
				 MAP_FAILED);
	setenv("ELISA_COMPAT_STACK", "70000", 1);
	assert_int_equal(compat_stacks(NULL, 1), 0);
	assert_int_equal(fake_elisa.stack_size, 73728);
	fake_elisa.stack_error = EDQUOT;
	assert_int_equal(compat_stacks(NULL, 1), -1);
	assert_int_equal(errno, EDQUOT);
	fake_elisa.stack_error = 0;
	setenv("ELISA_COMPAT_STACK", "1M", 1);
	no_stacks(1, EINVAL, "ELISA_COMPAT_STACK is '1M'; give a number");
	setenv("ELISA_COMPAT_STACK", "0", 1);
	fake_elisa.stack_vcpus = 0;
	assert_int_equal(compat_stacks(NULL, 3), 0); /* the host's */
	assert_int_equal(fake_elisa.stack_vcpus, 0);
	unsetenv("ELISA_COMPAT_STACK");
	no_stacks(17, EDQUOT,
		  "the client has 17 vCPUs, and stacks are for 16; set ELISA_COMPAT_VCPUS");
	setenv("ELISA_COMPAT_VCPUS", "17", 1);
	assert_int_equal(compat_stacks(NULL, 17), 0);
	unsetenv("ELISA_COMPAT_VCPUS");
}

static void mappings_lie_in_the_object_area(void **state)
{
	void *aligned = NULL;

	(void)state;
	assert_int_equal(elisa_compat_place(), 0);
	assert_int_equal(elisa_compat_place(), 0);
	assert_true(in_object_area(page(MAP_PRIVATE)));
	assert_true(in_object_area(malloc(4096)));
	assert_int_equal(posix_memalign(&aligned, 4096, 4096), 0);
	assert_true(in_object_area(aligned));
}

static int count(long *shared)
{
	if (map(shared, RW))
		return 255;
	return (int)++*shared;
}

static int write_and_count(long *shared)
{
	*shared = 100;
	return count(shared);
}

static int allocate(long *nothing)
{
	long *own = page(MAP_PRIVATE);

	(void)nothing;
	return count(own);
}

static void what_the_server_had_is_shared(void **state)
{
	long *shared = page(MAP_PRIVATE), *really = page(MAP_SHARED), *untouched;

	(void)state;
	*shared = 10;
	assert_int_equal(child(count, shared), 11);
	assert_int_equal(child(count, shared), 12);
	assert_int_equal(child(write_and_count, shared), 101); /* its own now */
	assert_int_equal(child(count, shared), 13);
	*shared = 50; /* with no child left, this is the server's page as before */
	assert_int_equal(*shared, 50);
	assert_int_equal(child(count, really), 1);
	assert_int_equal(child(count, really), 2);
	untouched = page(MAP_PRIVATE);
	assert_int_equal(child(count, untouched), 1);
	assert_int_equal(child(count, untouched), 1);
	assert_int_equal(child(allocate, NULL), 1);
	assert_int_equal(child(allocate, NULL), 1);
}

static void memory_is_writable_while_it_is_pinned(void **state)
{
	int zero = open("/dev/zero", O_RDONLY);
	long *constant = page(MAP_PRIVATE);

	(void)state;
	mprotect(constant, 4096, PROT_READ);
	assert_int_equal(map(constant, ELISA_PROT_READ), 0);
	assert_int_equal(fake_elisa.address, (uintptr_t)constant);
	assert_int_equal(fake_elisa.offset, 0x3000);
	/* and read-only again */
	assert_int_equal(read(zero, constant, 1), -1);
	assert_int_equal(errno, EFAULT);
	close(zero);
	munmap(constant, 4096);
	assert_int_equal(map(constant, ELISA_PROT_READ), -1);
	assert_int_equal(errno, EFAULT);
	assert_non_null(strstr(elisa_compat_error(), "map request 9: nothing is mapped"));
}

static void both_permissions_become_one(void **state)
{
	long *data = page(MAP_PRIVATE);

	(void)state;
	assert_int_equal(map(data, RW | ELISA_PROT_EXEC), 0);
	assert_int_equal(fake_elisa.prot, RW);
	mprotect(data, 4096, PROT_READ | PROT_EXEC);
	assert_int_equal(map(data, RW | ELISA_PROT_EXEC), 0);
	assert_int_equal(fake_elisa.prot, ELISA_PROT_READ | ELISA_PROT_EXEC);
	mprotect(data, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	assert_int_equal(map(data, RW | ELISA_PROT_EXEC), -1);
	assert_int_equal(errno, EACCES);
	assert_non_null(strstr(elisa_compat_error(), "is writable and executable"));
}

static void physical_memory_is_data(void **state)
{
	const struct compat_run run = {
		.source = 0xc000000000,
		.length = 8192,
		.prot = RW | ELISA_PROT_EXEC,
		.physical = true,
	};

	(void)state;
	assert_int_equal(compat_memory_map(NULL, &run), 0);
	assert_int_equal(fake_elisa.physical, 0xc000000000);
	assert_int_equal(fake_elisa.prot, RW);
	fake_elisa.map_error = EPERM;
	assert_int_equal(compat_memory_map(NULL, &run), -1);
	assert_int_equal(errno, EPERM);
	fake_elisa.map_error = 0;
}

static const char *object(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s.so", getenv("ELISA_TEST_OBJECTS"), name);
	return path;
}

static void objects_are_loaded_in_place(void **state)
{
	struct elisa_map_req *reqs = NULL;
	unsigned int writable = 0, executable = 0, constant = 0;
	int nreqs = 0, capacity = 0, before;
	void *handle, *function;
	bool found = false;

	(void)state;
	assert_int_equal((long)elisa_create_program_map_req(object("good"), 0, &handle, &reqs,
							    &nreqs, &capacity),
			 0);
	assert_true(nreqs > 2 && capacity >= nreqs);
	function = dlsym(handle, "entry_function");
	assert_true(in_object_area(function));
	for (int i = 0; i < nreqs; i++) {
		assert_int_equal(reqs[i].src_gxa, reqs[i].dst_gva);
		if (reqs[i].ept_flags & EPT_W)
			writable++;
		else if (reqs[i].ept_flags & EPT_X)
			executable++;
		else
			constant++;
		assert_false((reqs[i].ept_flags & EPT_W) && (reqs[i].ept_flags & EPT_X));
		found |= reqs[i].src_gxa == ((uintptr_t)function & ~4095ull) &&
			 (reqs[i].ept_flags & EPT_X);
	}
	assert_true(found && writable && executable && constant);

	before = nreqs; /* a second one is another copy, behind the first */
	assert_int_equal((long)elisa_create_program_map_req(object("good"), 0, &handle, &reqs,
							    &nreqs, &capacity),
			 0);
	assert_int_equal(nreqs, 2 * before);
	assert_ptr_not_equal(dlsym(handle, "entry_function"), function);
	free(reqs);
}

static void bad_objects_are_refused(void **state)
{
	struct elisa_map_req *reqs = NULL;
	int nreqs = 0, capacity = 0;
	void *handle;

	(void)state;
	assert_int_equal((long)elisa_create_program_map_req("/nowhere.so", 0, &handle, &reqs,
							    &nreqs, &capacity),
			 -1);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(elisa_compat_error(), "load '/nowhere.so'"));
	assert_int_equal((long)elisa_create_program_map_req(object("wx"), 0, &handle, &reqs, &nreqs,
							    &capacity),
			 -1);
	assert_int_equal(errno, EACCES);
	assert_non_null(strstr(elisa_compat_error(), "writable and executable; link it"));
	assert_int_equal((long)elisa_create_program_map_req("/etc/passwd", 0, &handle, &reqs,
							    &nreqs, &capacity),
			 -1);
	assert_int_equal(errno, ENOEXEC);
	assert_int_equal(
		(long)elisa_create_program_map_req(NULL, 0, &handle, &reqs, &nreqs, &capacity), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(nreqs, 0);
	free(reqs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings_lie_in_the_object_area),
		cmocka_unit_test(stacks_for_each_vcpu),
		cmocka_unit_test(what_the_server_had_is_shared),
		cmocka_unit_test(memory_is_writable_while_it_is_pinned),
		cmocka_unit_test(both_permissions_become_one),
		cmocka_unit_test(physical_memory_is_data),
		cmocka_unit_test(objects_are_loaded_in_place),
		cmocka_unit_test(bad_objects_are_refused),
	};

	if (compat_memory_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
