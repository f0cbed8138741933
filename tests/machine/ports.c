// SPDX-License-Identifier: Apache-2.0
/*
 * The switch in the sub contexts of eight guests.
 *
 * Each frame that is sent must arrive or be counted. A packet must cost the same with two ports as
 * with eight, and cause no exit. A sleeping receiver must get one ring. Guests die in a call,
 * during another guest's call and while they sleep, and another manager replaces the first. The
 * other ports must go on. The test compares the numbers and contents of frames. ELISA_PORTS_CYCLES
 * sets the number of deaths, ELISA_SOAK_SEED the random numbers.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "net.h"

#define BATCH  32
#define CYCLES 5
#define LONG   1514
#define SHORT  64
#define RING   256

static const struct rvif_config usual = {.tx_queues = 1,
					 .rx_queues = 1,
					 .tx_ring = RING,
					 .rx_ring = RING,
					 .max_frame = LONG,
					 .features = RVIF_F_NOTIFY};

static struct net net;
static struct nic nics[NICS];

/* Returns the next vNIC that lives; after(NULL) returns the first. */
static struct nic *after(struct nic *nic)
{
	for (nic = nic ? nic + 1 : nics; nic < &nics[NICS]; nic++)
		if (nic->vm)
			return nic;
	return NULL;
}

static uint32_t doubled(const struct nic *nic)
{
	uint32_t n = 0, from;

	for (from = 0; from < NICS; from++)
		n += nic->again[from];
	return n;
}

static void receive_all(void)
{
	struct nic *nic;

	for (nic = after(NULL); nic; nic = after(nic)) {
		nic_receive(nic);
		CHECK_EQ(doubled(nic) + nic->strangers, 0);
	}
}

/* Returns the number of frames between living ports that have not come, and forgets them. */
static uint64_t lost(void)
{
	struct nic *from, *to;
	uint64_t n = 0;

	for (to = after(NULL); to; to = after(to)) {
		n += to->missing;
		to->missing = 0;
		for (from = after(NULL); from; from = after(from)) {
			if (from == to)
				continue;
			n += from->sent[to->number] - to->expected[from->number][0];
			n += from->sent[TO_ALL] - to->expected[from->number][1];
			to->expected[from->number][0] = from->sent[to->number];
			to->expected[from->number][1] = from->sent[TO_ALL];
		}
	}
	return n;
}

static uint64_t dropped(void)
{
	struct nic *nic;
	uint64_t n = 0;

	for (nic = after(NULL); nic; nic = after(nic))
		n += nic_drops(nic);
	return n;
}

static void post_to_others(struct nic *from, uint32_t each, uint32_t length)
{
	struct nic *to;

	while (each--)
		for (to = after(NULL); to; to = after(to))
			if (to != from)
				nic_post(from, to->number, length);
}

static void all_to_all(uint32_t each, uint32_t length)
{
	struct nic *from;

	for (from = after(NULL); from; from = after(from)) {
		post_to_others(from, each, length);
		CHECK_EQ(nic_send(from), 0);
		CHECK_EQ(rvif_ring_room(&from->tx), RING);
		receive_all();
	}
}

/* ------------------------------------------------------------------- packets and their cost */

static void nothing_is_lost(void)
{
	uint64_t frames = 0, delivered = 0, received = 0, drops = dropped();
	struct rvs_stats stats;
	struct nic *nic;

	all_to_all(BATCH, SHORT);
	all_to_all(BATCH, LONG);
	CHECK_EQ(lost(), 0);
	for (nic = after(NULL); nic; nic = after(nic)) {
		nic_post(nic, TO_ALL, LONG);
		CHECK_EQ(nic_send(nic), 0);
	}
	receive_all();
	CHECK_EQ(lost(), 0);
	CHECK_EQ(dropped(), drops);
	/* a full queue: the switch counts the other frames */
	for (int n = 0; n < 2 * RING; n++) {
		nic_post(&nics[0], 1, SHORT);
		if (n % RING == RING - 1)
			CHECK_EQ(nic_send(&nics[0]), 0);
	}
	receive_all();
	CHECK_EQ(nic_stats(&nics[0]).drops[RVS_DROP_FULL], RING);
	CHECK_EQ(dropped(), drops + RING);
	CHECK_EQ(lost(), RING);
	for (nic = after(NULL); nic; nic = after(nic)) {
		stats = nic_stats(nic);
		CHECK_EQ(stats.rx_frames, nic->received);
		frames += stats.frames + stats.copies;
		delivered += stats.delivered;
		received += nic->received;
	}
	CHECK_EQ(delivered, received);
	CHECK_EQ(frames, received + dropped());
	printf("ports: %llu frames all to all, %llu received, %d drops in a full queue\n",
	       (unsigned long long)frames, (unsigned long long)received, RING);
}

/*
 * Returns the instructions of a packet in a call that forwards a batch: the least of some rounds.
 */
static double cost(void)
{
	uint64_t cycles, least = ~0ULL;
	struct outcome out;
	int i;

	for (i = 0; i < 40; i++) {
		while (rvif_ring_room(&nics[0].tx) > RING - BATCH)
			nic_post(&nics[0], 1, SHORT);
		rvif_ring_publish(&nics[0].tx);
		out = call_loop_with(nics[0].vm, 0, nics[0].slot, VMNET_FORWARD, 0, 1, &cycles);
		CHECK_EQ(out.error, ELISA_CALL_OK);
		CHECK_EQ(out.value, 0);
		nic_reap(&nics[0]);
		CHECK_EQ(nic_receive(&nics[1]), BATCH);
		least = cycles < least ? cycles : least;
	}
	return (double)least / BATCH;
}

static void no_exits(void)
{
	static const char *const kinds[] = {"exits", "irq_exits", "io_exits"};
	uint64_t count[3] = {0}, before[3];
	const uint32_t rounds = 40, packets = rounds * RING;
	struct nic *nic = &nics[0];
	struct outcome out;
	uint32_t i, k;

	for (i = 0; i < rounds; i++) {
		while (rvif_ring_room(&nic->tx))
			nic_post(nic, 1, SHORT);
		rvif_ring_publish(&nic->tx);
		for (k = 0; k < 3; k++)
			before[k] = vcpu_stat(nic->vm, 0, kinds[k]);
		out = call_loop_with(nic->vm, 0, nic->slot, VMNET_FORWARD, 0, RING / VMNET_BUDGET,
				     NULL);
		CHECK_EQ(out.error, ELISA_CALL_OK);
		CHECK_EQ(out.value, 0);
		for (k = 0; k < 3; k++)
			count[k] += vcpu_stat(nic->vm, 0, kinds[k]) - before[k];
		nic_reap(nic);
		CHECK_EQ(nic_receive(&nics[1]), RING);
	}
	CHECK_EQ(count[2], rounds); /* the OUT at the end of each loop */
	count[0] -= count[1] + count[2];
	printf("result ports_exits=%llu of %u packets, and %llu interrupts\n",
	       (unsigned long long)count[0], packets, (unsigned long long)count[1]);
	CHECK(count[0] * 100 <= packets);
}

/*
 * Two guests send many batches to a sleeping guest, which gets one ring. Awake, it gets none; in
 * its next sleep, one again.
 */
static void sleepers_are_rung_once(void)
{
	const uint64_t rings = counter(ELISA_COUNT_RINGS);
	struct nic *sleeper = &nics[5];
	uint32_t i, seen;

	for (i = 0; i < 30; i++) {
		if (i % 15 == 0)
			CHECK(rvif_ring_may_sleep(&sleeper->rx, &seen));
		nic_post(&nics[i % 2], sleeper->number, SHORT);
		nic_post(&nics[i % 2], sleeper->number, LONG);
		CHECK_EQ(nic_send(&nics[i % 2]), 0);
		CHECK_EQ(counter(ELISA_COUNT_RINGS), rings + 1 + i / 15);
		if (i % 15 == 10) {
			rvif_ring_awake(&sleeper->rx);
			CHECK_EQ(nic_receive(sleeper), 2 * 11);
		}
		if (i % 15 > 10)
			CHECK_EQ(nic_receive(sleeper), 2);
	}
	CHECK_EQ(lost(), 0);
}

/* ---------------------------------------------------------------------------------- deaths */

/* Brings the vCPU into a call that forwards frames to all other ports. */
static void enter(struct nic *nic)
{
	do {
		receive_all();
		nic_reap(nic);
		while (rvif_ring_room(&nic->tx) > RING - 50)
			post_to_others(nic, 1, LONG);
		rvif_ring_publish(&nic->tx);
	} while (!nic_enter(nic, 0));
}

static void dies_sending(struct nic *nic)
{
	enter(nic);
	nic_kill(nic);
}

/*
 * The receiver dies during a call. The call goes on and writes to the page that has replaced the
 * memory.
 */
static void dies_under_a_sender(struct nic *nic)
{
	struct nic *sender = &nics[(nic->number + 1) % NICS];
	struct outcome out;

	enter(sender);
	nic_kill(nic);
	out = finish(sender->vm, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	CHECK_EQ(nic_send(sender), 0);
}

static void dies_sleeping(struct nic *nic)
{
	struct nic *sender;
	uint32_t seen;

	CHECK(rvif_ring_may_sleep(&nic->rx, &seen));
	nic_kill(nic);
	for (sender = after(NULL); sender; sender = after(sender)) {
		nic_post(sender, nic->number, LONG);
		CHECK_EQ(nic_send(sender), 0);
	}
}

/*
 * A VMM ends its guest's call. No port dies, and the switch serves this port again when the manager
 * has seen the event.
 */
static void is_aborted(struct nic *nic)
{
	const uint64_t before = dropped();
	struct kvm_regs regs;
	struct outcome out;

	enter(nic);
	CHECK(!ioctl(nic->vm->vcpu[0], KVM_GET_REGS, &regs));
	out = finish(nic->vm, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_VMM);
	CHECK_EQ(nic_call(nic, VMNET_FORWARD, 0).value, -VMNET_STOPPED);
	CHECK_EQ(net_manage(&net), NICS);
	CHECK_EQ(nic_send(nic), 0);
	receive_all();
	CHECK_EQ(lost(), dropped() - before);
}

/*
 * A VMM stops its vCPU in the middle of a delivery. The host ends the call and the manager frees
 * the call's locks. The other ports go on before the vCPU has run again.
 */
static void is_frozen(struct nic *nic)
{
	struct nic *from = &nics[(nic->number + 1) % NICS], *to = &nics[(nic->number + 2) % NICS];
	const struct vmnet_sender *sender = &net.state->port[nic->place].sender[0];
	const uint64_t before = dropped();
	struct outcome out;
	double began;

	enter(nic);
	began = now_us();
	while (sender->inside) {
		CHECK(now_us() - began < 2000.0 * SUSPEND_MS);
		usleep(10000);
		CHECK_EQ(net_manage(&net), NICS);
	}
	nic_receive(to);
	nic_post(from, to->number, LONG);
	CHECK_EQ(nic_send(from), 0);
	CHECK_EQ(nic_receive(to), 1);
	out = finish(nic->vm, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(nic_send(nic), 0);
	receive_all();
	CHECK_EQ(lost(), dropped() - before);
}

static void next_one(struct nic *nic)
{
	const uint32_t place = nic->place;
	struct nic *other;

	nic_open(nic, &net, nic->number, &usual);
	CHECK_EQ(nic->place, place);
	for (other = after(NULL); other; other = after(other)) {
		other->expected[nic->number][0] = other->expected[nic->number][1] = 0;
		nic->expected[other->number][0] = other->sent[nic->number];
		nic->expected[other->number][1] = other->sent[TO_ALL];
	}
}

/* Returns how many frames were dropped at locks of the dead port before the manager knew. */
static uint64_t cycle(struct nic *nic, void (*how)(struct nic *nic))
{
	uint64_t before, cost_by_locks;

	how(nic);
	receive_all();
	CHECK_EQ(lost(), 0);
	before = dropped();
	all_to_all(1, SHORT);
	cost_by_locks = dropped() - before;
	CHECK_EQ(lost(), cost_by_locks);
	CHECK_EQ(net_manage(&net), nic->vm ? NICS : NICS - 1);
	before = dropped();
	all_to_all(2, LONG);
	CHECK_EQ(lost(), 0);
	CHECK_EQ(dropped(), before);
	if (!nic->vm)
		next_one(nic);
	before = dropped();
	all_to_all(2, SHORT);
	CHECK_EQ(lost(), 0);
	CHECK_EQ(dropped(), before);
	return cost_by_locks;
}

static void deaths(unsigned long cycles)
{
	static void (*const ways[])(struct nic * nic) = {dies_sending, dies_under_a_sender,
							 dies_sleeping, is_aborted, is_frozen};
	uint64_t by_locks = 0;
	unsigned long i;

	for (i = 0; i < cycles; i++)
		by_locks += cycle(&nics[random() % NICS], ways[i % 5]);
	printf("result ports_cycles=%lu, %llu frames dropped at locks of the dead\n", cycles,
	       (unsigned long long)by_locks);
}

/* ------------------------------------------------------------------------- another manager */

/* The next manager delivers the posted frames, from the descriptor at which the first one ended. */
static void another_manager(bool vm_ends, uint32_t places)
{
	uint64_t missing;
	struct nic *nic;

	all_to_all(3, LONG);
	for (nic = after(NULL); nic; nic = after(nic)) {
		post_to_others(nic, 1, LONG);
		rvif_ring_publish(&nic->tx);
	}
	enter(&nics[0]);
	if (vm_ends) {
		vm_free(net.manager);
		net.manager = NULL;
	} else {
		net_close(&net);
	}
	CHECK_EQ(finish(nics[0].vm, 0).error, ELISA_CALL_REVOKED);
	for (nic = after(NULL); nic; nic = after(nic))
		CHECK_EQ(nic_send(nic), -ENOTCONN);
	net_open(&net, places);
	for (nic = after(NULL); nic; nic = after(nic)) {
		CHECK_EQ(rvif_reconnect(&nic->vnic), 1);
		CHECK_EQ(rvif_attached(&nic->vnic), 0);
		CHECK_EQ(nic_send(nic), -EAGAIN);
	}
	CHECK_EQ(net_manage(&net), NICS);
	for (nic = after(NULL); nic; nic = after(nic)) {
		CHECK_EQ(rvif_attached(&nic->vnic), 1);
		CHECK_EQ(nic_send(nic), 0);
	}
	/* some frames of the batch that the call was forwarding may be lost */
	receive_all();
	missing = lost();
	CHECK(missing <= VMNET_BUDGET);
	all_to_all(2, LONG);
	CHECK_EQ(lost(), 0);
	printf("ports: another manager%s, %llu frames of the call that was cut off lost\n",
	       vm_ends ? "'s VM" : "", (unsigned long long)missing);
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
	const unsigned long seed = number("ELISA_SOAK_SEED", 1);
	double two, eight, idle;
	uint32_t i;

	printf("ports: ELISA_SOAK_SEED=%lu\n", seed);
	srandom(seed);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	net_open(&net, NICS + 1);
	for (i = 0; i < 2; i++)
		nic_open(&nics[i], &net, i, &usual);
	two = cost();
	for (; i < NICS; i++)
		nic_open(&nics[i], &net, i, &usual);
	eight = cost();
	nothing_is_lost();
	no_exits();
	sleepers_are_rung_once();
	deaths(number("ELISA_PORTS_CYCLES", CYCLES));
	another_manager(false, NICS + 1);
	another_manager(true, NET_PLACES);
	idle = cost();
	printf("result ports_insns_per_packet=%.1f with 2 ports, %.1f with 8, "
	       "%.1f with 16 more that no VM has\n",
	       two, eight, idle);
	CHECK(eight <= 1.1 * two && idle <= 1.1 * two);
	for (i = 0; i < NICS; i++) {
		nic_untouched(&nics[i]);
		nic_kill(&nics[i]);
	}
	vm_free(net.manager);
	until_pages_held(0);
	CHECK_EQ(module_unload(), 0);
	CHECK_EQ(module_load(), 0);
	return 0;
}
