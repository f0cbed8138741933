/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transmit thread when kicks fail, with a socket in place of the interface: frames stay posted,
 * it tries again now and then, and tells the main thread that the switch is gone.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "tap.h"

enum {
	FRAME = 60,
	RING = 512,
	BUFFER = 4096,
	LONGEST = (RVIF_MAX_FRAME + BUFFER - 1) / BUFFER, /* buffers that a frame may need */
};

static struct daemon d;
static struct queue queue;
static struct rvif_transport transport;
static int kicks, result, told, kernel;

void tell(struct daemon *daemon, bool *flag)
{
	(void)daemon;
	__atomic_store_n(flag, true, __ATOMIC_RELAXED);
	__atomic_add_fetch(&told, 1, __ATOMIC_RELAXED);
}

static int fake_kick(struct rvif_vnic *vnic, uint32_t number)
{
	(void)vnic;
	assert_int_equal(number, 0);
	__atomic_add_fetch(&kicks, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&result, __ATOMIC_RELAXED);
}

static int get(const int *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void nap_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void on_interrupt(int number)
{
	(void)number;
}

static int begin(void **state)
{
	struct rvif_config config = {.tx_queues = 1,
				     .rx_queues = 1,
				     .tx_ring = RING,
				     .rx_ring = RING,
				     .buffer_size = BUFFER,
				     .max_frame = 1518};
	struct sigaction interrupt = {.sa_handler = on_interrupt};
	int pair[2];

	(void)state;
	memset(&d, 0, sizeof(d));
	memset(&queue, 0, sizeof(queue));
	kicks = told = result = 0;
	transport = rvif_private_memory;
	transport.kick = fake_kick;
	assert_int_equal(sigaction(SIGUSR2, &interrupt, NULL), 0);
	assert_int_equal(rvif_configure(&config, 2ull * RING * frames_stride(BUFFER)), 0);
	assert_int_equal(rvif_open(&d.vnic, &transport, "", &config), 0);
	rvif_start(&d.vnic);
	rvif_tx_ring_init(&queue.tx.ring, &d.vnic, 0);
	queue.tx.region = d.vnic.region;
	queue.tx.first = d.vnic.layout.buffers;
	queue.tx.buffer = BUFFER;
	rvif_store(&queue.tx.ring.control->kick_wanted, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	kernel = pair[0];
	queue.fd = pair[1];
	queue.daemon = &d;
	return 0;
}

static void start(void)
{
	assert_int_equal(pthread_create(&queue.transmitter, NULL, transmit, &queue), 0);
}

static int end(void **state)
{
	struct timespec until;

	(void)state;
	__atomic_store_n(&d.stop, true, __ATOMIC_RELAXED);
	do {
		pthread_kill(queue.transmitter, SIGUSR2);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
	} while (pthread_timedjoin_np(queue.transmitter, NULL, &until));
	close(kernel);
	close(queue.fd);
	rvif_close(&d.vnic);
	return 0;
}

static void give_frame(void)
{
	struct {
		struct virtio_net_hdr header;
		uint8_t frame[FRAME];
	} __attribute__((packed)) message = {.frame = {0xff}};

	while (send(kernel, &message, sizeof(message), 0) < 0) {
		assert_int_equal(errno, EAGAIN);
		nap_ms(1);
	}
}

static uint32_t posted(void)
{
	return rvif_load_acquire(&queue.tx.ring.control->posted);
}

static void test_one_kick(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		give_frame();
	start();
	nap_ms(300);
	assert_int_equal(posted(), 10);
	assert_int_equal(get(&kicks), 1);
	assert_int_equal(get(&told), 0);
}

static void test_busy(void **state)
{
	int before;

	(void)state;
	result = -EAGAIN;
	start();
	give_frame();
	nap_ms(550);
	assert_int_equal(posted(), 1);
	assert_in_range(get(&kicks), 3, 7);
	assert_int_equal(get(&told), 0);
	__atomic_store_n(&result, 0, __ATOMIC_RELAXED);
	nap_ms(150);
	before = get(&kicks);
	nap_ms(250);
	assert_int_equal(get(&kicks), before);
}

/* What waits for a receiver is tried again soon, then ever later, until it is on its way. */
static void test_held(void **state)
{
	int before;

	(void)state;
	result = -EBUSY;
	start();
	give_frame();
	nap_ms(500);
	assert_int_equal(posted(), 1);
	/* after 20 us first, each time a quarter of the time so far: 40 times in half a second */
	assert_in_range(get(&kicks), 6, 60);
	assert_int_equal(get(&told), 0);
	assert_int_equal(queue.sent.kick_errors, 0);
	__atomic_store_n(&result, 0, __ATOMIC_RELAXED);
	nap_ms(600);
	before = get(&kicks);
	nap_ms(250);
	assert_int_equal(get(&kicks), before);
}

static void test_gone(void **state)
{
	(void)state;
	result = -ENOTCONN;
	start();
	give_frame();
	nap_ms(50);
	assert_true(is_set(&d.lost));
	assert_true(get(&told) > 0);
	assert_int_equal(posted(), 1);
}

/* More than the ring has room for: waits; goes on when the switch does. */
static void test_full(void **state)
{
	int before;

	(void)state;
	result = -EAGAIN;
	start();
	for (int i = 0; i < RING - LONGEST + 1; i++)
		give_frame();
	nap_ms(300);
	assert_int_equal(posted(), RING - LONGEST + 1);
	give_frame();
	before = get(&kicks);
	nap_ms(500);
	assert_int_equal(posted(), RING - LONGEST + 1);
	assert_in_range(get(&kicks) - before, 3, 7);
	__atomic_store_n(&result, 0, __ATOMIC_RELAXED);
	rvif_publish(&queue.tx.ring.control->completed, posted());
	nap_ms(250);
	assert_int_equal(posted(), RING - LONGEST + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_kick), TEST(test_busy), TEST(test_held),
		TEST(test_gone),     TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
