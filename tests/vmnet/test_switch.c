/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The export's code in this process: the object area, the places and the
 * host's page are mapped where a sub context has them. Who may do what,
 * whom a port serves, and what becomes of calls that stop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <elisa/function.h>
#include "internal.h"
#include <rvif/driver.h>
#include "vmnet.h"

#define PORTS	   4 /* and the manager's */
#define PLACE_SIZE (1ull << 20)
#define RING	   8

long entry_function(long op, long a1, long a2, long a3, long a4, long a5);

static struct elisa_self *self;
static struct vmnet_state *state;
static struct rvs *rvs;

static uint32_t rung[PORTS + 1]; /* how often */
static uint32_t wanted;		 /* features of the vNICs that are made */

const struct elisa_self *elisa_self(void)
{
	return self;
}

void elisa_ring(uint32_t place)
{
	assert_in_range(place, 0, PORTS);
	rung[place]++;
}

static void *map(uint64_t address, size_t size)
{
	void *at = mmap((void *)(uintptr_t)address, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(at, (void *)(uintptr_t)address);
	return at;
}

static const struct rvs_config sizes = {
	.ports = PORTS + 1,
	.senders = (PORTS + 1) * VMNET_VCPUS,
	.queues = 2,
	.buckets = 64,
	.max_age = 300,
};

static int start(void **unused)
{
	const uint64_t head = 65536, size = head + rvs_size(&sizes);

	(void)unused;
	self = map(ELISA_SELF_ADDRESS, 4096);
	state = map(ELISA_OBJECT_BASE + VMNET_SWITCH_OFFSET, size);
	map(ELISA_OBJECT_BASE + VMNET_PLACES_OFFSET, (PORTS + 1) * PLACE_SIZE);
	rvs = (struct rvs *)(void *)((uint8_t *)state + head);
	assert_int_equal(rvs_init(rvs, size - head, &sizes), 0);
	state->switch_offset = head;
	state->place_size = PLACE_SIZE;
	state->ports = PORTS + 1;
	for (uint32_t place = 1; place <= PORTS; place++) {
		state->port[place].enabled = 1;
		state->port[place].policy.flags = RVS_CHECK_SOURCE | RVS_KICK;
	}
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	munmap(self, 4096);
	munmap(state, 65536 + rvs_size(&sizes));
	munmap((void *)(uintptr_t)(ELISA_OBJECT_BASE + VMNET_PLACES_OFFSET),
	       (PORTS + 1) * PLACE_SIZE);
	return 0;
}

/* As whom the next call is made. */
static void as(uint32_t place, uint64_t attachment, uint32_t vcpu)
{
	*self = (struct elisa_self){.attachment = attachment,
				    .donated = place ? PLACE_SIZE / 2 : 0,
				    .place = place,
				    .vcpu = vcpu};
}

static long manager(long op, long a1, long a2, long a3, long a4)
{
	const struct elisa_self before = *self;
	long value;

	as(VMNET_MANAGER, 1, 0);
	value = entry_function(op, a1, a2, a3, a4, 0);
	*self = before;
	return value;
}

struct nic {
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
};

static uint32_t buffer(const struct nic *nic, uint32_t i)
{
	return nic->vnic.layout.buffers + i * 2048;
}

/* A vNIC in the place's memory, as a driver in the guest would make it, up. */
static void make_nic(struct nic *nic, uint32_t place)
{
	struct rvif_config config = {.tx_queues = 1,
				     .rx_queues = 1,
				     .tx_ring = RING,
				     .rx_ring = RING,
				     .buffer_size = 2048,
				     .max_frame = 1514,
				     .features = wanted,
				     .mac = {2, 0, 0, 0, 0, (uint8_t)place}};

	memset(nic, 0, sizeof(*nic));
	nic->vnic.transport = &rvif_private_memory;
	assert_int_equal(rvif_configure(&config, 2 * RING * 2048), 0);
	nic->vnic.config = config;
	assert_int_equal(rvif_layout(&config, &nic->vnic.layout), RVIF_OK);
	nic->vnic.region = (uint8_t *)(uintptr_t)(ELISA_OBJECT_BASE + VMNET_PLACES_OFFSET +
						  place * PLACE_SIZE);
	nic->vnic.size = config.region_size;
	rvif_header(&nic->vnic)->config = config;
	rvif_start(&nic->vnic);
	rvif_tx_ring_init(&nic->tx, &nic->vnic, 0);
	rvif_rx_ring_init(&nic->rx, &nic->vnic, 0);
	for (uint32_t i = 0; i < RING; i++)
		rvif_ring_desc(&nic->rx, i)->offset = buffer(nic, RING + i);
	nic->rx.posted = RING;
	rvif_ring_publish(&nic->rx);
}

static void post(struct nic *nic, uint32_t to, uint32_t from)
{
	const uint32_t i = nic->tx.posted++;
	uint8_t *frame = nic->vnic.region + buffer(nic, i % RING);

	memset(frame, 0, 64);
	memcpy(frame, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)to}, 6);
	memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)from}, 6);
	rvif_desc_set(rvif_ring_desc(&nic->tx, i), buffer(nic, i % RING), 64, 0);
	rvif_ring_publish(&nic->tx);
}

static long forward(uint32_t place, uint64_t attachment, uint32_t vcpu)
{
	as(place, attachment, vcpu);
	return entry_function(VMNET_FORWARD, 0, 0, 0, 0, 0);
}

/* Attachment 10 + place, joined and up. */
static void bring_up(struct nic *nic, uint32_t place)
{
	make_nic(nic, place);
	as(place, 10 + place, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, place, 0, 0, 0), VMNET_WENT_UP);
	assert_int_equal(rvif_attached(&nic->vnic), 1);
}

static void frames_go_from_port_to_port(void **unused)
{
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	post(&a, 2, 1);
	post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&a.tx), 2);
	assert_int_equal(rvif_ring_completed(&b.rx), 2);
	/* from an address that is not its own */
	post(&a, 2, 9);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 2);
	assert_int_equal(rvif_ring_kick_wanted(&a.tx, 0), 1);
}

/* A guest's frames wait for a receiver without room if it says so: in its own ring, so that others'
 * calls go on; the next call may take them. */
static void frames_wait_in_the_guest(void **unused)
{
	struct nic a, b, c;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	bring_up(&c, 3);
	for (int i = 0; i < RING; i++)
		post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 0), 0);
	post(&a, 2, 1);
	post(&a, 2, 1);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_FORWARD, VMNET_HOLD, 0, 0, 0, 0), VMNET_HOLD + 2);
	assert_int_equal(rvif_ring_completed(&a.tx), RING);
	post(&c, 1, 3);
	assert_int_equal(forward(3, 13, 0), 0);
	assert_int_equal(rvif_ring_completed(&a.rx), 1);
	/* another caller without patience loses its frames, not those that wait */
	post(&c, 2, 3);
	assert_int_equal(forward(3, 13, 0), 0);
	rvif_ring_desc(&b.rx, b.rx.posted)->offset = buffer(&b, RING);
	b.rx.posted++;
	rvif_ring_publish(&b.rx);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_FORWARD, VMNET_HOLD, 0, 0, 0, 0), VMNET_HOLD + 1);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(entry_function(VMNET_FORWARD, VMNET_HOLD + 1, 0, 0, 0, 0), -RVS_BAD_QUEUE);
}

/*
 * The manager wants a port down while its guest is in a call. What is said of the port meanwhile
 * does not take that back: no other call begins under the old policy, and the port comes up under
 * the new one.
 */
static void a_port_that_is_busy_goes_down_later(void **unused)
{
	struct rvs_txq *held = rvs_txq_at(rvs, 1 * sizes.queues);
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	rvif_header(&a.vnic)->config.any_mac = 1;
	held->lock = VMNET_VCPUS + 1; /* by its first vCPU's sender */
	state->port[1].enabled = 0;
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	state->port[1].policy.mac[0] = 2;
	state->port[1].policy.mac[5] = 7;
	state->port[1].enabled = 1;
	post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 1), -VMNET_NOT_SERVED);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	held->lock = 0;
	assert_int_equal(forward(1, 11, 1), -VMNET_NOT_SERVED);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 0);
	post(&a, 2, 7);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 1);
}

static void guests_manage_nothing(void **unused)
{
	(void)unused;
	as(1, 11, 0);
	for (long op = VMNET_OPS_OF_GUESTS; op < VMNET_OPS_OF_GUESTS + 8; op++)
		assert_int_equal(entry_function(op, 1, 0, 0, 0, 0), -VMNET_BAD_OP);
	assert_int_equal(entry_function(-1, 0, 0, 0, 0, 0), -VMNET_BAD_OP);
	as(ELISA_NO_PLACE, 12, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), -VMNET_NOT_SERVED);
	as(PORTS + 1, 12, 0);
	assert_int_equal(entry_function(VMNET_FORWARD, 0, 0, 0, 0, 0), -VMNET_NOT_SERVED);
	/* nor is the manager right about everything */
	assert_int_equal(manager(VMNET_LOOK, PORTS + 1, 0, 0, 0), -RVS_BAD_PORT);
	assert_int_equal(manager(VMNET_LOOK, -1, 0, 0, 0), -RVS_BAD_PORT);
	assert_int_equal(manager(VMNET_STATIC + 1, 1, 0, 0, 0), -VMNET_BAD_OP);
}

/* Guest, code and daemon have to speak of the same things. */
static void versions_differ(void **unused)
{
	static const long others[] = {0, VMNET_VERSION + 1, -1, VMNET_VERSION + (1l << 32)};
	struct nic a;

	(void)unused;
	make_nic(&a, 1);
	as(1, 11, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(entry_function(VMNET_JOIN, others[i], 0, 0, 0, 0),
				 -(VMNET_OTHER_VERSION + (VMNET_VERSION << 16)));
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_ASK_VERSION, 0, 0, 0, 0, 0), -VMNET_BAD_OP);
	assert_int_equal(manager(VMNET_ASK_VERSION, 0, 0, 0, 0), VMNET_SWITCH_VERSION);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
}

static void nothing_is_served_that_was_not_donated(void **unused)
{
	struct nic a;

	(void)unused;
	make_nic(&a, 1);
	as(1, 11, 0);
	self->donated = 0;
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0),
			 -VMNET_NOTHING_DONATED);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	/* less than its vNIC says */
	self->donated = a.vnic.size - 4096;
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_REFUSED + (RVIF_BAD_SIZE << 8));
	assert_int_equal(rvif_attached(&a.vnic), -RVIF_BAD_SIZE);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
}

static void the_next_one_waits_for_the_end_of_the_last(void **unused)
{
	struct nic a, b, c;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	/* the first one's end has not been seen yet, and its place has a new owner */
	make_nic(&c, 1);
	as(1, 77, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	assert_int_equal(forward(1, 77, 0), -VMNET_NOT_SERVED);
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	post(&c, 2, 1);
	assert_int_equal(forward(1, 77, 0), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 1);
	/* a second time it is nobody's end */
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_UP);
	/* one that goes before it was served is not served afterwards */
	assert_int_equal(manager(VMNET_GONE, 1, 77, 0, 0), 0);
	as(1, 78, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_GONE, 1, 78, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
}

/* The end of the last one is heard of late, or never: the next VM has nothing of it, neither
 * address nor counters nor what its stopped calls held, and it has nothing of the next one's. */
static void nothing_passes_to_the_next_one(void **unused)
{
	struct rvs_port_info info;
	struct rvs_entry entries[4];
	struct rvs_stats stats;
	uint64_t position = 0;
	struct nic a, b, c;

	(void)unused;
	state->port[1].policy.flags = RVS_KICK;
	state->port[1].policy.max_learned = 4;
	bring_up(&a, 1);
	bring_up(&b, 2);
	post(&a, 2, 1);
	post(&a, 2, 9); /* learned */
	assert_int_equal(forward(1, 11, 0), 0);
	rvs_port_info(rvs, 1, &info);
	assert_int_equal(info.learned, 1);
	state->port[1].sender[3].inside = 1;
	state->port[1].sender[3].aborts = 7;
	rvs_rxq_at(rvs, 2 * sizes.queues)->lock = 1 * VMNET_VCPUS + 3 + 1;

	/* the next one has the place, and its vNIC another address */
	make_nic(&c, 1);
	rvif_header(&c.vnic)->config.mac[5] = 7;
	rvif_store(&rvif_header(&c.vnic)->driver.state, RVIF_DRIVER_DOWN);
	as(1, 77, 3);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 1);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	rvs_port_stats(rvs, 1, &stats);
	assert_int_equal(stats.frames, 0);
	assert_int_equal(stats.delivered, 0);
	rvs_port_info(rvs, 1, &info);
	assert_int_equal(info.learned, 0);
	assert_false(rvif_mac_is_station(info.mac));
	assert_int_equal(rvs_table_dump(rvs, &position, entries, 4), 1); /* the second port's */
	assert_int_equal(entries[0].port, 2);

	rvif_start(&c.vnic);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	post(&c, 2, 7);
	assert_int_equal(forward(1, 77, 3), 0);
	assert_int_equal(rvif_ring_completed(&b.rx), 3);
	/* what comes late of the last one is of none */
	state->port[1].sender[3].inside = 1;
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 8, 11), 0);
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 0);
	assert_int_equal(state->port[1].sender[3].inside, 1);
	assert_int_equal(state->port[1].serving, 77);
}

static void up_and_down_as_the_driver_says(void **unused)
{
	struct nic a;

	(void)unused;
	bring_up(&a, 1);
	rvif_store(&rvif_header(&a.vnic)->driver.state, RVIF_DRIVER_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
	rvif_start(&a.vnic);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	rvif_start(&a.vnic); /* anew, between two looks */
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_UP);
	state->port[1].enabled = 0;
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_WENT_DOWN);
	assert_int_equal(manager(VMNET_LOOK, 1, 0, 0, 0), VMNET_DOWN);
}

static void a_call_that_stopped_is_cleaned_up_once(void **unused)
{
	struct vmnet_sender *sender = &state->port[1].sender[3];
	struct nic a;

	(void)unused;
	bring_up(&a, 1);
	/* stopped in the middle: the host has counted its abort */
	sender->inside = 1;
	sender->aborts = 4;
	as(1, 11, 3);
	self->aborts = 5;
	assert_int_equal(entry_function(VMNET_FORWARD, 0, 0, 0, 0, 0), -VMNET_STOPPED);
	/* other vCPUs of the guest go on */
	assert_int_equal(forward(1, 11, 2), 0);
	/* an older abort, another attachment's, another vCPU's: not this call */
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 4, 11), 0);
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 5, 10), 0);
	assert_int_equal(manager(VMNET_ABORTED, 1, 2, 5, 11), 0);
	assert_int_equal(manager(VMNET_ABORTED, 1, 1000, 5, 11), 0);
	assert_int_equal(sender->inside, 1);
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 5, 11), 0);
	assert_int_equal(sender->inside, 0);
	assert_int_equal(forward(1, 11, 3), 0);
	/* a vCPU that there is no room for */
	assert_int_equal(forward(1, 11, VMNET_VCPUS), -VMNET_TOO_MANY_VCPUS);
}

/* Of what a stopped call held, only others' queues are told, and of its own port: the receiver has
 * nothing to do with it. */
static void what_a_stopped_call_took_from_others(void **unused)
{
	struct rvs_txq *own_queue = rvs_txq_at(rvs, 1 * sizes.queues);
	struct rvs_rxq *others = rvs_rxq_at(rvs, 2 * sizes.queues);
	const uint32_t lock = 1 * VMNET_VCPUS + 3 + 1;
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	state->port[1].sender[3].inside = 1;
	own_queue->lock = lock;
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 1, 11), 0);
	assert_int_equal(own_queue->lock, 0);
	state->port[1].sender[3].inside = 1;
	own_queue->lock = others->lock = lock;
	assert_int_equal(manager(VMNET_ABORTED, 2, 3, 1, 12), 0);
	assert_int_equal(manager(VMNET_GONE, 2, 12, 0, 0), 0);
	assert_int_equal(others->lock, lock);
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 1, 11), 1);
	assert_int_equal(others->lock, 0);
	state->port[1].sender[3].inside = 1;
	own_queue->lock = others->lock = lock;
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 1);
	assert_int_equal(others->lock, 0);
}

/* Sleepers are rung once, the manager when somebody joins or changes, all
 * when a call was stopped. */
static void who_is_rung(void **unused)
{
	struct nic a, b;
	uint32_t seen;

	(void)unused;
	for (uint32_t place = 1; place <= PORTS; place++)
		state->port[place].policy.features = RVIF_F_NOTIFY;
	memset(rung, 0, sizeof(rung));
	wanted = RVIF_F_NOTIFY;
	bring_up(&a, 1);
	bring_up(&b, 2);
	wanted = 0;
	assert_int_equal(rung[VMNET_MANAGER], 2);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(rung[VMNET_MANAGER], 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(entry_function(VMNET_CHANGED, 0, 0, 0, 0, 0), 0);
	assert_int_equal(rung[VMNET_MANAGER], 3);
	post(&a, 2, 1);
	assert_int_equal(forward(1, 11, 0), 0);
	assert_int_equal(rung[2], 0);
	b.rx.reaped = 1;
	assert_true(rvif_ring_may_sleep(&b.rx, &seen));
	for (int i = 0; i < 3; i++) {
		post(&a, 2, 1);
		assert_int_equal(forward(1, 11, 0), 0);
		assert_int_equal(rung[2], 1);
	}
	/* whoever was stopped may not have come to ring */
	state->port[1].sender[3].inside = 1;
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 1, 11), 0);
	assert_int_equal(manager(VMNET_WAKE, 0, 0, 0, 0), 0);
	assert_int_equal(rung[1], 1);
	assert_int_equal(rung[2], 2);
	assert_int_equal(rung[3], 0);
}

static void static_addresses(void **unused)
{
	const long mac = 0x7700000002; /* 02:00:00:00:77:00 */
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	assert_int_equal(manager(VMNET_STATIC, 2, mac, 1, 0), 0);
	assert_int_equal(manager(VMNET_STATIC, 1, mac, 1, 0), -RVS_EXISTS);
	assert_int_equal(manager(VMNET_STATIC, 1, mac, 0, 0), -RVS_NOT_FOUND);
	assert_int_equal(manager(VMNET_STATIC, 2, mac, 0, 0), 0);
	assert_int_equal(manager(VMNET_AGE, 0, 0, 0, 0), 0);
}

/*
 * The manager's calls, stopped after an instruction, by the CPU's trap flag. At a part of them a
 * child goes on as if the call had ended there, and says by its exit status whether all is well.
 */
static struct {
	uint32_t instructions, children, failures;
	uint32_t all; /* 0: they are being counted */
	long op;
	bool (*goes_on)(long op);
} stopped;

/* All is at the beginning and the end: between them are loops over all VLANs. */
static bool is_of_interest(uint32_t n)
{
	const uint32_t left = stopped.all - n;

	return stopped.all &&
	       ((n < 240 && n % 16 == 0) || (left < 480 && left % 12 == 0) || n % 9973 == 0);
}

static void at_instruction(int signal)
{
	int status;
	pid_t child;

	(void)signal;
	if (!is_of_interest(++stopped.instructions))
		return;
	stopped.children++;
	child = fork();
	if (!child)
		_exit(!stopped.goes_on(stopped.op));
	if (child < 0 || waitpid(child, &status, 0) != child || status) {
		stopped.failures++;
		print_message("operation %ld, stopped after %u instructions\n", stopped.op,
			      stopped.instructions);
	}
}

static long step(long op, long a1, long a2)
{
	const struct sigaction trap = {.sa_handler = at_instruction};
	long value;

	stopped.instructions = stopped.children = stopped.failures = 0;
	sigaction(SIGTRAP, &trap, NULL);
	as(VMNET_MANAGER, 1, 0);
	__asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
	value = entry_function(op, a1, a2, 0, 0, 0);
	__asm__ volatile("pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
	signal(SIGTRAP, SIG_DFL);
	return value;
}

/* How many instructions it has; a child makes the call. */
static uint32_t count_steps(long op, long a1, long a2)
{
	uint32_t *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			       0),
		 all;
	pid_t child;

	assert_ptr_not_equal(count, MAP_FAILED);
	stopped.all = 0;
	child = fork();
	if (!child) {
		step(op, a1, a2);
		*count = stopped.instructions;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	all = *count;
	munmap(count, 4096);
	return all;
}

static long step_manager(long op, long a1, long a2, bool (*goes_on)(long op))
{
	const uint32_t all = count_steps(op, a1, a2);
	long value;

	assert_true(all > 100);
	stopped.all = all;
	stopped.op = op;
	stopped.goes_on = goes_on;
	value = step(op, a1, a2);
	print_message("%u instructions, stopped after %u of them\n", stopped.instructions,
		      stopped.children);
	assert_true(stopped.children > 20);
	assert_int_equal(stopped.failures, 0);
	return value;
}

static struct nic one, two;

static bool looks_until(uint32_t place, long link)
{
	for (int i = 0; i < 4; i++)
		if (manager(VMNET_LOOK, place, 0, 0, 0) == link)
			return true;
	return false;
}

/* As good as a port of which no call was stopped: frames go, and its address is its own until it
 * goes. */
static bool is_as_new(uint32_t attachment)
{
	const uint32_t before = rvif_ring_completed(&two.rx);
	struct nic three;
	uint32_t seen;

	if (!looks_until(1, VMNET_UP))
		return false;
	post(&one, 2, 1);
	if (forward(1, attachment, 0) || rvif_ring_completed(&two.rx) != before + 1)
		return false;
	make_nic(&three, 3);
	rvif_header(&three.vnic)->config.mac[5] = 1;
	as(3, 13, 0);
	if (entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0) ||
	    manager(VMNET_LOOK, 3, 0, 0, 0) != VMNET_REFUSED + (RVIF_MAC_IN_USE << 8))
		return false;
	rvif_store(&rvif_header(&one.vnic)->driver.state, RVIF_DRIVER_DOWN);
	seen = !looks_until(1, VMNET_DOWN) || rvif_attached(&one.vnic) != 0;
	rvif_start(&three.vnic);
	return !seen && looks_until(3, VMNET_UP);
}

static bool goes_on_with_the_same(long op)
{
	manager(op, 1, 0, 0, 0);
	return is_as_new(11);
}

/* Another VM has the place. */
static bool goes_on_with_another(long op)
{
	manager(op, 1, 11, 0, 0);
	make_nic(&one, 1);
	as(1, 77, 0);
	if (entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0))
		return false;
	return state->port[1].sender[3].inside == 0 && is_as_new(77);
}

static bool goes_on_when_it_is_down(long op)
{
	manager(op, 1, 0, 0, 0);
	if (!looks_until(1, VMNET_DOWN) || rvif_attached(&one.vnic) != 0)
		return false;
	rvif_start(&one.vnic);
	return is_as_new(11);
}

static void the_manager_is_stopped_anywhere(void **unused)
{
	(void)unused;
	bring_up(&two, 2);
	make_nic(&one, 1);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(step_manager(VMNET_LOOK, 1, 0, goes_on_with_the_same), VMNET_WENT_UP);
	rvif_store(&rvif_header(&one.vnic)->driver.state, RVIF_DRIVER_DOWN);
	assert_int_equal(step_manager(VMNET_LOOK, 1, 0, goes_on_when_it_is_down), VMNET_WENT_DOWN);
	rvif_start(&one.vnic);
	assert_true(looks_until(1, VMNET_UP));
	/* a call of its guest was stopped with two queues */
	state->port[1].sender[3].inside = 1;
	rvs_txq_at(rvs, 1 * sizes.queues)->lock = 1 * VMNET_VCPUS + 3 + 1;
	rvs_rxq_at(rvs, 2 * sizes.queues)->lock = 1 * VMNET_VCPUS + 3 + 1;
	assert_int_equal(step_manager(VMNET_GONE, 1, 11, goes_on_with_another), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_go_from_port_to_port),
		TEST(frames_wait_in_the_guest),
		TEST(guests_manage_nothing),
		TEST(versions_differ),
		TEST(nothing_is_served_that_was_not_donated),
		TEST(the_next_one_waits_for_the_end_of_the_last),
		TEST(nothing_passes_to_the_next_one),
		TEST(up_and_down_as_the_driver_says),
		TEST(a_call_that_stopped_is_cleaned_up_once),
		TEST(a_port_that_is_busy_goes_down_later),
		TEST(what_a_stopped_call_took_from_others),
		TEST(the_manager_is_stopped_anywhere),
		TEST(who_is_rung),
		TEST(static_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
