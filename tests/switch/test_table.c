/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that is longer than one call looks at: ageing and detaching go on where they stopped, and
 * a port's limit of learned addresses holds meanwhile.
 */
#include <elisa/sub_test.h>
#include "internal.h"
#include "net.h"

enum {
	BUCKETS = 65536, /* four parts */
	PARTS = 4,
	ADDRESSES = 400,
};

static int setup(void **state)
{
	struct net_options options = net_defaults();
	struct net *net;

	net_config.buckets = BUCKETS;
	net_config.vlans = 0;
	*state = net = net_new();
	options.policy.max_learned = ADDRESSES;
	for (uint32_t port = 0; port < 2; port++) {
		net_mac(options.config.mac, port);
		assert_int_equal(net_add_with(net, port, &options), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	net_free(*state);
	return 0;
}

/* Frames from so many addresses behind a port, from this one on. */
static void teach(struct net *net, uint32_t port, uint32_t first, uint32_t count)
{
	uint8_t frame[64], source[6], destination[6];

	net_mac(destination, !port);
	for (uint32_t i = 0; i < count; i++) {
		net_mac(source, first + i);
		net_frame(frame, 64, destination, source, 1);
		net_post(net, port, 0, frame, 64);
		net_forward(net, port, 0);
		while (net_receive(net, !port, 0, frame, NULL))
			;
	}
}

static uint32_t learned(struct net *net, uint32_t port)
{
	struct rvs_port_info info;

	rvs_port_info(net->rvs, port, &info);
	return info.learned;
}

/* Addresses of a port that the table has; those for good, too. */
static uint32_t in_table(struct net *net, uint32_t port, int statics)
{
	struct rvs_entry entries[64];
	uint64_t position = 0;
	uint32_t found = 0;
	int n;

	while ((n = rvs_table_dump(net->rvs, &position, entries, 64)) >= 0)
		for (int i = 0; i < n; i++)
			found += entries[i].port == port && (statics || !entries[i].is_static);
	return found;
}

/* Each call takes a part away, and the count follows. */
static void ages_in_parts(void **state)
{
	struct net *net = *state;
	uint32_t before;

	teach(net, 0, 1000, ADDRESSES);
	before = ADDRESSES;
	assert_int_equal(learned(net, 0), ADDRESSES);
	for (int part = 1; part <= PARTS; part++) {
		assert_int_equal(rvs_table_age(net->rvs, net->now + 301), part < PARTS);
		assert_in_range(before - learned(net, 0), ADDRESSES / 8, ADDRESSES / 2);
		before = learned(net, 0);
		assert_int_equal(in_table(net, 0, 0), before);
	}
	assert_int_equal(before, 0);
	teach(net, 0, 1000, ADDRESSES); /* there is room again */
	assert_int_equal(learned(net, 0), ADDRESSES);
}

/* What is learned, moves or goes between the parts, before and behind the place, counts once. */
static void learning_goes_on(void **state)
{
	struct net *net = *state;

	teach(net, 0, 1000, 100);
	teach(net, 1, 5000, 100);
	for (int part = 1; part <= PARTS; part++) {
		assert_int_equal(rvs_table_age(net->rvs, net->now), part < PARTS);
		teach(net, 0, 2000 + 100 * (uint32_t)part, 50);
		teach(net, 0, 5000 + 20 * (uint32_t)part, 20); /* from port 1 */
		assert_int_equal(learned(net, 0), in_table(net, 0, 0));
		assert_int_equal(learned(net, 1), in_table(net, 1, 0));
	}
	assert_int_equal(learned(net, 0), 100 + PARTS * 70);
	assert_int_equal(learned(net, 1), 20);
	teach(net, 0, 9000, 2 * ADDRESSES);
	assert_int_equal(learned(net, 0), ADDRESSES);
	assert_int_equal(in_table(net, 0, 0), ADDRESSES);
}

/* A count that a stopped sender left too high is right after the next time. */
static void counts_anew(void **state)
{
	struct net *net = *state;

	teach(net, 0, 1000, 100);
	rvs_table_flush(net->rvs, 0);
	teach(net, 0, 1000, 60);
	while (rvs_table_age(net->rvs, net->now))
		;
	assert_int_equal(learned(net, 0), 60);
}

/* Busy until all its addresses are gone; nothing is added meanwhile. */
static void leaves_in_parts(void **state)
{
	struct net *net = *state;
	const uint8_t mac[6] = {2, 0, 0, 0, 0x77, 0};
	uint32_t left = 2 + ADDRESSES;

	teach(net, 0, 1000, ADDRESSES);
	teach(net, 1, 5000, 10);
	assert_int_equal(rvs_static_add(net->rvs, 0, mac), 0);
	for (int part = 1; part < PARTS; part++) {
		assert_int_equal(rvs_port_detach(net->rvs, 0), -RVS_BUSY);
		assert_in_range(left - in_table(net, 0, 1), ADDRESSES / 8, ADDRESSES / 2);
		left = in_table(net, 0, 1);
		assert_int_equal(rvs_static_add(net->rvs, 0, mac), -RVS_BAD_PORT);
	}
	assert_int_equal(rvs_port_detach(net->rvs, 0), 0);
	assert_int_equal(in_table(net, 0, 1), 0);
	assert_int_equal(in_table(net, 1, 1), 11);
	rvif_close(&net->port[0].vnic);
	net->port[0].open = 0;
	net_add(net, 0); /* and again, from the beginning */
	teach(net, 0, 1000, 8);
	for (int part = 1; part < PARTS; part++)
		assert_int_equal(rvs_port_detach(net->rvs, 0), -RVS_BUSY);
	assert_int_equal(rvs_port_detach(net->rvs, 0), 0);
	assert_int_equal(in_table(net, 0, 1), 0);
}

static uint64_t swept_when_stopped;

static void detach(void *net)
{
	rvs_port_detach(((struct net *)net)->rvs, 0);
}

static void note_swept(void *net)
{
	swept_when_stopped = rvs_port_at(((struct net *)net)->rvs, 0)->swept_to;
}

/* A call that is stopped within a part has done what it did: the next call goes on from there. */
static void leaves_though_each_call_is_stopped(void **state)
{
	struct net *net = *state;

	assert_int_equal(elisa_step_once(detach, 100000, note_swept, net), 1);
	assert_in_range(swept_when_stopped, 100, BUCKETS / PARTS - 1);
	while (rvs_port_detach(net->rvs, 0))
		;
	assert_int_equal(in_table(net, 0, 1), 0);
}

int main(void)
{
#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		on_net(ages_in_parts),
		on_net(learning_goes_on),
		on_net(counts_anew),
		on_net(leaves_in_parts),
		on_net(leaves_though_each_call_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
