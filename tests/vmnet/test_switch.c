/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The export's code: who may do what, whom a port serves, and who is rung. What becomes of calls
 * that stop is in test_stopped.c.
 */
#include <string.h>
#include "in_sub.h"

static void frames_go_from_port_to_port(void **unused)
{
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	post(&a, 2, 1);
	post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&a.tx), 2);
	assert_int_equal(rvif_ring_completed(&b.rx), 2);
	/* from an address that is not its own */
	post(&a, 2, 9);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 2);
	assert_int_equal(rvif_ring_kick_wanted(&a.tx, 0), 1);
}

/* A guest's frames wait for a receiver without room if it says so: in its own ring, so that others'
 * calls go on; the next call may take them. */
static void frames_wait_in_the_guest(void **unused)
{
	struct nic a, b, c;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	bring_up(&c, 3);
	for (int i = 0; i < RING; i++)
		post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 0), 0);
	post(&a, 2, 1);
	post(&a, 2, 1);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_FORWARD, VMNET_HOLD, 0, 0, 0, 0), VMNET_HOLD + 2);
	assert_int_equal(rvif_ring_completed(&a.tx), RING);
	post(&c, 1, 3);
	assert_int_equal(forward(3, 13, 0), 0);
	assert_int_equal(rvif_ring_completed(&a.rx), 1);
	/* another caller without patience loses its frames, not those that wait */
	post(&c, 2, 3);
	assert_int_equal(forward(3, 13, 0), 0);
	rvif_ring_desc(&b.rx, b.rx.posted)->offset = buffer(&b, RING);
	b.rx.posted++;
	rvif_ring_publish(&b.rx);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_FORWARD, VMNET_HOLD, 0, 0, 0, 0), VMNET_HOLD + 1);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(entry_function(VMNET_FORWARD, VMNET_HOLD + 1, 0, 0, 0, 0), -RVS_BAD_QUEUE);
}

/*
 * The manager wants a port down while its guest is in a call. What is said of the port meanwhile
 * does not take that back: no other call begins under the old policy, and the port comes up under
 * the new one.
 */
static void a_port_that_is_busy_goes_down_later(void **unused)
{
	struct rvs_txq *held = rvs_txq_at(rvs, 1 * sizes.queues);
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	rvif_header(&a.vnic)->config.any_mac = 1;
	held->lock = VMNET_VCPUS + 1; /* by its first vCPU's sender */
	state->port[1].enabled = 0;
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	state->port[1].policy.mac[0] = 2;
	state->port[1].policy.mac[5] = 7;
	state->port[1].enabled = 1;
	post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 1), -VMNET_NOT_SERVED);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	held->lock = 0;
	assert_int_equal(forward(1, 11, 1), -VMNET_NOT_SERVED);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 0);
	post(&a, 2, 7);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 1);
}

static void guests_manage_nothing(void **unused)
{
	(void)unused;
	as(1, 11, 0);
	for (long op = VMNET_OPS_OF_GUESTS; op < VMNET_OPS_OF_GUESTS + 8; op++)
		assert_int_equal(entry_function(op, 1, 0, 0, 0, 0), -VMNET_BAD_OP);
	assert_int_equal(entry_function(-1, 0, 0, 0, 0, 0), -VMNET_BAD_OP);
	as(ELISA_NO_PLACE, 12, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), -VMNET_NOT_SERVED);
	as(PORTS + 1, 12, 0);
	assert_int_equal(entry_function(VMNET_FORWARD, 0, 0, 0, 0, 0), -VMNET_NOT_SERVED);
	/* nor is the manager right about everything */
	assert_int_equal(manager(VMNET_LOOK, PORTS + 1, 0, 0, 0), -RVS_BAD_PORT);
	assert_int_equal(manager(VMNET_LOOK, -1, 0, 0, 0), -RVS_BAD_PORT);
	assert_int_equal(manager(VMNET_STATIC + 1, 1, 0, 0, 0), -VMNET_BAD_OP);
}

/* Guest, code and daemon have to speak of the same things. */
static void versions_differ(void **unused)
{
	static const long others[] = {0, VMNET_VERSION + 1, -1, VMNET_VERSION + (1l << 32)};
	struct nic a;

	(void)unused;
	make_nic(&a, 1);
	as(1, 11, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(entry_function(VMNET_JOIN, others[i], 0, 0, 0, 0),
				 -(VMNET_OTHER_VERSION + (VMNET_VERSION << 16)));
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_ASK_VERSION, 0, 0, 0, 0, 0), -VMNET_BAD_OP);
	assert_int_equal(manager(VMNET_ASK_VERSION, 0, 0, 0, 0), VMNET_SWITCH_VERSION);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
}

static void nothing_is_served_that_was_not_donated(void **unused)
{
	struct nic a;

	(void)unused;
	make_nic(&a, 1);
	as(1, 11, 0);
	self->donated = 0;
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0),
			 -VMNET_NOTHING_DONATED);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	/* less than its vNIC says */
	self->donated = a.vnic.size - 4096;
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_REFUSED + (RVIF_BAD_SIZE << 8));
	assert_int_equal(rvif_attached(&a.vnic), -RVIF_BAD_SIZE);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
}

static void the_next_one_waits_for_the_end_of_the_last(void **unused)
{
	struct nic a, b, c;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	/* the first one's end has not been seen yet, and its place has a new owner */
	make_nic(&c, 1);
	as(1, 77, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	assert_int_equal(forward(1, 77, 0), -VMNET_NOT_SERVED);
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	post(&c, 2, 1);
	assert_int_equal(forward(1, 77, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 1);
	/* a second time it is nobody's end */
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	/* one that goes before it was served is not served afterwards */
	assert_int_equal(manager(VMNET_GONE, 1, 77, 0, 0), 0);
	as(1, 78, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_GONE, 1, 78, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
}

/* The end of the last one is heard of late, or never: the next VM has nothing of it, neither
 * address nor counters nor what its stopped calls held, and it has nothing of the next one's. */
static void nothing_passes_to_the_next_one(void **unused)
{
	struct rvs_port_info info;
	struct rvs_entry entries[4];
	struct rvs_stats stats;
	uint64_t position = 0;
	struct nic a, b, c;

	(void)unused;
	state->port[1].policy.flags = RVS_KICK;
	state->port[1].policy.max_learned = 4;
	bring_up(&a, 1);
	bring_up(&b, 2);
	post(&a, 2, 1);
	post(&a, 2, 9); /* learned */
	assert_int_equal(forward(1, 11, 0), 0);
	rvs_port_info(rvs, 1, &info);
	assert_int_equal(info.learned, 1);
	state->port[1].sender[3].inside = 1;
	state->port[1].sender[3].aborts = 7;
	rvs_rxq_at(rvs, 2 * sizes.queues)->lock = 1 * VMNET_VCPUS + 3 + 1;

	/* the next one has the place, and its vNIC another address */
	make_nic(&c, 1);
	rvif_header(&c.vnic)->config.mac[5] = 7;
	rvif_store(&rvif_header(&c.vnic)->driver.state, RVIF_DRIVER_DOWN);
	as(1, 77, 3);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 1);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	rvs_port_stats(rvs, 1, &stats);
	assert_int_equal(stats.frames, 0);
	assert_int_equal(stats.delivered, 0);
	rvs_port_info(rvs, 1, &info);
	assert_int_equal(info.learned, 0);
	assert_false(rvif_mac_is_station(info.mac));
	assert_int_equal(rvs_table_dump(rvs, &position, entries, 4), 1); /* the second port's */
	assert_int_equal(entries[0].port, 2);

	rvif_start(&c.vnic);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	post(&c, 2, 7);
	assert_int_equal(forward(1, 77, 3), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 3);
	/* what comes late of the last one is of none */
	state->port[1].sender[3].inside = 1;
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 8, 11), 0);
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 0);
	assert_int_equal(state->port[1].sender[3].inside, 1);
	assert_int_equal(state->port[1].serving, 77);
}

static void up_and_down_as_the_driver_says(void **unused)
{
	struct nic a;

	(void)unused;
	bring_up(&a, 1);
	rvif_store(&rvif_header(&a.vnic)->driver.state, RVIF_DRIVER_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	rvif_start(&a.vnic);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	rvif_start(&a.vnic); /* anew, between two looks */
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	state->port[1].enabled = 0;
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
}

/* Sleepers are rung once, the manager when somebody joins or changes, all
 * when a call was stopped. */
static void who_is_rung(void **unused)
{
	struct nic a, b;
	uint32_t seen;

	(void)unused;
	for (uint32_t place = 1; place <= PORTS; place++)
		state->port[place].policy.features = RVIF_F_NOTIFY;
	memset(rung, 0, sizeof(rung));
	wanted = RVIF_F_NOTIFY;
	bring_up(&a, 1);
	bring_up(&b, 2);
	wanted = 0;
	assert_int_equal(rung[VMNET_MANAGER], 2);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(rung[VMNET_MANAGER], 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(entry_function(VMNET_CHANGED, 0, 0, 0, 0, 0), 0);
	assert_int_equal(rung[VMNET_MANAGER], 3);
	post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rung[2], 0);
	b.rx.reaped = 1;
	assert_true(rvif_ring_may_sleep(&b.rx, &seen));
	for (int i = 0; i < 3; i++) {
		post(&a, 2, 1);
		assert_int_equal(forward(1, 11, 0), 0);
		assert_int_equal(rung[2], 1);
	}
	/* whoever was stopped may not have come to ring */
	state->port[1].sender[3].inside = 1;
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 1, 11), 0);
	assert_int_equal(manager(VMNET_WAKE, 0, 0, 0, 0), 0);
	assert_int_equal(rung[1], 1);
	assert_int_equal(rung[2], 2);
	assert_int_equal(rung[3], 0);
}

static void static_addresses(void **unused)
{
	const long mac = 0x7700000002; /* 02:00:00:00:77:00 */
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	assert_int_equal(manager(VMNET_STATIC, 2, mac, 1, 0), 0);
	assert_int_equal(manager(VMNET_STATIC, 1, mac, 1, 0), -RVS_EXISTS);
	assert_int_equal(manager(VMNET_STATIC, 1, mac, 0, 0), -RVS_NOT_FOUND);
	assert_int_equal(manager(VMNET_STATIC, 2, mac, 0, 0), 0);
	assert_int_equal(manager(VMNET_AGE, 0, 0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SUB_TEST(frames_go_from_port_to_port),
		SUB_TEST(frames_wait_in_the_guest),
		SUB_TEST(guests_manage_nothing),
		SUB_TEST(versions_differ),
		SUB_TEST(nothing_is_served_that_was_not_donated),
		SUB_TEST(the_next_one_waits_for_the_end_of_the_last),
		SUB_TEST(nothing_passes_to_the_next_one),
		SUB_TEST(up_and_down_as_the_driver_says),
		SUB_TEST(a_port_that_is_busy_goes_down_later),
		SUB_TEST(who_is_rung),
		SUB_TEST(static_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
