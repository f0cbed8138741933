/* SPDX-License-Identifier: Apache-2.0 */
/* Clean traffic: what a port with addresses may say, and in how many pieces it may say it. */
#include "net.h"

enum {
	GUEST = 0, /* 10.0.0.1, 2001:db8::1 */
	OTHER = 1,
	TRUNK = 2, /* the same addresses, VLAN 10 */
};

static const uint8_t own4[4] = {10, 0, 0, 1}, other4[4] = {10, 0, 0, 2}, none4[4];
static const uint8_t own6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1},
		     other6[16] = {0x20, 1, 0xd, 0xb8, [15] = 2}, none6[16],
		     own_local[16] = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe},
		     other_local[16] = {0xfe, 0x80, [15] = 9};

static struct net *net;
static uint8_t frame[256];

static int setup(void **state)
{
	struct net_options options = net_defaults();

	(void)state;
	net = net_new();
	net_add(net, OTHER);
	net_mac(options.config.mac, GUEST);
	options.policy.flags = RVS_CHECK_SOURCE | RVS_CHECK_IP;
	options.policy.ipv4_count = options.policy.ipv6_count = 1;
	memcpy(options.policy.ipv4[0], own4, 4);
	memcpy(options.policy.ipv6[0], own6, 16);
	assert_int_equal(net_add_with(net, GUEST, &options), 0);
	memset(frame, 0, sizeof(frame));
	net_mac(frame, OTHER);
	net_mac(frame + 6, GUEST);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_check_sums(net);
	net_free(net);
	return 0;
}

static void set_type(uint32_t type)
{
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
}

static void make_ipv4(const uint8_t *source, uint8_t protocol, uint16_t from, uint16_t to)
{
	set_type(0x0800);
	frame[14] = 0x45;
	frame[20] = frame[21] = 0;
	frame[23] = protocol;
	memcpy(frame + 26, source, 4);
	memcpy(frame + 34,
	       (uint8_t[]){(uint8_t)(from >> 8), (uint8_t)from, (uint8_t)(to >> 8), (uint8_t)to},
	       4);
}

static void make_arp(const uint8_t *station, const uint8_t *address)
{
	set_type(0x0806);
	memcpy(frame + 14, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
	memcpy(frame + 22, station, 6);
	memcpy(frame + 28, address, 4);
}

static void make_ipv6(const uint8_t *source, uint8_t next, uint32_t length)
{
	set_type(0x86dd);
	memset(frame + 14, 0, sizeof(frame) - 14);
	frame[14] = 0x60;
	frame[18] = (uint8_t)(length >> 8);
	frame[19] = (uint8_t)length;
	frame[20] = next;
	memcpy(frame + 22, source, 16);
}

/* Neighbour discovery at 54: type, target, and an option with this station's address. */
static void make_nd(const uint8_t *source, uint8_t type, const uint8_t *target, uint8_t option,
		    const uint8_t *station)
{
	make_ipv6(source, 58, 32);
	frame[54] = type;
	memcpy(frame + 62, target, 16);
	frame[78] = option;
	frame[79] = 1;
	memcpy(frame + 80, station, 6);
}

/* Does it arrive, as it was sent, in one piece and in any two, with much behind it or nothing? */
static void check_of_length(uint32_t length, int arrives)
{
	const struct rvif_vnic *vnic = &net->port[GUEST].vnic;
	const uint32_t at = vnic->layout.buffers;
	uint8_t got[65536];

	for (uint32_t cut = 14; cut <= length; cut++) {
		const uint64_t before = net_drops(net, GUEST, RVS_DROP_BAD_IP);
		const int split = cut < length;

		memcpy(vnic->region + at, frame, length);
		net_post_desc(net, GUEST,
			      &(struct rvif_desc){.offset = at,
						  .length = (uint16_t)cut,
						  .flags = split ? RVIF_MORE : 0});
		if (split)
			net_post_desc(net, GUEST,
				      &(struct rvif_desc){.offset = at + cut,
							  .length = (uint16_t)(length - cut)});
		net_forward(net, GUEST, 0);
		assert_int_equal(net_receive(net, OTHER, 0, got, NULL), arrives ? length : 0);
		assert_memory_equal(got, frame, arrives ? length : 0);
		assert_int_equal(net_drops(net, GUEST, RVS_DROP_BAD_IP) - before, !arrives);
	}
}

static void check(int arrives)
{
	check_of_length(100, arrives);
	check_of_length(200, arrives);
}

static void ipv4(void **state)
{
	(void)state;
	make_ipv4(own4, 17, 1, 2);
	check(1);
	check_of_length(34, 1);
	check_of_length(33, 0);
	make_ipv4(other4, 17, 1, 2);
	check(0);
	make_ipv4(none4, 17, 68, 67);
	check(1);
	check_of_length(38, 1);
	check_of_length(37, 0);
	frame[20] = 0x20; /* a piece, behind which the rest could be anything */
	check(0);
	make_ipv4(none4, 17, 67, 68); /* a DHCP server */
	check(0);
	make_ipv4(none4, 6, 68, 67);
	check(0);
	make_ipv4(none4, 17, 68, 67);
	frame[14] = 0x44; /* a header that is too short */
	check(0);
	make_ipv4(own4, 17, 1, 2);
	frame[14] = 0x65;
	check(0);
}

static void arp(void **state)
{
	uint8_t own[6], other[6];

	(void)state;
	net_mac(own, GUEST);
	net_mac(other, OTHER);
	make_arp(own, own4);
	check(1);
	check_of_length(42, 1);
	check_of_length(41, 0);
	make_arp(own, none4); /* a probe */
	check(1);
	make_arp(own, other4);
	check(0);
	make_arp(other, own4);
	check(0);
	make_arp(own, own4);
	frame[19] = 16; /* other lengths, other places */
	check(0);
}

static void ipv6(void **state)
{
	uint8_t local[16], mac[6];

	(void)state;
	make_ipv6(own6, 17, 40);
	check(1);
	make_ipv6(other6, 17, 40);
	check(0);
	make_ipv6(none6, 17, 40);
	check(0);
	net_mac(mac, GUEST);
	memcpy(local, own_local, 16);
	memcpy(local + 8, mac, 3);
	memcpy(local + 13, mac + 3, 3);
	local[8] ^= 2;
	make_ipv6(local, 17, 40);
	check(1);
	make_ipv6(other_local, 17, 40);
	check(0);
	make_ipv6(own6, 17, 40);
	frame[14] = 0x45;
	check(0);
}

static void neighbours(void **state)
{
	uint8_t own[6], other[6];

	(void)state;
	net_mac(own, GUEST);
	net_mac(other, OTHER);
	make_nd(own6, 136, own6, 2, own);
	check(1);
	make_nd(own6, 136, other6, 2, own); /* speaks for another one */
	check(0);
	make_nd(own6, 136, own6, 2, other); /* sends others elsewhere */
	check(0);
	make_nd(own6, 135, other6, 1, own); /* asks */
	check(1);
	make_nd(own6, 135, other6, 1, other);
	check(0);
	make_nd(none6, 135, own6, 14, own); /* whether an address is free; a nonce */
	check(1);
	make_nd(none6, 136, own6, 2, own);
	check(0);
	make_nd(own6, 134, own6, 1, own); /* no router */
	check(0);
	make_nd(own6, 137, own6, 2, own);
	check(0);
	make_nd(own6, 136, own6, 2, own);
	frame[79] = 0; /* an option without length */
	check(0);
	frame[79] = 9; /* or beyond the packet */
	check(0);
	make_nd(own6, 128, own6, 2, other); /* an echo: what is in it is its own affair */
	check(1);
}

/* Extension headers do not hide it. */
static void hidden_neighbours(void **state)
{
	uint8_t own[6], nd[32];

	(void)state;
	net_mac(own, GUEST);
	make_nd(own6, 136, other6, 2, own);
	memcpy(nd, frame + 54, 32);
	for (int i = 0; i < 4; i++) {
		static const uint8_t headers[] = {0, 43, 44, 60};

		make_ipv6(own6, headers[i], 40);
		frame[54] = 58;
		memcpy(frame + 62, nd, 32);
		check(0);
		memcpy(frame + 70, own6, 16);
		check(1);
	}
	make_ipv6(own6, 44,
		  40); /* a later piece: its receivers take no such messages in pieces (RFC 6980) */
	frame[54] = 58;
	frame[57] = 8;
	check(1);
	make_ipv6(own6, 0, 140); /* beyond what is looked at */
	frame[54] = 58;
	frame[55] = 12;
	check(0);
	make_ipv6(own6, 0, 100); /* without end */
	for (uint32_t at = 54; at < 200; at += 8)
		frame[at] = 0;
	check(0);
}

static void other_protocols(void **state)
{
	static const uint32_t types[] = {0x88b5, 0x8035, 0x8100, 0x88a8, 0x8847, 46};

	(void)state;
	make_ipv4(own4, 17, 1, 2);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		set_type(types[i]);
		check_of_length(100, 0);
	}
}

/* In batches, more than are looked at together. */
static void many(void **state)
{
	uint8_t got[65536];

	(void)state;
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < NET_RING; i++) {
			make_ipv4(i % 5 ? own4 : other4, 17, (uint16_t)i, 2);
			net_post(net, GUEST, 0, frame, 100);
		}
		net_forward(net, GUEST, 0);
		assert_int_equal(net->result.delivered, NET_RING - 4);
		for (uint32_t i = 0; i < NET_RING; i++) {
			if (!(i % 5))
				continue;
			make_ipv4(own4, 17, (uint16_t)i, 2);
			assert_int_equal(net_receive(net, OTHER, 0, got, NULL), 100);
			assert_memory_equal(got, frame, 100);
		}
	}
}

/* Behind a VLAN's tag as well. */
static void tagged(void **state)
{
	struct net_options options = net_defaults();
	uint8_t got[256];

	(void)state;
	options.policy.vlan = 10;
	net_mac(options.config.mac, 8);
	assert_int_equal(net_add_with(net, 8, &options), 0);
	options.policy.vlan = 0;
	options.policy.trunk[0] = 1 << 10;
	options.policy.flags = RVS_CHECK_IP;
	options.policy.ipv4_count = 1;
	memcpy(options.policy.ipv4[0], own4, 4);
	net_mac(options.config.mac, TRUNK);
	assert_int_equal(net_add_with(net, TRUNK, &options), 0);
	for (int good = 0; good < 2; good++) {
		make_ipv4(good ? own4 : other4, 17, 1, 2);
		net_mac(frame, 8);
		net_mac(frame + 6, TRUNK);
		memmove(frame + 16, frame + 12, 100);
		memcpy(frame + 12, (uint8_t[]){0x81, 0, 0, 10}, 4);
		net_post(net, TRUNK, 0, frame, 104);
		net_forward(net, TRUNK, 0);
		assert_int_equal(net_receive(net, 8, 0, got, NULL), good ? 100 : 0);
	}
	assert_memory_equal(got + 12, frame + 16, 88);
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(ipv4),
		on_net(arp),
		on_net(ipv6),
		on_net(neighbours),
		on_net(hidden_neighbours),
		on_net(other_protocols),
		on_net(many),
		on_net(tagged),
	};

	return cmocka_run_group_tests_name("clean traffic", tests, NULL, NULL);
}
