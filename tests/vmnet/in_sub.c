/* SPDX-License-Identifier: Apache-2.0 */
/* The export's code in this process; see in_sub.h. */
#include "in_sub.h"

#include <string.h>
#include <sys/mman.h>

struct elisa_self *self;
struct vmnet_state *state;
struct rvs *rvs;
uint32_t rung[PORTS + 1];
uint32_t wanted;

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

const struct rvs_config sizes = {
	.ports = PORTS + 1,
	.senders = (PORTS + 1) * VMNET_VCPUS,
	.queues = 2,
	.buckets = 64,
	.max_age = 300,
};

int sub_start(void **unused)
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

int sub_end(void **unused)
{
	(void)unused;
	munmap(self, 4096);
	munmap(state, 65536 + rvs_size(&sizes));
	munmap((void *)(uintptr_t)(ELISA_OBJECT_BASE + VMNET_PLACES_OFFSET),
	       (PORTS + 1) * PLACE_SIZE);
	return 0;
}

void as(uint32_t place, uint64_t attachment, uint32_t vcpu)
{
	*self = (struct elisa_self){.attachment = attachment,
				    .donated = place ? PLACE_SIZE / 2 : 0,
				    .place = place,
				    .vcpu = vcpu};
}

long manager(long op, long a1, long a2, long a3, long a4)
{
	const struct elisa_self before = *self;
	long value;

	as(VMNET_MANAGER, 1, 0);
	value = entry_function(op, a1, a2, a3, a4, 0);
	*self = before;
	return value;
}

uint32_t buffer(const struct nic *nic, uint32_t i)
{
	return nic->vnic.layout.buffers + i * 2048;
}

void make_nic(struct nic *nic, uint32_t place)
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

void post(struct nic *nic, uint32_t to, uint32_t from)
{
	const uint32_t i = nic->tx.posted++;
	uint8_t *frame = nic->vnic.region + buffer(nic, i % RING);

	memset(frame, 0, 64);
	memcpy(frame, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)to}, 6);
	memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)from}, 6);
	rvif_desc_set(rvif_ring_desc(&nic->tx, i), buffer(nic, i % RING), 64, 0);
	rvif_ring_publish(&nic->tx);
}

long forward(uint32_t place, uint64_t attachment, uint32_t vcpu)
{
	as(place, attachment, vcpu);
	return entry_function(VMNET_FORWARD, 0, 0, 0, 0, 0);
}

void bring_up(struct nic *nic, uint32_t place)
{
	make_nic(nic, place);
	as(place, 10 + place, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(manager(VMNET_LOOK, place, 0, 0, 0), VMNET_WENT_UP);
	assert_int_equal(rvif_attached(&nic->vnic), 1);
}
