/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What observers see of ports that are captured: each frame once for each direction, with what
 * became of it; what they did not read in time counts as lost, and no sender waits for them.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "net.h"

enum {
	RECORDS = 16,
	THREADS = 3,
	SENDS = 20000,
};

static struct net *net;
static struct rvs_observer observer;
static struct rvs_copy copy;

static const void *ring_of(const struct net *of)
{
	return (const uint8_t *)of->rvs + rvs_capture_offset(&net_config);
}

static uint64_t ring_size(void)
{
	return rvs_size(&net_config) - rvs_capture_offset(&net_config);
}

static int start(void **unused)
{
	(void)unused;
	net_config.records = RECORDS;
	net = net_new();
	for (uint32_t port = 0; port < THREADS; port++)
		net_add(net, port);
	assert_int_equal(rvs_observe(&observer, ring_of(net), ring_size()), 0);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	net_free(net);
	net_config.records = 0;
	return 0;
}

/* The next copy is of a frame by net_send() between these. */
static void assert_copy(uint32_t port, int given, enum rvs_verdict verdict, uint32_t from,
			uint32_t to, uint32_t length, uint8_t seed)
{
	uint8_t frame[65536], source[6], destination[6];
	const uint32_t size = length < RVS_SNAP ? length : RVS_SNAP;

	net_mac(source, from);
	net_mac(destination, to);
	net_frame(frame, length, destination, source, seed);
	assert_int_equal(rvs_observed(&observer, &copy), 1);
	assert_int_equal(copy.port, port);
	assert_int_equal(copy.given, given);
	assert_int_equal(copy.verdict, verdict);
	assert_int_equal(copy.length, length);
	assert_int_equal(copy.size, size);
	assert_memory_equal(copy.bytes, frame, size);
}

static void assert_no_copy(void)
{
	assert_int_equal(rvs_observed(&observer, &copy), 0);
	assert_int_equal(rvs_observed(&observer, &copy), 0);
}

static void test_on_and_off(void **unused)
{
	(void)unused;
	net_send(net, 0, 1, 64, 1);
	assert_no_copy();
	assert_int_equal(rvs_observable(&observer, 0), 0);
	assert_int_equal(rvs_capture(net->rvs, 0, 1), 0);
	net_send(net, 0, 1, 64, 2);
	net_send(net, 1, 0, 80, 3);
	net_send(net, 1, 2, 64, 4); /* not of port 0 */
	assert_copy(0, 0, RVS_GOOD, 0, 1, 64, 2);
	assert_copy(0, 1, RVS_GOOD, 1, 0, 80, 3);
	assert_no_copy();
	assert_int_equal(rvs_observable(&observer, 0), 2);
	assert_int_equal(rvs_observable(&observer, 1), 0);
	rvs_capture(net->rvs, 0, 0);
	net_send(net, 0, 1, 64, 5);
	assert_no_copy();
	assert_int_equal(rvs_capture(net->rvs, NET_PORTS, 1), -RVS_BAD_PORT);
	net_expect(net, 0, 1, 64, 1);
	net_expect(net, 0, 1, 64, 2);
	net_expect(net, 0, 1, 64, 5);
	net_expect(net, 1, 0, 80, 3);
	net_check_sums(net);
}

/* Both sides of one frame, and a frame to all others: sent once, given to each. */
static void test_both_sides(void **unused)
{
	uint8_t frame[64], source[6];

	(void)unused;
	for (uint32_t port = 0; port < THREADS; port++)
		rvs_capture(net->rvs, port, 1);
	net_send(net, 0, 1, 100, 1);
	assert_copy(0, 0, RVS_GOOD, 0, 1, 100, 1);
	assert_copy(1, 1, RVS_GOOD, 0, 1, 100, 1);
	net_mac(source, 0);
	net_frame(frame, 64, (const uint8_t *)"\xff\xff\xff\xff\xff\xff", source, 2);
	net_post(net, 0, 0, frame, 64);
	net_forward(net, 0, 0);
	for (uint32_t port = 0; port < THREADS; port++) {
		assert_int_equal(rvs_observed(&observer, &copy), 1);
		assert_int_equal(copy.port, port);
		assert_int_equal(copy.given, port != 0);
		assert_memory_equal(copy.bytes, frame, 64);
	}
	assert_no_copy();
}

/* Frames that are dropped are seen, with the reason, where that happened. */
static void test_dropped(void **unused)
{
	struct net_options options = net_defaults();
	uint8_t frame[64], source[6], destination[6];

	(void)unused;
	options.policy.flags = RVS_CHECK_SOURCE;
	options.buffers = 1;
	net_mac(options.config.mac, 5);
	assert_int_equal(net_add_with(net, 5, &options), 0);
	rvs_capture(net->rvs, 5, 1);
	net_mac(source, 77);
	net_mac(destination, 0);
	net_frame(frame, 64, destination, source, 1);
	net_post(net, 5, 0, frame, 64);
	net_forward(net, 5, 0);
	assert_copy(5, 0, RVS_DROP_SPOOFED, 77, 0, 64, 1);
	net_send(net, 0, 5, 64, 2);
	net_send(net, 0, 5, 64, 3);
	assert_copy(5, 1, RVS_GOOD, 0, 5, 64, 2);
	assert_copy(5, 1, RVS_DROP_FULL, 0, 5, 64, 3);
	/* of a descriptor that makes no sense there are no bytes to be read */
	net_post_desc(net, 5, &(struct rvif_desc){.offset = UINT32_MAX, .length = 64});
	net_post_desc(
		net, 5,
		&(struct rvif_desc){.offset = UINT32_MAX, .length = 64, .flags = RVIF_CSUM_NEEDED});
	net_forward(net, 5, 0);
	assert_no_copy();
	assert_int_equal(net_drops(net, 5, RVS_DROP_BAD_DESC), 2);
}

/* Longer ones than a record, and than a buffer, are cut off. */
static void test_long(void **unused)
{
	(void)unused;
	rvs_capture(net->rvs, 0, 1);
	rvs_capture(net->rvs, 1, 1);
	for (uint32_t length = RVS_SNAP - 1; length <= RVS_SNAP + 1; length++) {
		net_send(net, 0, 1, length, 1);
		assert_copy(0, 0, RVS_GOOD, 0, 1, length, 1);
		assert_copy(1, 1, RVS_GOOD, 0, 1, length, 1);
	}
	net_send(net, 0, 1, 9000, 2);
	assert_copy(0, 0, RVS_GOOD, 0, 1, 9000, 2);
	assert_copy(1, 1, RVS_GOOD, 0, 1, 9000, 2);
}

/* A frame in several parts is copied from all of them. */
static void test_parts(void **unused)
{
	const struct rvif_vnic *vnic = &net->port[0].vnic;
	struct rvif_ring *tx = &net->port[0].tx[0];
	uint8_t frame[300], source[6], destination[6];
	const uint32_t at[] = {0, 14, 77, 300};

	(void)unused;
	rvs_capture(net->rvs, 0, 1);
	net_mac(source, 0);
	net_mac(destination, 1);
	net_frame(frame, sizeof(frame), destination, source, 9);
	memcpy(vnic->region + vnic->layout.buffers, frame, sizeof(frame));
	for (int i = 0; i < 3; i++)
		*rvif_ring_desc(tx, tx->posted++) = (struct rvif_desc){
			.offset = vnic->layout.buffers + at[i],
			.length = (uint16_t)(at[i + 1] - at[i]),
			.flags = i < 2 ? RVIF_MORE : 0,
		};
	rvif_ring_publish(tx);
	net_forward(net, 0, 0);
	assert_copy(0, 0, RVS_GOOD, 0, 1, sizeof(frame), 9);
}

/* As each side has it: with the tag where a port is a trunk. */
static void test_vlan(void **unused)
{
	struct net_options options = net_defaults();

	(void)unused;
	options.policy.vlan = 10;
	net_mac(options.config.mac, 10);
	assert_int_equal(net_add_with(net, 10, &options), 0);
	options.policy.vlan = 0;
	options.policy.trunk[0] = 1ull << 10;
	net_mac(options.config.mac, 11);
	assert_int_equal(net_add_with(net, 11, &options), 0);
	rvs_capture(net->rvs, 10, 1);
	rvs_capture(net->rvs, 11, 1);
	net_send(net, 10, 11, 64, 1);
	assert_copy(10, 0, RVS_GOOD, 10, 11, 64, 1);
	assert_int_equal(rvs_observed(&observer, &copy), 1);
	assert_int_equal(copy.length, 68);
	assert_memory_equal(copy.bytes + 12, "\x81\x00\x00\x0a\x88\xb5", 6);
}

/* An observer that does not read: the last ones are there, all others are lost, and said to be. */
static void test_overrun(void **unused)
{
	uint8_t frame[NET_BUFFER];

	(void)unused;
	rvs_capture(net->rvs, 0, 1);
	for (uint8_t i = 0; i < 40; i++) {
		net_send(net, 0, 1, 64, i);
		net_receive(net, 1, 0, frame, NULL);
	}
	assert_int_equal(net->result.delivered, 1);
	for (uint8_t i = 40 - RECORDS; i < 40; i++)
		assert_copy(0, 0, RVS_GOOD, 0, 1, 64, i);
	assert_no_copy();
	assert_int_equal(rvs_observable(&observer, 0), 40);
}

/* The owner's memory can hold anything by mistake. */
static void test_no_ring(void **unused)
{
	struct rvs_observer other;
	uint64_t *words = aligned_alloc(4096, (ring_size() + 4095) & ~4095ull);

	(void)unused;
	assert_non_null(words);
	memcpy(words, ring_of(net), ring_size());
	assert_int_equal(rvs_observe(&other, words, ring_size()), 0);
	assert_int_equal(rvs_observe(&other, words, 100), -RVS_BAD_MEMORY);
	assert_int_equal(rvs_observe(&other, words, RECORDS * 2048), -RVS_BAD_MEMORY);
	assert_int_equal(rvs_observe(&other, (uint8_t *)words + 8, ring_size() - 8),
			 -RVS_BAD_MEMORY);
	for (const uint64_t *records = (const uint64_t[]){0, 15, 1u << 20, 1ull << 63, 1};
	     *records != 1; records++) {
		words[1] = *records;
		assert_int_equal(rvs_observe(&other, words, ring_size()), -RVS_BAD_MEMORY);
	}
	words[1] = RECORDS;
	words[0]++;
	assert_int_equal(rvs_observe(&other, words, ring_size()), -RVS_BAD_MEMORY);
	free(words);
	net_config.records = 0;
	assert_int_equal(rvs_capture_offset(&net_config), 0);
	net_config.records = 12;
	assert_int_equal(rvs_size(&net_config), 0);
	net_config.records = RECORDS;
}

/* ---- senders and observers at once */

struct sending {
	pthread_t thread;
	uint32_t port;
	uint32_t sent;
};

static atomic_int running;

/* The frame's pattern begins with its seed, so that a copy of two frames is seen. */
static void *send_all(void *argument)
{
	struct sending *s = argument;
	const uint32_t to = (s->port + 1) % THREADS;
	uint8_t frame[200], source[6], destination[6];
	struct rvs_result result;

	net_mac(source, s->port);
	net_mac(destination, to);
	for (uint32_t i = 0; i < SENDS; i++) {
		const uint32_t length = 64 + i % 128;

		net_frame(frame, length, destination, source, (uint8_t)i);
		net_post(net, s->port, 0, frame, length);
		if (rvs_forward(net->rvs, s->port, s->port, 0, 8, net->now, &result) ||
		    result.frames != 1)
			break;
		s->sent++;
		sched_yield();
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

/* Whole: the copy is one frame, not the halves of two. */
static void assert_whole(void)
{
	const uint8_t seed = (uint8_t)(copy.bytes[14] - 14 * 7);

	assert_in_range(copy.length, 64, 191);
	assert_int_equal(copy.size, copy.length);
	assert_int_equal(copy.length, 64 + seed % 128);
	for (uint32_t i = 14; i < copy.size; i++)
		assert_int_equal(copy.bytes[i], (uint8_t)(seed + i * 7));
}

static void test_all_at_once(void **unused)
{
	struct sending sending[THREADS];
	uint64_t seen[THREADS] = {0}, all = 0;

	(void)unused;
	running = THREADS;
	for (uint32_t port = 0; port < THREADS; port++)
		rvs_capture(net->rvs, port, 1);
	for (uint32_t port = 0; port < THREADS; port++) {
		sending[port] = (struct sending){.port = port};
		assert_int_equal(
			pthread_create(&sending[port].thread, NULL, send_all, &sending[port]), 0);
	}
	for (int last = 0; !last;) {
		last = !atomic_load(&running);
		while (rvs_observed(&observer, &copy)) {
			assert_whole();
			seen[copy.port]++;
		}
	}
	for (uint32_t port = 0; port < THREADS; port++) {
		pthread_join(sending[port].thread, NULL);
		assert_int_equal(sending[port].sent, SENDS);
		assert_int_equal(rvs_observable(&observer, port), 2 * SENDS);
		assert_in_range(seen[port], 1, 2 * SENDS);
		all += seen[port];
	}
	print_message("%llu of %u copies read in time\n", (unsigned long long)all,
		      2 * SENDS * THREADS);
	net_check_sums(net);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(test_on_and_off), TEST(test_both_sides), TEST(test_dropped),
		TEST(test_long),       TEST(test_parts),      TEST(test_vlan),
		TEST(test_overrun),    TEST(test_no_ring),    TEST(test_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
