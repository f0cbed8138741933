// SPDX-License-Identifier: Apache-2.0
/*
 * The guests' part of net.h: a transport that makes calls from harness VMs, as lib/rvif/elisa.c
 * does. The receiver knows each byte of a frame.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "net.h"

#define SHORTEST 64
#define GAP	 1536 /* offset behind the longest frame of a buffer */

/* ------------------------------------------------------------------------------- transport */

struct outcome nic_call(struct nic *nic, long op, long a1)
{
	struct outcome out = call(nic->vm, 0, nic->slot, op, a1, 0);

	CHECK_EQ(out.exit, 0);
	return out;
}

static struct nic *nic_of(struct rvif_vnic *vnic)
{
	return (struct nic *)(void *)((uint8_t *)vnic - offsetof(struct nic, vnic));
}

static int errno_of(const struct outcome *out)
{
	if (out->error == ELISA_CALL_REVOKED)
		return -ENOTCONN;
	return out->error ? -EIO : 0;
}

static int op(struct rvif_vnic *vnic, long which)
{
	struct outcome out = nic_call(nic_of(vnic), which, VMNET_VERSION);

	return out.value ? -EPROTO : errno_of(&out);
}

static void join_net(struct nic *nic)
{
	struct elisa_hc_donate *donate = &nic->vm->page->donate;
	uint32_t i;

	nic->slot = attach(nic->vm, NET_NAME, NET_STUB, 0);
	nic->place = nic->vm->page->attach.place;
	memset(nic->vm->page, 0, PAGE_SIZE);
	donate->slot = nic->slot;
	donate->count = nic->vnic.size / PAGE_SIZE;
	CHECK(donate->count <= ELISA_HC_DONATE_PAGES);
	for (i = 0; i < donate->count; i++)
		donate->gpa[i] = VNIC_GPA + i * PAGE_SIZE;
	CHECK_EQ(hypercall(nic->vm, 0, ELISA_HC_DONATE), 0);
}

static int over_harness_open(struct rvif_vnic *vnic, const char *where)
{
	(void)where;
	vnic->region = nic_of(vnic)->vm->memory + VNIC_GPA;
	join_net(nic_of(vnic));
	return 0;
}

static int over_harness_announce(struct rvif_vnic *vnic)
{
	return op(vnic, VMNET_JOIN);
}

static int over_harness_kick(struct rvif_vnic *vnic, uint32_t queue)
{
	struct outcome out;
	long before = 0;

	for (;;) {
		out = nic_call(nic_of(vnic), VMNET_FORWARD, queue);
		if (out.error || out.value <= 0 || out.value == before)
			return out.value < 0 ? -EAGAIN : errno_of(&out);
		before = out.value;
	}
}

static int over_harness_changed(struct rvif_vnic *vnic)
{
	return op(vnic, VMNET_CHANGED);
}

static int over_harness_reconnect(struct rvif_vnic *vnic)
{
	struct nic *nic = nic_of(vnic);
	int error = op(vnic, VMNET_JOIN);

	if (error != -ENOTCONN)
		return error;
	CHECK_EQ(detach(nic->vm, 0, nic->slot), 0);
	rvif_store(&rvif_header(vnic)->sw.state, RVIF_SWITCH_DETACHED);
	join_net(nic);
	error = op(vnic, VMNET_JOIN);
	return error ? error : 1;
}

static const struct rvif_transport over_harness = {
	.name = "harness",
	.open = over_harness_open,
	.announce = over_harness_announce,
	.kick = over_harness_kick,
	.changed = over_harness_changed,
	.reconnect = over_harness_reconnect,
};

/* ---------------------------------------------------------------------------------- guests */

static uint32_t tx_buffer(const struct nic *nic, uint32_t i)
{
	return nic->vnic.layout.buffers + (i & nic->tx.mask) * BUFFER;
}

static uint32_t rx_buffer(const struct nic *nic, uint32_t i)
{
	return tx_buffer(nic, 0) + (nic->tx.mask + 1 + (i & nic->rx.mask)) * BUFFER;
}

/*
 * Calls @what for each word behind the longest frame of a buffer. The switch does not write there,
 * and no other port sees these words.
 */
static void each_gap(struct nic *nic, void (*what)(uint64_t *word))
{
	const uint32_t end = rx_buffer(nic, nic->rx.mask) + BUFFER;
	uint32_t at, i;

	for (at = tx_buffer(nic, 0); at < end; at += BUFFER)
		for (i = GAP; i < BUFFER; i += 8)
			what((uint64_t *)(void *)(nic->vnic.region + at + i));
}

static void set_gap(uint64_t *word)
{
	*word = SECRET;
}

static void check_gap(uint64_t *word)
{
	CHECK_EQ(*word, SECRET);
}

void nic_untouched(struct nic *nic)
{
	each_gap(nic, check_gap);
}

void nic_connect(struct nic *nic, struct net *net, uint32_t number,
		 const struct rvif_config *config)
{
	struct vm *vm = nic->vm ? nic->vm : vm_new(1);

	memset(nic, 0, sizeof(*nic));
	nic->net = net;
	nic->vm = vm;
	nic->number = number;
	nic->known = (1 << NICS) - 1;
	CHECK_EQ(rvif_open(&nic->vnic, &over_harness, "", config), 0);
}

void nic_open(struct nic *nic, struct net *net, uint32_t number, const struct rvif_config *how)
{
	struct rvif_config config = *how;

	config.mac[0] = 2;
	config.mac[5] = number;
	config.buffer_size = BUFFER;
	CHECK_EQ(rvif_configure(&config, (config.tx_ring + config.rx_ring) * BUFFER), 0);
	nic_connect(nic, net, number, &config);
	rvif_start(&nic->vnic);
	rvif_tx_ring_init(&nic->tx, &nic->vnic, 0);
	rvif_rx_ring_init(&nic->rx, &nic->vnic, 0);
	for (; nic->rx.posted <= nic->rx.mask; nic->rx.posted++)
		rvif_ring_desc(&nic->rx, nic->rx.posted)->offset = rx_buffer(nic, nic->rx.posted);
	rvif_ring_publish(&nic->rx);
	each_gap(nic, set_gap);
	net_manage(net);
	CHECK_EQ(rvif_attached(&nic->vnic), 1);
}

void nic_kill(struct nic *nic)
{
	vm_free(nic->vm);
	nic->vm = NULL;
}

static void fill(uint8_t *frame, uint32_t to, uint32_t from, uint32_t which, uint32_t length)
{
	const uint64_t key =
		((uint64_t)which << 32 | from << 16 | to << 8 | 1) * 0x9e3779b97f4a7c15ULL;
	const uint8_t head[] = {2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5};
	uint64_t word = key;
	uint32_t i;

	for (i = 0; i < length; i += 8, word += key)
		memcpy(frame + i, &word, 8);
	memcpy(frame, head, sizeof(head));
	if (to == TO_ALL)
		memset(frame, 0xff, 6);
	frame[14] = length >> 8;
	frame[15] = length & 0xff;
	memcpy(frame + 16, &which, sizeof(which));
}

void nic_post(struct nic *nic, uint32_t to, uint32_t length)
{
	const uint32_t at = tx_buffer(nic, nic->tx.posted);

	CHECK(rvif_ring_room(&nic->tx));
	fill(nic->vnic.region + at, to, nic->number, nic->sent[to]++, length);
	rvif_desc_set(rvif_ring_desc(&nic->tx, nic->tx.posted++), at, length, 0);
}

void nic_reap(struct nic *nic)
{
	nic->tx.reaped += rvif_ring_completed(&nic->tx);
}

int nic_send(struct nic *nic)
{
	int error;

	rvif_ring_publish(&nic->tx);
	error = rvif_ring_kick_wanted(&nic->tx, 0) ? over_harness_kick(&nic->vnic, 0) : 0;
	nic_reap(nic);
	return error;
}

/* Checks that each byte is as the frame's sender, receiver and number say. */
static void check_frame(struct nic *nic, const uint8_t *frame, uint32_t length)
{
	static const uint64_t secret = SECRET;
	const bool to_all = frame[0] == 0xff;
	uint8_t wanted[BUFFER];
	uint32_t from, which, *expected;

	CHECK(length >= RVIF_MIN_FRAME);
	from = frame[11];
	if (memcmp(frame + 6, "\2\0\0\0", 5) || from >= NICS || !(nic->known & 1 << from)) {
		CHECK(!memmem(frame, length, &secret, sizeof(secret)));
		nic->strangers++;
		return;
	}
	CHECK(from != nic->number);
	CHECK(length >= SHORTEST);
	memcpy(&which, frame + 16, sizeof(which));
	fill(wanted, to_all ? TO_ALL : nic->number, from, which, length);
	CHECK(!memcmp(frame, wanted, length));
	expected = &nic->expected[from][to_all];
	if (which < *expected) {
		nic->again[from]++;
		return;
	}
	nic->missing += which - *expected;
	*expected = which + 1;
	nic->received++;
}

uint32_t nic_receive(struct nic *nic)
{
	const uint32_t ready = rvif_ring_completed(&nic->rx);
	uint32_t i;

	for (i = 0; i < ready; i++) {
		const struct rvif_desc *desc = rvif_ring_desc(&nic->rx, nic->rx.reaped);

		CHECK_EQ(desc->offset, rx_buffer(nic, nic->rx.reaped));
		CHECK(desc->length <= BUFFER && !desc->flags);
		check_frame(nic, nic->vnic.region + desc->offset, desc->length);
		nic->rx.reaped++;
	}
	nic->rx.posted += ready;
	rvif_ring_publish(&nic->rx);
	return ready;
}

bool nic_inside(struct nic *nic)
{
	return *(volatile uint32_t *)&nic->net->state->port[nic->place].sender[0].inside;
}

bool nic_enter(struct nic *nic, uint32_t queue)
{
	/*
	 * How long a vCPU takes to enter a call depends on the kernel, so the test finds it by
	 * trying.
	 */
	static long us = 200;
	int error;

	start_call(nic->vm, 0, nic->slot, VMNET_FORWARD, queue, 0);
	for (;;) {
		timer(us - us / 4 + random() % (us / 2), 0);
		error = run_once(nic->vm, 0);
		if (!error || nic_inside(nic))
			break;
		us += us / 8;
		CHECK(us < 500000);
	}
	timer(0, 0);
	if (!error)
		us -= us / 8;
	return error;
}

struct rvs_stats nic_stats(struct nic *nic)
{
	struct rvs_stats stats;

	CHECK_EQ(rvs_port_stats(nic->net->rvs, nic->place, &stats), 0);
	return stats;
}

uint64_t nic_drops(struct nic *nic)
{
	const struct rvs_stats stats = nic_stats(nic);
	uint64_t drops = 0;
	int reason;

	for (reason = 0; reason < RVS_DROPS; reason++)
		drops += stats.drops[reason];
	CHECK_EQ(stats.frames + stats.copies, stats.delivered + drops);
	return drops;
}
