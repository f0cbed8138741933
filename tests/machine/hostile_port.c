// SPDX-License-Identifier: Apache-2.0
/*
 * A guest changes every part of its vNIC, from the configuration to the indexes, before and during
 * its calls.
 *
 * The changes are the inputs that the switch's fuzzer has found, and random ones. The failure would
 * be a call that faults or does not end, or frames of other ports that are lost or changed. Two
 * other guests must get exactly the frames that they send to each other. Their memory must stay
 * untouched. ELISA_SOAK_SEED sets the random numbers.
 */
#include <string.h>
#include "../fuzz/switch_input.h"
#include "net.h"

#define ROUNDS	  1000
#define HOSTILE	  2 /* number of the hostile port */
#define PAIR	  2 /* the other ports have the numbers 0 and 1 */
#define SOMETIMES 8

extern const uint8_t corpus[], corpus_end[];

static const struct rvif_config usual = {.tx_queues = 1,
					 .rx_queues = 1,
					 .tx_ring = 256,
					 .rx_ring = 256,
					 .max_frame = 1514,
					 .features = RVIF_F_NOTIFY};

static struct net net;
static struct nic pair[PAIR], hostile;
static uint64_t calls, moved, refused, cut;

static uint32_t any(void)
{
	return (uint32_t)random() << 16 ^ (uint32_t)random();
}

/* Makes a call, which must return. An operation of a manager must be refused. */
static void hostile_call(long op, long a1)
{
	struct outcome out = nic_call(&hostile, op, a1);

	CHECK_EQ(out.error, ELISA_CALL_OK);
	if (op >= VMNET_OPS_OF_GUESTS || op < 0)
		CHECK_EQ(out.value, -VMNET_BAD_OP);
	calls++;
	refused += out.value < 0;
}

/*
 * The two good ports send to each other, to the hostile port and to all. Each must receive what the
 * other sent.
 */
static void exchange(void)
{
	uint32_t i, n;

	for (i = 0; i < PAIR; i++) {
		nic_receive(&pair[i]);
		for (n = 0; n < 8; n++) /* runs to one receiver, and mixed receivers */
			nic_post(&pair[i], n & 2 || n == 4 ? HOSTILE : !i, 64 + random() % 1451);
		nic_post(&pair[i], TO_ALL, 64);
		CHECK_EQ(nic_send(&pair[i]), 0);
		CHECK_EQ(rvif_ring_room(&pair[i].tx), usual.tx_ring);
	}
	for (i = 0; i < PAIR; i++) {
		nic_receive(&pair[i]);
		CHECK_EQ(pair[i].missing, 0);
		CHECK_EQ(pair[i].again[!i], 0);
		CHECK_EQ(pair[i].expected[!i][0], pair[!i].sent[i]);
		CHECK_EQ(pair[i].expected[!i][1], pair[!i].sent[TO_ALL]);
		nic_drops(&pair[i]);
	}
}

static void forward(uint32_t queue)
{
	const uint64_t before = nic_stats(&hostile).delivered;

	hostile_call(VMNET_FORWARD, queue);
	moved += nic_stats(&hostile).delivered - before;
	nic_drops(&hostile);
}

/*
 * The hostile driver starts again, with a good configuration or with one changed byte. It does not
 * tell a switch that already serves it.
 */
static void begin(uint32_t which, struct input *input)
{
	struct rvif_header *header = rvif_header(&hostile.vnic);
	struct rvif_config config;

	CHECK_EQ(shape(&config, which), 0);
	config.mac[5] = HOSTILE;
	CHECK_EQ(rvif_reconfigure(&hostile.vnic, &config), 0);
	take(input, 2);
	if (take(input, 1) & 1) {
		uint8_t *at = (uint8_t *)&header->config + take(input, 1) % sizeof(config);

		*at = take(input, 1);
	}
	memset(hostile.vnic.region + RVIF_HEADER_SIZE, 0,
	       hostile.vnic.layout.tx_rings - RVIF_HEADER_SIZE);
	rvif_store(&header->driver.rx_mode, RVIF_RX_PROMISCUOUS | RVIF_RX_ALLMULTI);
	if (net.state->port[hostile.place].attached)
		return;
	rvif_start(&hostile.vnic);
	net_manage(&net);
}

static void down(void)
{
	rvif_store(&rvif_header(&hostile.vnic)->driver.state, RVIF_DRIVER_DOWN);
	net_manage(&net);
}

/* The hostile driver goes down and starts again, with data to send. */
static void restart(uint32_t which, struct input *input)
{
	down();
	begin(which, input);
	fill_data(&hostile.vnic, HOSTILE);
}

static void set_static(struct input *input, bool add)
{
	const uint64_t mac = 2 | (uint64_t)take(input, 1) << 40;

	net_call(&net, VMNET_STATIC, hostile.place, (long)mac, add, 0);
}

/* Does what fuzz_switch makes of these bytes. All steps are this guest's or its manager's. */
static void step(struct input *input)
{
	const uint32_t what = take(input, 1), port = take(input, 1) % PORTS;
	uint32_t choice, where, n;

	switch (what % STEPS) {
	case 0:
		begin(port, input);
		break;
	case 1:
		down();
		break;
	case 2:
	case 3:
		set_static(input, what % STEPS == 2);
		break;
	case 4:
		net.state->now = take(input, 1);
		net_call(&net, VMNET_AGE, 0, 0, 0, 0);
		break;
	case 5:
		rvs_table_flush(net.rvs, (int)port - 1);
		break;
	case 6:
		break; /* only the host can say which sender is gone */
	case 7:
	case 8:
		choice = take(input, 2);
		where = take(input, 4);
		change(&hostile.vnic, choice, where, take(input, 4));
		break;
	default:
		n = take(input, 1);
		post(&hostile.vnic, what, n, take(input, 1));
		take(input, 1);
		net.state->now = take(input, 1);
		forward(what % QUEUES);
		exchange();
	}
}

static void replay(void)
{
	struct input none = {NULL, 0};
	const uint8_t *at = corpus;
	uint32_t inputs = 0, steps = 0;

	while (at < corpus_end) {
		struct input input = {at + 2, at[0] | at[1] << 8};

		at += 2 + input.left;
		CHECK(at <= corpus_end);
		restart(inputs++ % PORTS, &none);
		for (; input.left; steps++)
			step(&input);
	}
	CHECK(inputs > 50);
	printf("hostile_port: %u inputs of the fuzzer, %u steps\n", inputs, steps);
}

static void change_something(void)
{
	const uint32_t choice = any(), where = any();

	change(&hostile.vnic, choice, where, any());
}

/* Makes changes in the middle of a call. The call goes on. */
static void forward_and_change(uint32_t queue)
{
	struct outcome out;
	int i;

	if (!nic_enter(&hostile, queue))
		return;
	for (i = 0; i < 20; i++)
		change_something();
	out = finish(hostile.vm, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	nic_drops(&hostile);
	cut++;
}

static void a_round(void)
{
	uint8_t bytes[5];
	struct input input = {bytes, sizeof(bytes)};
	uint32_t queue, i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = any() % 4 ? 0 : any();
	if (!(any() % SOMETIMES) || !net.state->port[hostile.place].attached)
		restart(any() % PORTS, &input);
	queue = any() % hostile.vnic.config.tx_queues;
	post(&hostile.vnic, queue, any() % 257, any() % 4 ? any() % 256 : 0);
	for (i = any() % 6; i; i--)
		change_something();
	if (!(any() % SOMETIMES))
		net_manage(&net);
	if (!(any() % SOMETIMES))
		hostile_call((int)any() % 16, any());
	else if (any() % 2)
		forward_and_change(queue);
	else
		forward(queue);
	exchange();
}

static void at_random(void)
{
	uint32_t round;

	for (round = 0; round < ROUNDS; round++)
		a_round();
}

int main(void)
{
	const char *text = getenv("ELISA_SOAK_SEED");
	const unsigned long seed = text && *text ? strtoul(text, NULL, 0) : 1;
	struct rvif_config largest;
	uint32_t i;

	printf("hostile_port: ELISA_SOAK_SEED=%lu\n", seed);
	srandom(seed);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	net_open(&net, PAIR + 2);
	CHECK_EQ(shape(&largest, 0), 0);
	/* the places of the other ports are behind the hostile one's */
	nic_connect(&hostile, &net, HOSTILE, &largest);
	memcpy(net.state->port[hostile.place].policy.mac, "\2\0\0\0\0\2", 6);
	for (i = 0; i < PAIR; i++) {
		nic_open(&pair[i], &net, i, &usual);
		pair[i].known = (1 << PAIR) - 1;
	}
	CHECK(hostile.place < pair[0].place);
	replay();
	at_random();
	for (i = 0; i < PAIR; i++)
		nic_untouched(&pair[i]);
	printf("result hostile_port: %llu calls, %llu refused, %llu changed on their way; "
	       "%llu of its frames moved, "
	       "%llu verified ones between others\n",
	       (unsigned long long)calls, (unsigned long long)refused, (unsigned long long)cut,
	       (unsigned long long)moved,
	       (unsigned long long)(pair[0].received + pair[1].received));
	CHECK(moved > 100 && cut > 20);
	return 0;
}
