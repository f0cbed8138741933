/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several senders at once: contents arrive whole, each flow in its order, nothing twice, and the
 * counters add up; while a port comes and goes and the table ages.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include "net.h"

enum {
	THREADS = 4,
	COMING = 10, /* a port that comes and goes */
	MILLISECONDS = 1500,
};

struct frame {
	uint8_t to[6], from[6], type[2];
	uint16_t length;
	uint32_t flow;	   /* sending port */
	uint64_t sequence; /* of this flow to this receiver */
	uint32_t sum;
	uint8_t data[];
};

struct worker {
	pthread_t thread;
	struct net *net;
	uint32_t port;
	uint64_t sent, sequence[THREADS], got, last[THREADS];
	const char *wrong;
};

static atomic_int stop;

static uint32_t sum_data(const struct frame *frame)
{
	uint32_t sum = (uint32_t)frame->sequence;

	for (uint32_t i = 0; i < frame->length - sizeof(*frame); i++)
		sum = sum * 31 + frame->data[i];
	return sum;
}

/* Posts some frames to the other ports in turn, and to one that may be away. */
static void post_some(struct worker *w, uint32_t *random)
{
	struct rvif_vnic *vnic = &w->net->port[w->port].vnic;
	struct rvif_ring *tx = &w->net->port[w->port].tx[0];

	tx->reaped += rvif_ring_completed(tx);
	for (int n = 0; n < 8 && rvif_ring_room(tx); n++) {
		const uint32_t at =
			vnic->layout.buffers + (tx->posted & tx->mask) * vnic->config.buffer_size;
		struct frame *frame = (struct frame *)(void *)(vnic->region + at);
		uint32_t to;

		*random = *random * 1664525 + 1013904223;
		to = *random >> 20 & 3;
		if (to == w->port)
			to = COMING;
		net_mac(frame->to, to);
		net_mac(frame->from, w->port);
		memcpy(frame->type, "\x88\xb5", 2);
		frame->length = (uint16_t)(sizeof(*frame) + (*random >> 8 & 1023));
		frame->flow = w->port;
		frame->sequence = to == COMING ? 0 : ++w->sequence[to];
		for (uint32_t i = 0; i < frame->length - sizeof(*frame); i++)
			frame->data[i] = (uint8_t)(*random >> i % 24);
		frame->sum = sum_data(frame);
		rvif_desc_set(rvif_ring_desc(tx, tx->posted++), at, frame->length, 0);
		w->sent++;
	}
	rvif_ring_publish(tx);
}

static void check(struct worker *w, const struct frame *frame, uint32_t length)
{
	if (frame->length != length || frame->flow >= THREADS || sum_data(frame) != frame->sum)
		w->wrong = "broken contents";
	else if (!frame->sequence)
		return; /* flooded: the port that it was for is away */
	else if (frame->sequence <= w->last[frame->flow])
		w->wrong = "order of a flow";
	else
		w->last[frame->flow] = frame->sequence;
}

static void receive_all(struct worker *w)
{
	const struct rvif_vnic *vnic = &w->net->port[w->port].vnic;
	struct rvif_ring *rx = &w->net->port[w->port].rx[0];
	uint32_t ready = rvif_ring_completed(rx);

	for (uint32_t i = 0; i < ready; i++) {
		struct rvif_desc *desc = rvif_ring_desc(rx, rx->reaped++);

		check(w, (const struct frame *)(const void *)(vnic->region + desc->offset),
		      desc->length);
		w->got++;
		rvif_desc_set(rvif_ring_desc(rx, rx->posted++), desc->offset, 0, 0);
	}
	rvif_ring_publish(rx);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	uint32_t random = w->port + 1, sender = w->port;
	struct rvs_result result;

	while (!w->wrong) {
		const int last = atomic_load(&stop);

		if (!last)
			post_some(w, &random);
		if (rvs_forward(w->net->rvs, sender, w->port, 0, 64, 1, &result))
			w->wrong = "forwarding failed";
		receive_all(w);
		if (last && !result.pending)
			break;
		sched_yield();
	}
	return NULL;
}

/* The owner: a port comes and goes, addresses age and are looked at, statistics are read. */
static void own(struct net *net)
{
	struct net_options options = net_defaults();
	struct rvs_entry entries[16];
	struct timespec start, now;
	struct rvs_stats stats;

	net_mac(options.config.mac, COMING);
	net_open(net, COMING, &options);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		uint64_t position = 0;

		rvs_port_attach(net->rvs, COMING, net->port[COMING].vnic.region,
				net->port[COMING].vnic.config.region_size, &options.policy);
		rvs_table_age(net->rvs, 1);
		while (rvs_table_dump(net->rvs, &position, entries, 16) >= 0)
			;
		rvs_port_stats(net->rvs, 0, &stats);
		sched_yield();
		while (rvs_port_detach(net->rvs, COMING) == -RVS_BUSY)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
		 MILLISECONDS);
}

static void four_senders(void **state)
{
	struct net *net = net_new();
	struct worker workers[THREADS] = {0};
	uint64_t sent = 0, got = 0;

	(void)state;
	for (uint32_t port = 0; port < THREADS; port++)
		net_add(net, port);
	atomic_store(&stop, 0);
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i].net = net;
		workers[i].port = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	own(net);
	atomic_store(&stop, 1);
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].wrong)
			fail_msg("port %u: %s", i, workers[i].wrong);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		struct rvs_stats stats;
		uint64_t drops = 0;

		receive_all(&workers[i]);
		sent += workers[i].sent;
		got += workers[i].got;
		assert_int_equal(rvs_port_stats(net->rvs, i, &stats), 0);
		assert_int_equal(stats.frames, workers[i].sent);
		assert_int_equal(stats.rx_frames, workers[i].got);
		for (int reason = 0; reason < RVS_DROPS; reason++)
			drops += stats.drops[reason];
		assert_int_equal(stats.frames + stats.copies, stats.delivered + drops);
	}
	print_message("%llu frames sent, %llu received\n", (unsigned long long)sent,
		      (unsigned long long)got);
	assert_true(got > 1000);
	net_free(net);
}

/* All send to one receiver, whose lock they want at the same time. */
static void *work_on_one(void *argument)
{
	struct worker *w = argument;
	struct rvs_result result;

	for (int round = 0; round < 2000; round++) {
		struct rvif_ring *tx = &w->net->port[w->port].tx[0];

		tx->reaped += rvif_ring_completed(tx);
		while (rvif_ring_room(tx))
			tx->posted++; /* the same descriptor and frame each time */
		rvif_ring_publish(tx);
		if (rvs_forward(w->net->rvs, w->port, w->port, 0, 64, 1, &result))
			w->wrong = "forwarding failed";
		w->sent += result.frames;
		if (!w->port)
			receive_all(w);
	}
	return NULL;
}

static void one_receiver(void **state)
{
	struct net *net = net_new();
	struct worker workers[THREADS] = {0};

	(void)state;
	for (uint32_t port = 0; port < THREADS; port++) {
		struct net_port *p = &net->port[port];

		net_add(net, port);
		for (uint32_t i = 0; i < NET_RING; i++) {
			struct frame *frame =
				(struct frame *)(void *)(p->vnic.region + p->vnic.layout.buffers);

			net_mac(frame->to, port ? 0 : 1);
			net_mac(frame->from, port);
			frame->length = sizeof(*frame);
			frame->flow = port;
			frame->sequence = 0;
			frame->sum = sum_data(frame);
			rvif_desc_set(rvif_ring_desc(&p->tx[0], i), p->vnic.layout.buffers,
				      frame->length, 0);
		}
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i].net = net;
		workers[i].port = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work_on_one, &workers[i]),
				 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].wrong)
			fail_msg("port %u: %s", i, workers[i].wrong);
	}
	net_check_sums(net);
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_senders),
		cmocka_unit_test(one_receiver),
	};

	return cmocka_run_group_tests_name("several senders", tests, NULL, NULL);
}
