// SPDX-License-Identifier: Apache-2.0
/*
 * An export or a grant ends while a guest's call is in the export.
 *
 * The manager or the administrator ends it, or the manager's VM ends. The call must end with
 * ELISA_CALL_REVOKED, the host must release the pages, and the guest must live. The test compares
 * the errors and the counts of held and pinned pages.
 */
#include <pthread.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define HOLDER_PAGES 2

static struct vm *manager, *guest;
static struct outcome in_thread;
static uint32_t slot;

static void *caller(void *unused)
{
	start_call(guest, 0, slot, DO_WAIT, 0, 0);
	in_thread = finish(guest, 0);
	return unused;
}

static void destroy_it(uint32_t id, int grant_id)
{
	(void)grant_id;
	CHECK_EQ(destroy(manager, id), 0);
}

static void revoke_exporter(uint32_t id, int grant_id)
{
	(void)id;
	CHECK_EQ(revoke_grant(grant_id), 0);
}

static void close_manager(uint32_t id, int grant_id)
{
	(void)id, (void)grant_id;
	vm_free(manager);
	manager = NULL;
}

static void revoke_user(uint32_t id, int grant_id)
{
	(void)id;
	CHECK_EQ(revoke_grant(grant_id + 1), 0);
}

static const struct {
	const char *name;
	void (*end)(uint32_t id, int grant_id);
	bool export_lives;
} ways[] = {
	{"t.destroyed", destroy_it, false},
	{"t.export-revoked", revoke_exporter, false},
	{"t.closed", close_manager, false},
	{"t.attach-revoked", revoke_user, true},
};

static void test(void)
{
	struct elisa_host_export exports[4];
	struct vm *holder;
	uint64_t revoked;
	pthread_t thread;
	int i, repeat, g;
	uint32_t id;

	guest = vm_new(1);
	/* one attachment stays, so that the host does not place and remove its hooks each time */
	holder = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.holder", 0) > 0);
	export_new(holder, "t.holder", ELISA_EXPORT_GENERAL_REGS, 0);
	attach(holder, "t.holder", ELISA_STUB_TRUSTING, 0);
	for (i = 0; i < 4; i++) {
		g = grant(ELISA_GRANT_EXPORT, ways[i].name, 0);
		CHECK(g > 0);
		CHECK_EQ(grant(ELISA_GRANT_ATTACH, ways[i].name, 0), g + 1);
		if (!manager)
			manager = vm_new(1);
		CHECK_EQ(process_pins(), HOLDER_PAGES);
		id = export_new(manager, ways[i].name, 0, 60000000);
		slot = attach(guest, ways[i].name, ELISA_STUB_XSAVE, 3);
		CHECK_EQ(pages_held(), HOLDER_PAGES + 2 + 3);
		CHECK_EQ(process_pins(), HOLDER_PAGES + 2 + 3);
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
		revoked = counter(ELISA_COUNT_REVOKED);
		object_data(manager)[1] = object_data(manager)[2] = 0;
		CHECK(!pthread_create(&thread, NULL, caller, NULL));
		until_at_least(&object_data(manager)[1], 1);
		ways[i].end(id, g);
		pthread_join(thread, NULL);
		CHECK_EQ(in_thread.exit, 0);
		CHECK_EQ(in_thread.error, ELISA_CALL_REVOKED);
		CHECK_EQ(in_thread.value, 0);
		CHECK_EQ(counter(ELISA_COUNT_REVOKED), revoked + 1);
		for (repeat = 0; repeat < 3; repeat++) {
			struct outcome out = call(guest, 0, slot, DO_ADD, 1, 2);

			CHECK_EQ(out.exit, 0);
			CHECK_EQ(out.error, ELISA_CALL_REVOKED);
			CHECK_EQ(out.value, 0);
		}
		CHECK_EQ(admin_list(ELISA_HOST_EXPORTS, exports, sizeof(exports[0]), 4),
			 1 + ways[i].export_lives);
		CHECK_EQ(exports[0].suspend_us, 60000000);
		until_pages_held(HOLDER_PAGES + (ways[i].export_lives ? 2 : 0));
		CHECK_EQ(detach(guest, 0, slot), 0);
		if (ways[i].export_lives)
			CHECK_EQ(destroy(manager, id), 0);
		until_pages_held(HOLDER_PAGES);
		CHECK_EQ(process_pins(), HOLDER_PAGES);
		printf("revoke: %s in a call: REVOKED, its pages let go\n", ways[i].name);
	}
	/* the slot and the name are free again */
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.destroyed", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.destroyed", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

int main(void)
{
	return in_both_modes(test);
}
