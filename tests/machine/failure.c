// SPDX-License-Identifier: Apache-2.0
/*
 * A page of an export's memory fails, as a machine check reports it.
 *
 * The export must end at once, before a guest touches the page, and its manager must learn why.
 * Other exports must go on. An attachment whose exchange buffer fails must end, too. The test marks
 * pages by MADV_HWPOISON. A kernel that cannot mark pages cannot be tested.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define OTHER	 (OBJECT + 0x10000)
#define EXCHANGE (OBJECT + 0x100000) /* the pages that attach_try() passes */
#define TRIES	 2000

static volatile sig_atomic_t buses;

static void on_bus(int signal)
{
	(void)signal;
	buses++;
}

static bool kernel_marks_pages(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[100];
	bool found = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		found |= !strncmp(line, "HardwareCorrupted:", 18);
	fclose(f);
	return found;
}

/* Marks the page as failed, as a machine check does. A process that has it mapped gets SIGBUS. */
static int fails(void *page)
{
	return madvise(page, PAGE_SIZE, MADV_HWPOISON) ? -errno : 0;
}

static void await_revoked(struct vm *guest, uint32_t slot)
{
	struct elisa_host_attachment attachments[4];
	int i, n, tries;

	for (tries = 0; tries < TRIES; tries++) {
		n = admin_list(ELISA_HOST_ATTACHMENTS, attachments, sizeof(attachments[0]), 4);
		for (i = 0; i < n; i++)
			if (attachments[i].slot == slot && !attachments[i].export_id)
				break;
		if (i < n)
			break;
		usleep(1000);
	}
	CHECK(tries < TRIES);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
}

static void works(struct vm *guest, uint32_t slot)
{
	struct outcome out = call(guest, 0, slot, DO_ADD, 1, 2);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 3);
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_bus};
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	const struct elisa_hc_events *taken;
	uint32_t id, slot, other, with_buffer;

	if (!kernel_marks_pages()) {
		CHECK_EQ(fails(manager->memory + OBJECT), -EINVAL);
		printf("failure: this kernel marks no pages\n");
		return 0;
	}
	SYS(sigaction(SIGBUS, &action, NULL));
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.failing", ELISA_EXPORT_GENERAL_REGS, 0);
	export_at(manager, "t.whole", ELISA_EXPORT_GENERAL_REGS, 0, OTHER);
	slot = attach(guest, "t.failing", ELISA_STUB_TRUSTING, 0);
	other = attach(guest, "t.whole", ELISA_STUB_TRUSTING, 0);
	works(guest, slot);
	CHECK_EQ(events(manager, ELISA_EVENT_ATTACH, 0), 2);

	/* a page that is not shared: no attachment ends */
	fails(manager->memory + OTHER + 0x8000);
	usleep(100000);
	works(guest, slot);

	fails(object_data(manager));
	await_revoked(guest, slot);
	works(guest, other);
	taken = take_events(manager);
	CHECK_EQ(taken->count, 2);
	CHECK_EQ(taken->event[0].type, ELISA_EVENT_MEMORY);
	CHECK_EQ(taken->event[0].export_id, id);
	CHECK_EQ(taken->event[0].value, PAGE_SIZE);
	CHECK_EQ(taken->event[1].type, ELISA_EVENT_DETACH);
	CHECK_EQ(destroy(manager, id), -ENOENT);
	until_pages_held(2);
	CHECK_EQ(detach(guest, 0, slot), 0);

	/* the host refuses to map the failed page again */
	memset(manager->page, 0, PAGE_SIZE);
	strcpy(manager->page->export_.name, "t.failing");
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_CREATE), 0);
	id = manager->page->export_.id;
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->map.id = id;
	manager->page->map.prot = ELISA_PROT_READ;
	manager->page->map.count = 1;
	manager->page->map.gpa[0] = OBJECT + PAGE_SIZE;
	CHECK(hypercall(manager, 0, ELISA_HC_EXPORT_MAP) < 0);
	CHECK_EQ(manager->page->why, ELISA_WHY_PIN);

	CHECK_EQ(detach(guest, 0, other), 0);
	with_buffer = attach(guest, "t.whole", ELISA_STUB_TRUSTING, 3);
	works(guest, with_buffer);
	fails(guest->memory + EXCHANGE + 2 * PAGE_SIZE);
	await_revoked(guest, with_buffer);
	until_pages_held(2);
	printf("failure: the export ended, the others did not; %d times SIGBUS\n", (int)buses);
	return 0;
}
