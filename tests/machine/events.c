// SPDX-License-Identifier: Apache-2.0
/*
 * A manager gets an event for each attachment, detachment and aborted call.
 *
 * If the manager does not read its events, the host keeps the oldest ones and counts the lost ones.
 * The last abort must be reported even if its own event was lost. The test fills the queue and
 * compares the events and numbers that come.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define RING 256
#define MORE 44

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	const struct elisa_hc_events *taken;
	uint32_t id, slot;
	int i;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.events", ELISA_EXPORT_GENERAL_REGS, 0);
	for (i = 1; i <= 2; i++) {
		slot = attach(guest, "t.events", ELISA_STUB_TRUSTING, 0);
		taken = take_events(manager);
		CHECK_EQ(taken->count, 1);
		CHECK_EQ(taken->event[0].type, ELISA_EVENT_ATTACH);
		CHECK_EQ(taken->event[0].export_id, id);
		CHECK_EQ(taken->event[0].attachment, i);
		if (i == 1)
			CHECK_EQ(detach(guest, 0, slot), 0);
		CHECK_EQ(events(manager, ELISA_EVENT_DETACH, 0), i == 1);
	}
	for (i = 0; i < RING + MORE; i++)
		CHECK_EQ(call(guest, 0, slot, i ? DO_UD : DO_CPUID, 0, 0).exit, 0);
	taken = take_events(manager);
	CHECK_EQ(taken->count, ELISA_HC_EVENTS_MAX);
	CHECK_EQ(taken->event[0].value, ELISA_CALL_FORBIDDEN);
	CHECK_EQ(taken->event[1].value, ELISA_CALL_FAULT);
	/* there is room for an event that comes after the loss */
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	for (i = ELISA_HC_EVENTS_MAX; i < RING; i += ELISA_HC_EVENTS_MAX) {
		taken = take_events(manager);
		CHECK_EQ(taken->count, ELISA_HC_EVENTS_MAX);
	}
	taken = take_events(manager);
	CHECK_EQ(taken->count, 2);
	CHECK_EQ(taken->event[0].type, ELISA_EVENT_ABORT);
	CHECK_EQ(taken->event[1].type, ELISA_EVENT_LOST);
	CHECK_EQ(taken->event[1].value, MORE);
	CHECK_EQ(events(manager, ELISA_EVENT_LOST, 0), 0);
	/*
	 * The event of the last aborted call was lost. The host must report this abort
	 * nevertheless, once.
	 */
	for (i = 0; i < RING + 1; i++)
		CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).exit, 0);
	for (i = 0; i < RING; i += ELISA_HC_EVENTS_MAX)
		taken = take_events(manager);
	taken = take_events(manager);
	CHECK_EQ(taken->count, 2);
	CHECK_EQ(taken->event[0].type, ELISA_EVENT_LOST);
	CHECK_EQ(taken->event[1].type, ELISA_EVENT_ABORT);
	CHECK_EQ(taken->event[1].export_id, id);
	CHECK_EQ(taken->event[1].attachment, 2);
	CHECK_EQ(taken->event[1].aborts, RING + MORE + 1 + RING + 1);
	CHECK_EQ(taken->event[1].vcpu, 0);
	taken = take_events(manager);
	CHECK_EQ(taken->count, 0);
	/* the attachment ends before the manager hears of its last abort */
	for (i = 0; i < RING + 1; i++)
		CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).exit, 0);
	CHECK_EQ(detach(guest, 0, slot), 0);
	for (i = 0; i < RING; i += ELISA_HC_EVENTS_MAX)
		taken = take_events(manager);
	taken = take_events(manager);
	CHECK_EQ(taken->count, 2);
	CHECK_EQ(taken->event[0].type, ELISA_EVENT_LOST);
	CHECK_EQ(taken->event[1].type, ELISA_EVENT_DETACH);
	CHECK_EQ(taken->event[1].attachment, 2);
	CHECK_EQ(taken->event[1].aborts, 1);
	taken = take_events(manager);
	CHECK_EQ(taken->count, 0);
	printf("events: attachments; the oldest %d kept and %d counted\n", RING, MORE);
	return 0;
}
