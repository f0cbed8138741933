// SPDX-License-Identifier: Apache-2.0
/*
 * What a function learns about its caller's exchange buffer, and which ranges elisa_exchange()
 * accepts.
 *
 * The failure would be a pointer outside the buffer. The test copies the page that the host wrote
 * for the context to the address where a function sees it.
 */
#include <setjmp.h>
#include <cmocka.h>
#include <sys/mman.h>
/* the host module has a function of the same name */
#define elisa_ring ring_of_a_function
#include <elisa/function.h>
#undef elisa_ring

#include "tables/ept.h"
#include "host.h"
#include "walk.h"

#define ROOT 0x7654000ULL

static void *there;

static int start(void **state)
{
	struct elisa_hc_page page;
	u32 id;

	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	host_call(MANAGER, ELISA_HC_EXPORT_CREATE, request_export(&page, "shop"));
	id = page.export_.id;
	host_call(MANAGER, ELISA_HC_EXPORT_MAP,
		  request_map(&page, id, 0, 1, ELISA_PROT_READ | ELISA_PROT_EXEC));
	page = (struct elisa_hc_page){.publish = {.id = id, .entry = 0x10}};
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PUBLISH, &page), 0);
	there = mmap((void *)ELISA_SELF_ADDRESS, PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(there, (void *)ELISA_SELF_ADDRESS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	munmap(there, PAGE_SIZE);
	host_end();
	return 0;
}

/* Starts the function of the guest's only attachment, which has this number of exchange pages. */
static void enter(u32 exchange_pages)
{
	const struct eh_context *c;

	assert_int_equal(host_attach("shop", ROOT, exchange_pages), 0);
	c = host_vcpu(GUEST)->slots[0];
	memcpy(there,
	       __va(ept_find(c->eptp[EH_IN_SUB], eh_root_limit() + EH_GPA_SELF) & EPT_ADDRESS),
	       PAGE_SIZE);
}

static void without_a_buffer(void **state)
{
	(void)state;
	enter(0);
	assert_int_equal(elisa_self()->exchange, 0);
	assert_int_equal(elisa_self()->exchange_size, 0);
	assert_null(elisa_exchange(0, 0));
	assert_null(elisa_exchange(0, 1));
	assert_null(elisa_exchange(ELISA_OBJECT_BASE, 8));
}

static void ranges_of_it(void **state)
{
	uint8_t *buffer = (uint8_t *)(ELISA_WINDOW_BASE + ELISA_EXCHANGE_OFFSET);

	(void)state;
	enter(2);
	assert_ptr_equal((void *)elisa_self()->exchange, buffer);
	assert_int_equal(elisa_self()->exchange_size, 2 * PAGE_SIZE);
	assert_ptr_equal(elisa_exchange(0, 2 * PAGE_SIZE), buffer);
	assert_ptr_equal(elisa_exchange(100, 2 * PAGE_SIZE - 100), buffer + 100);
	assert_ptr_equal(elisa_exchange(2 * PAGE_SIZE - 1, 1), buffer + 2 * PAGE_SIZE - 1);
}

static void ranges_beyond_it(void **state)
{
	(void)state;
	enter(2);
	assert_null(elisa_exchange(0, 2 * PAGE_SIZE + 1));
	assert_null(elisa_exchange(1, 2 * PAGE_SIZE));
	assert_null(elisa_exchange(2 * PAGE_SIZE, 1));
	assert_null(elisa_exchange(2 * PAGE_SIZE + 1, 0));
	/* sums that wrap */
	assert_null(elisa_exchange(UINT64_MAX, 1));
	assert_null(elisa_exchange(UINT64_MAX - 7, 16));
	assert_null(elisa_exchange(16, UINT64_MAX - 7));
	/*
	 * addresses in the place of offsets: of the object, of the buffer itself, and what would
	 * lead from it to the object
	 */
	assert_null(elisa_exchange(ELISA_OBJECT_BASE, 8));
	assert_null(elisa_exchange(elisa_self()->exchange, 8));
	assert_null(elisa_exchange(ELISA_OBJECT_BASE - elisa_self()->exchange, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_buffer, start, end),
		cmocka_unit_test_setup_teardown(ranges_of_it, start, end),
		cmocka_unit_test_setup_teardown(ranges_beyond_it, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
