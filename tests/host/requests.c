// SPDX-License-Identifier: Apache-2.0
/* Requests that several tests make, and the check of their outcome. */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

struct elisa_hc_page page;

int requests_start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop*", 40);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", 300);
	return 0;
}

int requests_end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

void expect(int machine, u32 call, int error, u32 why, u64 value)
{
	int r = host_call(machine, call, &page);

	if (r != error || machines[machine].why != why || machines[machine].value != value)
		fail_msg("call %u: %d why %u value %llx, not %d %u %llx", call, r,
			 machines[machine].why, machines[machine].value, error, why, value);
}

u32 create(const char *name)
{
	request_export(&page, name);
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, 0, ELISA_OK, 0);
	return page.export_.id;
}

void map(u32 id, u64 offset, u32 count)
{
	request_map(&page, id, offset, count, RX);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, 0, ELISA_OK, 0);
}

void publish(u32 id, u64 entry, int error, u32 why, u64 value)
{
	memset(&page, 0, sizeof(page));
	page.publish.id = id;
	page.publish.entry = entry;
	expect(MANAGER, ELISA_HC_EXPORT_PUBLISH, error, why, value);
}
