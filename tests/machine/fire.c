// SPDX-License-Identifier: Apache-2.0
/* One vCPU makes calls that fault, without pause, while another detaches and attaches: each call
 * ends with an error that is true, or VMFUNC is undefined; the host lives. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define TURNS	   300
#define SYNC_GPA   0x21000 /* vCPU 0's hypercall page */
#define END(error) (1ULL << -(error))

static struct vm *manager, *guest;
static uint32_t slot;
static volatile bool stop;

static int attach_on_vcpu_1(void)
{
	struct elisa_hc_page *page = guest->page;

	memset(page, 0, PAGE_SIZE);
	strcpy(page->attach.name, "t.fire");
	page->attach.root = ROOT;
	page->attach.user_cs = USER_CS;
	page->attach.user_ss = USER_SS;
	return hypercall(guest, 1, ELISA_HC_ATTACH);
}

static void *detach_and_attach(void *unused)
{
	int i, r;

	for (i = 0; i < TURNS; i++) {
		CHECK_EQ(detach(guest, 1, slot), 0);
		r = attach_on_vcpu_1();
		if (r == -EAGAIN) {
			/* too many ends that the manager has not been told of */
			events(manager, ELISA_EVENT_DETACH, 0);
			r = attach_on_vcpu_1();
		}
		CHECK_EQ(r, 0);
		CHECK_EQ(guest->page->attach.slot, slot);
		CHECK_EQ(hypercall(guest, 1, ELISA_HC_VCPU_SYNC), 0);
	}
	stop = true;
	return unused;
}

int main(void)
{
	struct elisa_hc_page *page;
	uint64_t ends, all = 0;
	struct outcome out;
	pthread_t thread;
	int undefined = 0;

	manager = vm_new(1);
	guest = vm_new(2);
	page = (struct elisa_hc_page *)vm_u64(guest, SYNC_GPA);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.fire", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.fire", ELISA_STUB_TRUSTING, 0);
	CHECK(!pthread_create(&thread, NULL, detach_and_attach, NULL));
	while (!stop) {
		out = call_again(guest, 0, slot, DO_UD, 1000, &ends);
		all |= ends;
		CHECK(!out.exit || out.exit == FAULT(UD));
		if (!out.exit)
			continue;
		CHECK_EQ(out.at, stub_vmfunc(slot));
		undefined++;
		page->call = ELISA_HC_VCPU_SYNC;
		CHECK_EQ(hypercall_raw(guest, 0, 0, SYNC_GPA, NULL), 0);
	}
	pthread_join(thread, NULL);
	CHECK(all & END(ELISA_CALL_FAULT));
	CHECK_EQ(all & ~(END(ELISA_CALL_FAULT) | END(ELISA_CALL_REVOKED)), 0);
	CHECK(undefined);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	printf("fire: %d detachments under calls that fault; VMFUNC was undefined %d times\n",
	       TURNS, undefined);
	return 0;
}
