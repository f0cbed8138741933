/* SPDX-License-Identifier: Apache-2.0 */
/* VLANs: which port reaches which, with which tag, what a table knows of each, and which tags no
 * port may send. */
#include "net.h"

/* The ports: of no VLAN, of VLAN 10, of VLAN 20, a trunk of both, a trunk of 10 with 20 as its
 * native one. */
enum {
	NONE = 0, /* and 1 */
	RED = 2,  /* and 3: VLAN 10 */
	BLUE = 4, /* and 5: VLAN 20 */
	TRUNK = 6,
	NATIVE = 7,
	PORTS = 8,
	UNTAGGED = 0x10000, /* as a tag to send */
	LENGTH = 100,
};

static void allow(struct rvs_policy *policy, uint32_t vlan)
{
	policy->trunk[vlan / 64] |= 1ull << vlan % 64;
}

static int setup(void **state)
{
	struct net *net = net_new();

	for (uint32_t port = 0; port < PORTS; port++) {
		struct net_options options = net_defaults();

		net_mac(options.config.mac, port);
		options.policy.features = options.config.features = RVIF_F_CSUM;
		if (port == RED || port == RED + 1)
			options.policy.vlan = 10;
		if (port == BLUE || port == BLUE + 1 || port == NATIVE)
			options.policy.vlan = 20;
		if (port == TRUNK || port == NATIVE)
			allow(&options.policy, 10);
		if (port == TRUNK)
			allow(&options.policy, 20);
		assert_int_equal(net_add_with(net, port, &options), 0);
	}
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_check_sums(*state);
	net_free(*state);
	return 0;
}

/* A frame as net_frame makes it, with a tag (or two) behind the addresses. Returns its length. */
static uint32_t make_frame(uint8_t *frame, uint32_t to, uint32_t from, uint32_t tag,
			   uint32_t second)
{
	uint8_t plain[LENGTH], destination[6], source[6];
	uint32_t at = 12;

	net_mac(destination, to);
	net_mac(source, from);
	if (to == UINT32_MAX)
		memset(destination, 0xff, 6);
	net_frame(plain, LENGTH, destination, source, 3);
	memcpy(frame, plain, 12);
	for (int i = 0; i < 2; i++) {
		const uint32_t t = i ? second : tag;

		if (t == UNTAGGED)
			continue;
		memcpy(frame + at, (uint8_t[]){0x81, 0, (uint8_t)(t >> 8), (uint8_t)t}, 4);
		at += 4;
	}
	memcpy(frame + at, plain + 12, LENGTH - 12);
	return LENGTH + at - 12;
}

static void send_two_tags(struct net *net, uint32_t port, uint32_t to, uint32_t from, uint32_t tag,
			  uint32_t second)
{
	uint8_t frame[LENGTH + 8];
	const uint32_t length = make_frame(frame, to, from, tag, second);

	net_post(net, port, 0, frame, length);
	net_forward(net, port, 0);
}

static void send_tagged(struct net *net, uint32_t port, uint32_t to, uint32_t from, uint32_t tag)
{
	send_two_tags(net, port, to, from, tag, UNTAGGED);
}

/* Exactly one frame came to the port, with this tag. */
static void expect(struct net *net, uint32_t port, uint32_t to, uint32_t from, uint32_t tag)
{
	uint8_t frame[65536], expected[LENGTH + 8];
	const uint32_t length = make_frame(expected, to, from, tag, UNTAGGED);

	assert_int_equal(net_receive(net, port, 0, frame, NULL), length);
	assert_memory_equal(frame, expected, length);
	assert_int_equal(net_receive(net, port, 0, frame, NULL), 0);
}

static void expect_nothing(struct net *net)
{
	uint8_t frame[65536];

	for (uint32_t port = 0; port < PORTS; port++)
		assert_int_equal(net_receive(net, port, 0, frame, NULL), 0);
}

/* A broadcast reaches all of its VLAN, tagged where that is a trunk's, and no other port. */
static void broadcasts_stay_in_their_vlan(void **state)
{
	struct net *net = *state;
	const uint32_t all = UINT32_MAX;

	send_tagged(net, NONE, all, NONE, UNTAGGED);
	expect(net, NONE + 1, all, NONE, UNTAGGED);
	expect_nothing(net);
	send_tagged(net, NONE, all, NONE, 10); /* payload */
	expect(net, NONE + 1, all, NONE, 10);
	expect_nothing(net);

	send_tagged(net, RED, all, RED, UNTAGGED);
	expect(net, RED + 1, all, RED, UNTAGGED);
	expect(net, TRUNK, all, RED, 10);
	expect(net, NATIVE, all, RED, 10);
	expect_nothing(net);

	send_tagged(net, TRUNK, all, TRUNK, 20);
	expect(net, BLUE, all, TRUNK, UNTAGGED);
	expect(net, BLUE + 1, all, TRUNK, UNTAGGED);
	expect(net, NATIVE, all, TRUNK, UNTAGGED);
	expect_nothing(net);

	send_tagged(net, NATIVE, all, NATIVE, UNTAGGED);
	expect(net, BLUE, all, NATIVE, UNTAGGED);
	expect(net, BLUE + 1, all, NATIVE, UNTAGGED);
	expect(net, TRUNK, all, NATIVE, 20);
	expect_nothing(net);
}

/* Also alone, in runs, and among others. */
static void unicast_in_a_vlan(void **state)
{
	struct net *net = *state;
	uint8_t frame[65536], sent[LENGTH + 8];

	for (uint32_t count = 1; count <= 3; count++) {
		for (uint32_t i = 0; i < count; i++)
			net_post(net, RED, 0, sent,
				 make_frame(sent, RED + 1, RED, UNTAGGED, UNTAGGED));
		net_forward(net, RED, 0);
		assert_int_equal(net->result.delivered, count);
		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(net_receive(net, RED + 1, 0, frame, NULL), LENGTH);
			assert_memory_equal(frame, sent, LENGTH);
		}
		for (uint32_t i = 0; i < count; i++)
			net_post(net, RED, 0, sent,
				 make_frame(sent, TRUNK, RED, UNTAGGED, UNTAGGED));
		net_forward(net, RED, 0);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(net_receive(net, TRUNK, 0, frame, NULL), LENGTH + 4);
	}
	send_tagged(net, TRUNK, RED, TRUNK, 10);
	expect(net, RED, RED, TRUNK, UNTAGGED);
	send_tagged(net, NATIVE, TRUNK, NATIVE, UNTAGGED);
	expect(net, TRUNK, TRUNK, NATIVE, 20);
	expect_nothing(net);
	/* an address of another VLAN is unknown in this one */
	send_tagged(net, RED, BLUE, RED, UNTAGGED);
	expect(net, RED + 1, BLUE, RED, UNTAGGED);
	expect(net, TRUNK, BLUE, RED, 10);
	expect(net, NATIVE, BLUE, RED, 10);
	expect_nothing(net);
}

/* Each VLAN has addresses of its own: the same one may be in two. */
static void learning_is_per_vlan(void **state)
{
	struct net *net = *state;
	struct rvs_entry entries[64];
	uint64_t position = 0;
	uint32_t in_red = 0, in_blue = 0;
	int n;

	send_tagged(net, RED + 1, RED, 50, UNTAGGED);
	expect(net, RED, RED, 50, UNTAGGED);
	send_tagged(net, TRUNK, BLUE, 50, 20);
	expect(net, BLUE, BLUE, 50, UNTAGGED);
	send_tagged(net, RED, 50, RED, UNTAGGED);
	expect(net, RED + 1, 50, RED, UNTAGGED);
	send_tagged(net, BLUE, 50, BLUE, UNTAGGED);
	expect(net, TRUNK, 50, BLUE, 20);
	expect_nothing(net);
	while ((n = rvs_table_dump(net->rvs, &position, entries, 64)) >= 0)
		for (int i = 0; i < n; i++) {
			if (entries[i].is_static || entries[i].mac[5] != 50)
				continue;
			in_red += entries[i].vlan == 10 && entries[i].port == RED + 1;
			in_blue += entries[i].vlan == 20 && entries[i].port == TRUNK;
		}
	assert_int_equal(in_red, 1);
	assert_int_equal(in_blue, 1);
	assert_int_equal(rvs_table_flush(net->rvs, -1), 2);
	send_tagged(net, RED, 50, RED, UNTAGGED);
	expect(net, RED + 1, 50, RED, UNTAGGED);
	expect(net, TRUNK, 50, RED, 10);
}

static void drops_one(struct net *net, uint32_t port, uint32_t to, uint32_t tag, uint32_t second)
{
	const uint64_t before = net_drops(net, port, RVS_DROP_VLAN);

	send_two_tags(net, port, to, port, tag, second);
	assert_int_equal(net_drops(net, port, RVS_DROP_VLAN), before + 1);
	expect_nothing(net);
}

static void tags_that_a_port_does_not_take(void **state)
{
	struct net *net = *state;
	uint8_t frame[LENGTH];

	drops_one(net, RED, RED + 1, 10, UNTAGGED); /* its own */
	drops_one(net, RED, RED + 1, 20, UNTAGGED);
	drops_one(net, RED, RED + 1, 4095, UNTAGGED);
	drops_one(net, TRUNK, RED, UNTAGGED, UNTAGGED);
	drops_one(net, TRUNK, RED, 0, UNTAGGED);
	drops_one(net, TRUNK, RED, 11, UNTAGGED);
	drops_one(net, TRUNK, RED, 4095, UNTAGGED);
	drops_one(net, NATIVE, BLUE, 20, UNTAGGED);
	/* of other kinds */
	for (uint32_t i = 0; i < 4; i++) {
		const uint32_t port = i & 1 ? TRUNK : RED;

		make_frame(frame, RED + 1, port, UNTAGGED, UNTAGGED);
		frame[12] = i & 2 ? 0x88 : 0x91;
		frame[13] = i & 2 ? 0xa8 : 0;
		net_post(net, port, 0, frame, LENGTH);
		net_forward(net, port, 0);
		expect_nothing(net);
		assert_int_equal(net->result.dropped, 1);
	}
	/* without room for one */
	make_frame(frame, RED, TRUNK, 10, UNTAGGED);
	net_post(net, TRUNK, 0, frame, 17);
	net_forward(net, TRUNK, 0);
	assert_int_equal(net_drops(net, TRUNK, RVS_DROP_BAD_LENGTH), 1);
	net_post(net, TRUNK, 0, frame, 18);
	net_forward(net, TRUNK, 0);
	assert_int_equal(net_receive(net, RED, 0, frame, NULL), 14);
}

/* A second tag becomes the first one where the first is taken off. */
static void no_way_into_another_vlan(void **state)
{
	struct net *net = *state;
	uint8_t frame[65536], expected[LENGTH + 8];

	drops_one(net, TRUNK, NATIVE, 20, 10);
	drops_one(net, TRUNK, BLUE, 20, 10);
	drops_one(net, BLUE, NATIVE, 0, 10);
	drops_one(net, RED, RED + 1, 0, 20);
	/* where it stays second it is payload */
	send_two_tags(net, TRUNK, NATIVE, TRUNK, 10, 20);
	make_frame(expected, NATIVE, TRUNK, 10, 20);
	assert_int_equal(net_receive(net, NATIVE, 0, frame, NULL), LENGTH + 8);
	assert_memory_equal(frame, expected, LENGTH + 8);
	/* flooded: those that would take the tag off do not get it */
	send_two_tags(net, TRUNK, UINT32_MAX, TRUNK, 20, 10);
	assert_int_equal(net_drops(net, TRUNK, RVS_DROP_NO_RECEIVER), 1);
	expect_nothing(net);
}

/* All ones are no address of a station, and no mark of the switch's own. */
static void a_source_of_ones(void **state)
{
	static const uint32_t from[] = {NONE, RED, BLUE, TRUNK, NATIVE};
	struct net *net = *state;
	uint8_t frame[LENGTH + 8];

	for (uint32_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		for (uint32_t to = 0; to < PORTS; to++) {
			const uint64_t before = net_drops(net, from[i], RVS_DROP_BAD_SOURCE);

			make_frame(frame, to, from[i], UNTAGGED, UNTAGGED);
			memset(frame + 6, 0xff, 8);
			net_post(net, from[i], 0, frame, LENGTH);
			net_forward(net, from[i], 0);
			expect_nothing(net);
			assert_int_equal(net_drops(net, from[i], RVS_DROP_BAD_SOURCE), before + 1);
		}
	}
	/* behind one that was admitted, in the same batch */
	send_tagged(net, RED, RED + 1, RED, UNTAGGED);
	expect(net, RED + 1, RED + 1, RED, UNTAGGED);
	make_frame(frame, RED + 1, RED, UNTAGGED, UNTAGGED);
	net_post(net, RED, 0, frame, LENGTH);
	memset(frame + 6, 0xff, 8);
	net_post(net, RED, 0, frame, LENGTH);
	net_forward(net, RED, 0);
	expect(net, RED + 1, RED + 1, RED, UNTAGGED);
	expect_nothing(net);
}

/* A priority tag names no VLAN, and goes on where there is a tag. */
static void priorities(void **state)
{
	struct net *net = *state;

	send_tagged(net, RED, TRUNK, RED, 0xe000);
	expect(net, TRUNK, TRUNK, RED, 0xe00a);
	send_tagged(net, RED, RED + 1, RED, 0xe000);
	expect(net, RED + 1, RED + 1, RED, UNTAGGED);
	send_tagged(net, TRUNK, NATIVE, TRUNK, 0x600a);
	expect(net, NATIVE, NATIVE, TRUNK, 0x600a);
	send_tagged(net, NATIVE, TRUNK, NATIVE, 0xb000);
	expect(net, TRUNK, TRUNK, NATIVE, 0xb014);
}

/* Pause frames are no less for the other end of a cable with a tag before their type. */
static void link_local_behind_a_tag(void **state)
{
	struct net *net = *state;
	uint8_t frame[LENGTH + 4];

	make_frame(frame, UINT32_MAX, TRUNK, 10, UNTAGGED);
	frame[16] = 0x88;
	frame[17] = 0x08;
	net_post(net, TRUNK, 0, frame, LENGTH + 4);
	net_forward(net, TRUNK, 0);
	assert_int_equal(net_drops(net, TRUNK, RVS_DROP_LINK_LOCAL), 1);
	expect_nothing(net);
}

/* Where the checksum belongs moves with the head; parts are put together all the same. */
static void offloads_move(void **state)
{
	struct net *net = *state;
	const struct rvif_vnic *vnic = &net->port[TRUNK].vnic;
	const uint32_t at = vnic->layout.buffers;
	struct rvif_desc got;
	uint8_t frame[65536];

	make_frame(vnic->region + at, RED, TRUNK, 10, UNTAGGED);
	net_post_desc(net, TRUNK,
		      &(struct rvif_desc){.offset = at,
					  .length = 18,
					  .flags = RVIF_MORE | RVIF_CSUM_NEEDED,
					  .csum_start = 38,
					  .csum_offset = 6});
	net_post_desc(net, TRUNK, &(struct rvif_desc){.offset = at + 18, .length = LENGTH - 14});
	net_forward(net, TRUNK, 0);
	assert_int_equal(net_receive(net, RED, 0, frame, &got), LENGTH);
	assert_int_equal(got.flags, RVIF_CSUM_NEEDED);
	assert_int_equal(got.csum_start, 34);
	assert_int_equal(got.csum_offset, 6);
	assert_memory_equal(frame, vnic->region + at, 12);
	assert_memory_equal(frame + 12, vnic->region + at + 16, LENGTH - 12);
	/* a sum that begins in the tag */
	net_post_desc(net, TRUNK,
		      &(struct rvif_desc){.offset = at,
					  .length = 64,
					  .flags = RVIF_CSUM_NEEDED,
					  .csum_start = 17,
					  .csum_offset = 6});
	net_forward(net, TRUNK, 0);
	assert_int_equal(net_drops(net, TRUNK, RVS_DROP_BAD_OFFLOAD), 1);
}

/* A frame that the tag makes too long. */
static void the_longest_frame(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();

	options.config.max_frame = 1514;
	allow(&options.policy, 10);
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_send(net, RED, 9, 1510, 3);
	assert_int_equal(net->result.delivered, 1);
	net_send(net, RED, 9, 1511, 3);
	assert_int_equal(net_drops(net, RED, RVS_DROP_TOO_LONG), 1);
}

/* Tables are few: the last port of a VLAN gives its table back, empty. */
static void tables_come_and_go(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();

	options.policy.vlan = 30;
	assert_int_equal(net_add_with(net, 10, &options), 0); /* the third */
	options.policy.vlan = 31;
	assert_int_equal(net_add_with(net, 11, &options), -RVIF_NO_VLAN);
	rvif_close(&net->port[11].vnic);
	allow(&options.policy, 30); /* one that is there does not help */
	assert_int_equal(net_add_with(net, 11, &options), -RVIF_NO_VLAN);
	rvif_close(&net->port[11].vnic);
	options.policy.trunk[0] = 0;
	send_tagged(net, 10, 70, 60, UNTAGGED);
	net_remove(net, 10);
	assert_int_equal(net_add_with(net, 11, &options), 0);
	assert_int_equal(rvs_table_flush(net->rvs, -1), 0);
	options.policy.vlan = 30; /* its table is another one's now */
	assert_int_equal(net_add_with(net, 12, &options), -RVIF_NO_VLAN);
	rvif_close(&net->port[12].vnic);
	options.policy.vlan = 0;
	options.policy.trunk[0] = 1; /* VLAN 0 */
	assert_int_equal(net_add_with(net, 12, &options), -RVIF_NO_VLAN);
	rvif_close(&net->port[12].vnic);
	options.policy.trunk[0] = 0;
	options.policy.vlan = 4095;
	assert_int_equal(net_add_with(net, 12, &options), -RVIF_NO_VLAN);
}

/* The same address, of two ports in two VLANs; not of two in one. */
static void own_addresses(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	const uint8_t more[6] = {2, 0, 0, 0, 9, 9};

	net_mac(options.config.mac, RED);
	options.policy.vlan = 20;
	assert_int_equal(net_add_with(net, 8, &options), 0);
	send_tagged(net, BLUE, RED, BLUE, UNTAGGED);
	expect(net, 8, RED, BLUE, UNTAGGED);
	expect_nothing(net);
	/* a trunk has its in each */
	assert_int_equal(rvs_static_add(net->rvs, RED, more), 0);
	assert_int_equal(rvs_static_add(net->rvs, TRUNK, more), -RVS_EXISTS);
	assert_int_equal(rvs_static_add(net->rvs, BLUE, more), 0); /* so nothing was left in 20 */
	assert_int_equal(rvs_static_remove(net->rvs, RED, more), 0);
	assert_int_equal(rvs_static_remove(net->rvs, BLUE, more), 0);
	assert_int_equal(rvs_static_add(net->rvs, TRUNK, more), 0);
	assert_int_equal(rvs_static_add(net->rvs, BLUE, more), -RVS_EXISTS);
	assert_int_equal(rvs_static_remove(net->rvs, TRUNK, more), 0);
	assert_int_equal(rvs_static_remove(net->rvs, TRUNK, more), -RVS_NOT_FOUND);
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(broadcasts_stay_in_their_vlan),
		on_net(unicast_in_a_vlan),
		on_net(learning_is_per_vlan),
		on_net(tags_that_a_port_does_not_take),
		on_net(a_source_of_ones),
		on_net(no_way_into_another_vlan),
		on_net(priorities),
		on_net(link_local_behind_a_tag),
		on_net(offloads_move),
		on_net(the_longest_frame),
		on_net(tables_come_and_go),
		on_net(own_addresses),
	};

	return cmocka_run_group_tests_name("VLANs", tests, NULL, NULL);
}
