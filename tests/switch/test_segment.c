/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that are cut for receivers without segmentation offload. Each segment is read as a TCP
 * stack would read it: lengths, checksums, sequence, flags; its payload must be the next of the
 * frame's. Headers that are wrong, or change meanwhile, hurt their sender's frame only.
 */
#include "net.h"

enum {
	SENDER = 8,
	PLAIN = 9,	/* no offload */
	SUMS = 10,	/* checksums only */
	WHOLE = 11,	/* all offloads */
	SMALL = 12,	/* no offload, buffers of 512 bytes, a long ring */
	OPTIONS = 12,	/* bytes, of TCP */
	EXTENSION = 24, /* bytes, of IPv6 */
	AREA = 70000,
	FIN = 1,
	PSH = 8,
	ACK = 16,
	CWR = 128,
};

struct shape {
	int is_v6;
	uint32_t tags; /* bytes */
	uint32_t extension;
	uint32_t payload, size;
	uint32_t flags;
	uint32_t split; /* bytes of the first part; 0: one part */
};

static void add_port(struct net *net, uint32_t port, uint32_t features)
{
	struct net_options options = net_defaults();

	options.config.features = options.policy.features = features;
	options.config.max_frame = 1522;
	options.config.rx_ring = options.config.tx_ring = 64;
	if (port == SMALL) {
		options.config.buffer_size = 512;
		options.config.rx_ring = 256;
	}
	net_mac(options.config.mac, port);
	assert_int_equal(net_add_with(net, port, &options), 0);
}

static int setup(void **state)
{
	struct net *net = net_new();

	add_port(net, SENDER, RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_TSO6);
	add_port(net, PLAIN, 0);
	add_port(net, SUMS, RVIF_F_CSUM);
	add_port(net, WHOLE, RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_TSO6);
	add_port(net, SMALL, 0);
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_check_sums(*state);
	net_free(*state);
	return 0;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static uint32_t add_up(uint32_t sum, const uint8_t *data, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo_sum(const struct shape *shape, const uint8_t *ip, uint32_t length)
{
	const uint32_t sum = shape->is_v6 ? add_up(6, ip + 8, 32) : add_up(6, ip + 12, 8);

	return add_up(sum, (uint8_t[]){(uint8_t)(length >> 8), (uint8_t)length}, 2);
}

static uint32_t ip_at(const struct shape *shape)
{
	return 14 + shape->tags;
}

static uint32_t tcp_at(const struct shape *shape)
{
	return ip_at(shape) + (shape->is_v6 ? 40 + shape->extension : 20);
}

static uint32_t header_of(const struct shape *shape)
{
	return tcp_at(shape) + 20 + OPTIONS;
}

static uint8_t payload_byte(uint32_t i)
{
	return (uint8_t)(i * 7 + i / 256 + i / 65536);
}

/* A frame of this shape from SENDER, as a TCP stack makes it. Its length. */
static uint32_t make(uint8_t *frame, uint32_t to, const struct shape *shape, struct rvif_desc *desc)
{
	const uint32_t header = header_of(shape), length = header + shape->payload;
	uint8_t *ip = frame + ip_at(shape), *tcp = frame + tcp_at(shape);

	memset(frame, 0, header);
	net_mac(frame, to);
	net_mac(frame + 6, SENDER);
	for (uint32_t tag = 0; tag < shape->tags; tag += 4)
		put16(frame + 12 + tag, 0x8100);
	put16(ip - 2, shape->is_v6 ? 0x86dd : 0x0800);
	if (shape->is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, length - ip_at(shape) - 40);
		ip[6] = shape->extension ? 60 : 6; /* destination options */
		ip[40] = shape->extension ? 6 : 0;
		if (shape->extension)
			ip[41] = (uint8_t)(shape->extension / 8 - 1);
		memset(ip + 8, 0xfd, 32);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, length - ip_at(shape));
		put16(ip + 4, 0xfffe); /* it wraps */
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = 6;
		put16(ip + 10, 0xdead); /* none of this is taken over */
		memcpy(ip + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
	}
	put16(tcp, 1000);
	put16(tcp + 2, 5000);
	memcpy(tcp + 4, (uint8_t[]){0xff, 0xff, 0xff, 0}, 4); /* it wraps */
	tcp[12] = (20 + OPTIONS) / 4 << 4;
	tcp[13] = (uint8_t)shape->flags;
	memset(tcp + 20, 1, OPTIONS);
	put16(tcp + 16, pseudo_sum(shape, ip, length - tcp_at(shape)));
	for (uint32_t i = 0; i < shape->payload; i++)
		frame[header + i] = payload_byte(i);
	*desc = (struct rvif_desc){
		.flags = (uint16_t)(RVIF_CSUM_NEEDED |
				    (shape->is_v6 ? RVIF_GSO_TCP6 : RVIF_GSO_TCP4)),
		.csum_start = (uint16_t)tcp_at(shape),
		.csum_offset = 16,
		.gso_size = (uint16_t)shape->size,
		.header_length = (uint16_t)header,
	};
	return length;
}

/* In two parts, if the shape says so. */
static void post(struct net *net, const uint8_t *frame, uint32_t length, struct rvif_desc desc,
		 uint32_t split)
{
	const struct rvif_vnic *vnic = &net->port[SENDER].vnic;

	memcpy(vnic->region + vnic->layout.buffers, frame, length);
	desc.offset = vnic->layout.buffers;
	desc.length = (uint16_t)length;
	if (split) {
		desc.length = (uint16_t)split;
		desc.flags |= RVIF_MORE;
	}
	net_post_desc(net, SENDER, &desc);
	if (split)
		net_post_desc(net, SENDER,
			      &(struct rvif_desc){.offset = vnic->layout.buffers + split,
						  .length = (uint16_t)(length - split)});
	net_forward(net, SENDER, 0);
}

static void check_ip(const struct shape *shape, const uint8_t *frame, uint32_t length, uint32_t n)
{
	const uint8_t *ip = frame + ip_at(shape);

	if (shape->is_v6) {
		assert_int_equal(get16(ip + 4), length - ip_at(shape) - 40);
		return;
	}
	assert_int_equal(get16(ip + 2), length - ip_at(shape));
	assert_int_equal(get16(ip + 4), (0xfffe + n) & 0xffff);
	assert_int_equal(add_up(0, ip, 20), 0xffff);
}

/* Segment n of the frame, whose payload up to "done" has come. Returns what it has of it. */
static uint32_t check_segment(const struct shape *shape, const uint8_t *sent, const uint8_t *frame,
			      uint32_t length, const struct rvif_desc *desc, uint32_t n,
			      uint32_t done)
{
	const uint32_t header = header_of(shape), payload = length - header;
	const uint8_t *ip = frame + ip_at(shape), *tcp = frame + tcp_at(shape);
	const int is_last = done + payload == shape->payload;
	const uint32_t pseudo = pseudo_sum(shape, ip, length - tcp_at(shape));

	assert_memory_equal(frame, sent, ip_at(shape));
	check_ip(shape, frame, length, n);
	assert_int_equal(get32(tcp + 4), 0xffffff00u + done);
	assert_int_equal(tcp[13], (shape->flags & ~(uint32_t)(CWR | FIN | PSH)) |
					  (n ? 0 : shape->flags & CWR) |
					  (is_last ? shape->flags & (FIN | PSH) : 0));
	assert_memory_equal(tcp + 18, sent + tcp_at(shape) + 18, 2 + OPTIONS);
	if (desc->flags & RVIF_CSUM_NEEDED) {
		assert_int_equal(desc->csum_start, tcp_at(shape));
		assert_int_equal(desc->csum_offset, 16);
		assert_int_equal(get16(tcp + 16), pseudo);
	} else {
		assert_int_equal(add_up(pseudo, tcp, length - tcp_at(shape)), 0xffff);
	}
	for (uint32_t i = 0; i < payload; i++)
		assert_int_equal(frame[header + i], payload_byte(done + i));
	return payload;
}

/* What the port has of a frame must be all its segments. */
static void expect(struct net *net, uint32_t port, const struct shape *shape, const uint8_t *sent)
{
	uint8_t frame[65536];
	struct rvif_desc desc;
	uint32_t done = 0, n = 0, length;

	while ((length = net_receive(net, port, 0, frame, &desc))) {
		assert_int_equal(desc.flags & ~RVIF_MORE, port == SUMS ? RVIF_CSUM_NEEDED : 0);
		done += check_segment(shape, sent, frame, length, &desc, n++, done);
	}
	assert_int_equal(done, shape->payload);
	assert_int_equal(n, shape->payload ? (shape->payload + shape->size - 1) / shape->size : 1);
}

static const struct shape shapes[] = {
	{.payload = 4000, .size = 1448, .flags = ACK | PSH},
	{.payload = 4344, .size = 1448, .flags = ACK | PSH | FIN | CWR},
	{.payload = 4345, .size = 1448, .flags = ACK | CWR, .split = 14},
	{.payload = 4000, .size = 1447, .flags = ACK, .split = 40},
	{.payload = 60000, .size = 1400, .flags = ACK | PSH, .split = 30001},
	{.payload = 5000, .size = 999, .flags = ACK, .tags = 4},
	{.payload = 5000, .size = 999, .flags = ACK, .tags = 8},
	{.payload = 0, .size = 1448, .flags = ACK | FIN},
	{.payload = 1, .size = 1448, .flags = ACK | PSH},
	{.is_v6 = 1, .payload = 4000, .size = 1428, .flags = ACK | PSH | CWR},
	{.is_v6 = 1, .payload = 60000, .size = 1401, .flags = ACK, .split = 77},
	{.is_v6 = 1, .payload = 5000, .size = 999, .flags = ACK, .tags = 4, .extension = EXTENSION},
};

static void segments_are_right(void **state)
{
	static const uint32_t to[] = {PLAIN, SUMS, SMALL};
	struct net *net = *state;
	uint8_t *frame = malloc(AREA);
	struct rvif_desc desc;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		for (size_t port = 0; port < 3; port++) {
			const uint32_t length = make(frame, to[port], &shapes[i], &desc);

			post(net, frame, length, desc, shapes[i].split);
			expect(net, to[port], &shapes[i], frame);
		}
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_NO_GSO), 0);
	free(frame);
}

static void who_can_gets_it_whole(void **state)
{
	struct net *net = *state;
	uint8_t frame[AREA], got[65536];
	struct rvif_desc desc, first;
	struct rvs_stats stats;
	uint32_t length = make(frame, WHOLE, &shapes[0], &desc);

	post(net, frame, length, desc, 0);
	assert_int_equal(net_receive(net, WHOLE, 0, got, &first), length);
	assert_memory_equal(got, frame, length);
	/* and of one for all, each what it can take */
	memset(frame, 0xff, 6);
	post(net, frame, length, desc, 0);
	assert_int_equal(net_receive(net, WHOLE, 0, got, &first), length);
	expect(net, PLAIN, &shapes[0], frame);
	expect(net, SUMS, &shapes[0], frame);
	expect(net, SMALL, &shapes[0], frame);
	rvs_port_stats(net->rvs, SENDER, &stats);
	assert_int_equal(stats.frames, 2);
	assert_int_equal(stats.delivered, 1 + 1 + 3 * 3);
	assert_int_equal(stats.copies, 3 + 3 * 2);
}

/* With the tag that a trunk gets and without the one that an access port does not. */
static void tags_come_and_go(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	struct shape shape = shapes[0], tagged = shape;
	uint8_t frame[AREA], plain[AREA];
	struct rvif_desc desc, of_plain;
	uint32_t length;

	options.config.max_frame = 1522;
	options.config.features = options.policy.features = RVIF_F_CSUM | RVIF_F_TSO4;
	options.policy.trunk[0] = 1 << 10;
	net_remove(net, SENDER);
	net_mac(options.config.mac, SENDER);
	assert_int_equal(net_add_with(net, SENDER, &options), 0);
	options.config.features = 0;
	net_remove(net, PLAIN);
	net_mac(options.config.mac, PLAIN);
	assert_int_equal(net_add_with(net, PLAIN, &options), 0); /* another trunk */
	options.policy.trunk[0] = 0;
	options.policy.vlan = 10;
	net_remove(net, SMALL);
	net_mac(options.config.mac, SMALL);
	assert_int_equal(net_add_with(net, SMALL, &options), 0);

	tagged.tags = 4;
	length = make(frame, SMALL, &tagged, &desc);
	put16(frame + 14, 10);
	make(plain, SMALL, &shape, &of_plain);
	post(net, frame, length, desc, 0);
	expect(net, SMALL, &shape, plain);
	net_mac(frame, PLAIN);
	post(net, frame, length, desc, 18);
	expect(net, PLAIN, &tagged, frame);
}

static void what_finds_no_room_is_dropped_from_the_end(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t frame[AREA], got[65536];
	struct rvif_desc desc;
	struct rvs_stats stats;
	uint32_t length, n = 0;

	options.buffers = 3;
	net_remove(net, PLAIN);
	net_mac(options.config.mac, PLAIN);
	assert_int_equal(net_add_with(net, PLAIN, &options), 0);
	length = make(frame, PLAIN, &(struct shape){.payload = 10000, .size = 1000, .flags = ACK},
		      &desc);
	post(net, frame, length, desc, 0);
	while (net_receive(net, PLAIN, 0, got, NULL))
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_FULL), 7);
	rvs_port_stats(net->rvs, PLAIN, &stats);
	assert_int_equal(stats.rx_missed, 7);
}

static void a_bad_buffer_ends_it(void **state)
{
	struct net *net = *state;
	uint8_t frame[AREA], got[65536];
	struct rvif_desc desc;
	uint32_t length = make(frame, PLAIN, &shapes[0], &desc);

	rvif_ring_desc(&net->port[PLAIN].rx[0], 1)->offset = 0;
	post(net, frame, length, desc, 0);
	assert_true(net_receive(net, PLAIN, 0, got, NULL) > 0);
	assert_int_equal(net_receive(net, PLAIN, 0, got, NULL), 0);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_BAD_BUFFER), 2);
}

static void too_long_for_the_receiver(void **state)
{
	struct net *net = *state;
	uint8_t frame[AREA];
	struct rvif_desc desc;
	uint32_t length = make(
		frame, PLAIN, &(struct shape){.payload = 10000, .size = 8000, .flags = ACK}, &desc);

	post(net, frame, length, desc, 0);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_TOO_LONG), 2);
}

static void headers_by_which_none_can_be_cut(void **state)
{
	struct net *net = *state;
	const struct shape v4 = {.payload = 4000, .size = 1448, .flags = ACK};
	const struct shape v6 = {.is_v6 = 1, .payload = 4000, .size = 1428, .flags = ACK};
	uint8_t frame[AREA], got[65536];
	struct rvif_desc desc;
	uint32_t length, drops = 0;

	for (int what = 0; what < 14; what++) {
		length = make(frame, PLAIN, what < 10 ? &v4 : &v6, &desc);
		switch (what) {
		case 0:
			frame[14] = 0x65;
			break;
		case 1:
			frame[14] = 0x46; /* the header does not end where TCP's begins */
			break;
		case 2:
			frame[14] = 0x44;
			break;
		case 3:
			frame[20] = 0x20; /* a fragment */
			break;
		case 4:
			frame[21] = 1;
			break;
		case 5:
			frame[23] = 17;
			break;
		case 6:
			frame[46] = 0x40; /* TCP's header is too short */
			break;
		case 7:
			frame[46] = 0xf0;
			break;
		case 8:
			desc.csum_offset = 6;
			break;
		case 9:
			desc.gso_size = 31; /* 130 segments */
			break;
		case 10:
			frame[13] = 0;
			break;
		case 11:
			frame[14] = 0x40;
			break;
		case 12:
			desc.csum_start -= 8; /* inside of IPv6's header */
			frame[desc.csum_start + 12] = 10 << 4;
			break;
		default:
			desc.header_length += 200; /* more than is looked at */
		}
		post(net, frame, length, desc, 0);
		assert_int_equal(net_drops(net, SENDER, RVS_DROP_NO_GSO), ++drops);
		assert_int_equal(net_receive(net, PLAIN, 0, got, NULL), 0);
	}
	/* as many as there may be */
	length = make(frame, SMALL, &(struct shape){.payload = 4096, .size = 32, .flags = ACK},
		      &desc);
	post(net, frame, length, desc, 0);
	expect(net, SMALL, &(struct shape){.payload = 4096, .size = 32, .flags = ACK}, frame);
}

static uint32_t random_number(void)
{
	static uint64_t random = 88172645463325252ull;

	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	return (uint32_t)(random >> 16);
}

/* Any bytes may be wrong: all that comes out are frames of at most max_frame. */
static void wrong_bytes_anywhere(void **state)
{
	static const uint32_t to[] = {PLAIN, SUMS, SMALL};
	struct net *net = *state;
	uint8_t frame[AREA], got[65536];

	for (int i = 0; i < 30000; i++) {
		const uint32_t port = to[i % 3];
		struct shape shape = shapes[random_number() % 12];
		struct rvif_desc desc;
		uint32_t length;

		shape.payload %= 5001;
		length = make(frame, port, &shape, &desc);
		for (uint32_t n = random_number() % 4; n; n--)
			frame[12 + random_number() % 80] = (uint8_t)random_number();
		if (!(random_number() & 7))
			desc.csum_start = (uint16_t)(random_number() % 200);
		if (!(random_number() & 7))
			desc.header_length = (uint16_t)(random_number() % 300);
		if (!(random_number() & 7))
			desc.gso_size = (uint16_t)(random_number() % 3000);
		post(net, frame, length, desc,
		     random_number() & 1 ? 14 + random_number() % 200 : 0);
		while ((length = net_receive(net, port, 0, got, NULL)))
			assert_in_range(length, 14, 1522);
	}
	net_check_sums(net);
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(segments_are_right),
		on_net(who_can_gets_it_whole),
		on_net(tags_come_and_go),
		on_net(what_finds_no_room_is_dropped_from_the_end),
		on_net(a_bad_buffer_ends_it),
		on_net(too_long_for_the_receiver),
		on_net(headers_by_which_none_can_be_cut),
		on_net(wrong_bytes_anywhere),
	};

	return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
