/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching and detaching: each configuration that must be refused, by its reason; coming back. */
#include <errno.h>
#include <sys/mman.h>
#include "net.h"

/* Changes the configuration of a vNIC before it is attached as port 0. */
static int attach_with(void (*change)(struct rvif_vnic *vnic, uint64_t *size))
{
	struct net_options options = net_defaults();
	struct net *net = net_new();
	struct rvif_header *header;
	uint64_t size;
	int reason;

	net_mac(options.config.mac, 0);
	net_open(net, 0, &options);
	size = net->port[0].vnic.config.region_size;
	change(&net->port[0].vnic, &size);
	reason = -rvs_port_attach(net->rvs, 0, net->port[0].vnic.region, size, &options.policy);
	header = rvif_header(&net->port[0].vnic);
	if (reason) {
		struct rvs_result result;

		assert_int_equal(header->sw.state, RVIF_SWITCH_REFUSED);
		assert_int_equal(header->sw.reason, reason);
		assert_int_equal(rvif_attached(&net->port[0].vnic), -reason);
		assert_int_equal(rvs_forward(net->rvs, 0, 0, 0, 1, 0, &result), -RVS_BAD_PORT);
		assert_int_equal(rvs_port_detach(net->rvs, 0), -RVS_BAD_PORT);
	}
	net_free(net);
	return reason;
}

#define REFUSED(name, change, expected)                                   \
	static void change_##name(struct rvif_vnic *vnic, uint64_t *size) \
	{                                                                 \
		struct rvif_config *config = &rvif_header(vnic)->config;  \
		(void)config;                                             \
		(void)size;                                               \
		change;                                                   \
	}                                                                 \
	static void name(void **state)                                    \
	{                                                                 \
		(void)state;                                              \
		assert_int_equal(attach_with(change_##name), expected);   \
	}

REFUSED(nothing_wrong, (void)0, RVIF_OK)
REFUSED(bad_magic, config->magic++, RVIF_BAD_MAGIC)
REFUSED(bad_version, config->version++, RVIF_BAD_VERSION)
REFUSED(reserved_not_zero, config->reserved[76] = 1, RVIF_BAD_RESERVED)
REFUSED(no_transmit_queue, config->tx_queues = 0, RVIF_BAD_QUEUES)
REFUSED(no_receive_queue, config->rx_queues = 0, RVIF_BAD_QUEUES)
REFUSED(too_many_queues, config->rx_queues = RVIF_MAX_QUEUES + 1, RVIF_BAD_QUEUES)
REFUSED(more_queues_than_the_switch, config->rx_queues = NET_QUEUES + 1, RVIF_TOO_MANY_QUEUES)
REFUSED(ring_no_power_of_two, config->tx_ring = 24, RVIF_BAD_RING)
REFUSED(ring_zero, config->rx_ring = 0, RVIF_BAD_RING)
REFUSED(ring_too_small, config->rx_ring = 4, RVIF_BAD_RING)
REFUSED(ring_huge, config->tx_ring = 0x80000000, RVIF_BAD_RING)
REFUSED(buffer_too_small, config->buffer_size = 511, RVIF_BAD_BUFFER)
REFUSED(buffer_too_large, config->buffer_size = 65536, RVIF_BAD_BUFFER)
REFUSED(frame_too_short, config->max_frame = 63, RVIF_BAD_FRAME)
REFUSED(frame_too_long, config->max_frame = 65536, RVIF_BAD_FRAME)
REFUSED(frame_of_too_many_buffers, (config->buffer_size = 512, config->max_frame = 65535),
	RVIF_BAD_FRAME)
REFUSED(tso_without_csum, config->features = RVIF_F_TSO4, RVIF_BAD_FEATURES)
REFUSED(group_address, config->mac[0] = 3, RVIF_BAD_MAC)
REFUSED(region_larger_than_memory, *size -= 1, RVIF_BAD_SIZE)
REFUSED(region_larger_than_any, config->region_size = UINT64_MAX, RVIF_BAD_SIZE)
REFUSED(region_too_short, config->region_size = 8192, RVIF_TOO_SHORT)
REFUSED(region_ends_in_the_rings, config->tx_ring = 32768, RVIF_TOO_SHORT)
REFUSED(transmit_index_too_far,
	rvif_tx_queue(vnic->region, &vnic->layout, 0)->posted = NET_RING + 1, RVIF_BAD_INDEX)
REFUSED(receive_index_behind,
	rvif_rx_queue(vnic->region, &vnic->layout, 0)->completed = NET_RING + 1, RVIF_BAD_INDEX)

/* Nothing is written if there is no header. */
static void region_shorter_than_the_header(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	static uint8_t memory[4096] __attribute__((aligned(4096)));

	(void)state;
	assert_int_equal(rvs_port_attach(net->rvs, 0, memory, 4095, &options.policy),
			 -RVIF_TOO_SHORT);
	for (size_t i = 0; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0);
	net_free(net);
}

static void region_not_aligned(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	static uint8_t memory[8192] __attribute__((aligned(4096)));

	(void)state;
	assert_int_equal(rvs_port_attach(net->rvs, 0, memory + 64, 4096, &options.policy),
			 -RVIF_BAD_ALIGNMENT);
	net_free(net);
}

/* A switch that comes while the driver goes must not use the region afterwards. */
static void driver_goes_down_first(void **state)
{
	struct net_options options = net_defaults();
	struct net *net = net_new();
	struct rvif_vnic *vnic = &net->port[0].vnic;
	struct rvif_header *header;

	(void)state;
	net_open(net, 0, &options);
	header = rvif_header(vnic);
	assert_int_equal(rvif_stop(vnic, 0), 0);
	header->sw.features = header->sw.reason = 77;
	assert_int_equal(rvs_port_attach(net->rvs, 0, vnic->region, vnic->size, &options.policy),
			 -RVIF_NOT_UP);
	assert_int_equal(header->sw.state, RVIF_SWITCH_DETACHED);
	assert_int_equal(header->sw.features, 77);
	assert_int_equal(header->sw.reason, 77);
	/* and the port is still free */
	rvif_start(vnic);
	assert_int_equal(rvs_port_attach(net->rvs, 0, vnic->region, vnic->size, &options.policy),
			 0);
	net_free(net);
}

static void driver_waits_for_a_switch_that_attaches(void **state)
{
	struct net_options options = net_defaults();
	struct net *net = net_new();
	struct rvif_vnic *vnic = &net->port[0].vnic;

	(void)state;
	net_open(net, 0, &options);
	rvif_header(vnic)->sw.state = RVIF_SWITCH_ATTACHING;
	assert_int_equal(rvif_stop(vnic, 1000), -ETIMEDOUT);
	rvif_header(vnic)->sw.state = RVIF_SWITCH_DETACHED;
	assert_int_equal(rvif_stop(vnic, 0), 0);
	net_free(net);
}

/* A region that is used by half goes as a whole. */
static void smaller_configuration(void **state)
{
	struct net_options options = net_defaults();
	struct net *net = net_new();
	struct rvif_vnic *vnic = &net->port[0].vnic;
	struct rvif_config config;
	unsigned char in_core;
	uint64_t size;
	uint8_t *end;

	(void)state;
	net_open(net, 0, &options);
	size = vnic->size;
	end = vnic->region + size - 4096;
	config = vnic->config;
	config.region_size -= 4096;
	assert_int_equal(rvif_reconfigure(vnic, &config), 0);
	config.region_size = size + 4096;
	assert_int_equal(rvif_reconfigure(vnic, &config), -RVIF_BAD_SIZE);
	config.region_size = size;
	assert_int_equal(rvif_reconfigure(vnic, &config), 0);
	config.region_size -= 4096;
	assert_int_equal(rvif_reconfigure(vnic, &config), 0);
	assert_int_equal(mincore(end, 4096, &in_core), 0);
	rvif_close(vnic);
	assert_int_equal(mincore(end, 4096, &in_core), -1);
	assert_int_equal(errno, ENOMEM);
	net->port[0].open = 0;
	net_free(net);
}

static void ports_there_are_not(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();

	(void)state;
	net_add(net, 0);
	assert_int_equal(rvs_port_attach(net->rvs, 0, net->port[0].vnic.region,
					 net->port[0].vnic.config.region_size, &options.policy),
			 -RVIF_NO_PORT);
	assert_int_equal(rvs_port_attach(net->rvs, NET_PORTS, net->port[0].vnic.region,
					 net->port[0].vnic.config.region_size, &options.policy),
			 -RVIF_NO_PORT);
	assert_int_equal(rvs_port_detach(net->rvs, NET_PORTS), -RVS_BAD_PORT);
	assert_int_equal(rvs_forward(net->rvs, NET_SENDERS, 0, 0, 1, 0, &net->result),
			 -RVS_BAD_SENDER);
	assert_int_equal(rvs_forward(net->rvs, 0, NET_PORTS, 0, 1, 0, &net->result), -RVS_BAD_PORT);
	assert_int_equal(rvs_forward(net->rvs, 0, 0, NET_QUEUES, 1, 0, &net->result),
			 -RVS_BAD_QUEUE);
	assert_int_equal(rvs_forward(net->rvs, 0, 0, 1, 1, 0, &net->result), -RVS_BAD_QUEUE);
	net_free(net);
}

static void addresses_of_the_policy(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	struct rvs_port_info info;

	(void)state;
	net_mac(options.policy.mac, 9);
	net_mac(options.config.mac, 8);
	assert_int_equal(net_add_with(net, 0, &options), -RVIF_MAC_NOT_ALLOWED);
	/* a driver that has one only because it needs one */
	options.config.any_mac = 2;
	assert_int_equal(rvif_configure(&options.config, 1 << 20), -RVIF_BAD_RESERVED);
	options.config.any_mac = 1;
	assert_int_equal(net_add_with(net, 0, &options), 0);
	assert_memory_equal(rvif_header(&net->port[0].vnic)->sw.mac, options.policy.mac, 6);
	net_remove(net, 0);
	memset(options.config.mac, 0, 6);
	assert_int_equal(net_add_with(net, 1, &options), 0);
	assert_memory_equal(rvif_header(&net->port[1].vnic)->sw.mac, options.policy.mac, 6);
	assert_int_equal(net_add_with(net, 2, &options), -RVIF_MAC_IN_USE);
	assert_int_equal(rvs_port_info(net->rvs, 1, &info), 0);
	assert_memory_equal(info.mac, options.policy.mac, 6);
	net_free(net);
}

static void what_the_driver_is_told(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	const struct rvif_header *header;

	(void)state;
	options.config.features = RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_NOTIFY;
	options.policy.features = RVIF_F_CSUM | RVIF_F_TSO6 | RVIF_F_NOTIFY;
	options.policy.mbps = 25000;
	options.policy.flags = RVS_KICK;
	net_mac(options.config.mac, 4);
	assert_int_equal(net_add_with(net, 4, &options), 0);
	header = rvif_header(&net->port[4].vnic);
	assert_int_equal(header->sw.state, RVIF_SWITCH_ATTACHED);
	assert_int_equal(header->sw.features, RVIF_F_CSUM | RVIF_F_NOTIFY);
	assert_int_equal(header->sw.link, 1);
	assert_int_equal(header->sw.mbps, 25000);
	assert_int_equal(rvif_attached(&net->port[4].vnic), 1);
	assert_int_equal(rvif_ring_kick_wanted(&net->port[4].tx[0], header->sw.features), 1);
	assert_int_equal(rvs_port_set_link(net->rvs, 4, 0), 0);
	assert_int_equal(header->sw.link, 0);
	net_remove(net, 4);
	net_free(net);
}

/* TSO is of no use without checksums; a policy may offer one and not the other. */
static void tso_needs_csum_of_the_policy(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();

	(void)state;
	options.config.features = RVIF_F_CSUM | RVIF_F_TSO4;
	options.policy.features = RVIF_F_TSO4;
	assert_int_equal(net_add_with(net, 0, &options), 0);
	assert_int_equal(rvif_header(&net->port[0].vnic)->sw.features, 0);
	net_free(net);
}

static void table_without_room(void **state)
{
	const struct rvs_config config = {.ports = 8, .senders = 1, .queues = 1, .buckets = 1};
	struct net *net = net_new();
	struct net_options options = net_defaults();

	(void)state;
	assert_int_equal(rvs_init(net->rvs, rvs_size(&config), &config), 0);
	for (uint32_t port = 0; port < 5; port++)
		net_add(net, port);
	net_mac(options.config.mac, 5);
	assert_int_equal(net_add_with(net, 5, &options), -RVIF_NO_TABLE_ROOM);
	net_remove(net, 4);
	rvif_close(&net->port[5].vnic);
	net_add(net, 5);
	net_free(net);
}

/* The driver's epoch stays: the switch was started anew, and goes on where the other one ended. */
static void switch_started_anew(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	const struct rvs_config config = {
		.ports = 4, .senders = 1, .queues = NET_QUEUES, .buckets = 64, .max_age = 9};
	uint32_t generation;

	(void)state;
	net_add(net, 0);
	net_add(net, 1);
	for (uint8_t i = 0; i < 20; i++) {
		net_send(net, 0, 1, 100, i);
		net_expect(net, 0, 1, 100, i);
	}
	generation = rvif_header(&net->port[0].vnic)->sw.generation;
	assert_int_equal(rvs_init(net->rvs, rvs_size(&config), &config), 0); /* no detach */
	for (uint32_t port = 0; port < 2; port++)
		assert_int_equal(rvs_port_attach(net->rvs, port, net->port[port].vnic.region,
						 net->port[port].vnic.config.region_size,
						 &options.policy),
				 0);
	assert_int_equal(rvif_header(&net->port[0].vnic)->sw.generation, generation + 1);
	for (uint8_t i = 0; i < 20; i++) {
		net_send(net, 0, 1, 100, i);
		net_expect(net, 0, 1, 100, i);
	}
	net_free(net);
}

/* The driver starts anew: indexes 0, other rings. */
static void driver_started_anew(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	struct rvs_port_info info;

	(void)state;
	net_add(net, 1);
	net_mac(options.config.mac, 0);
	for (uint32_t round = 1; round < 4; round++) {
		options.config.tx_ring = 8u << round;
		assert_int_equal(net_add_with(net, 0, &options), 0);
		assert_int_equal(rvs_port_info(net->rvs, 0, &info), 0);
		assert_int_equal(info.generation, round);
		net_send(net, 0, 1, 100, (uint8_t)round);
		net_expect(net, 0, 1, 100, (uint8_t)round);
		net_send(net, 1, 0, 100, (uint8_t)round);
		net_expect(net, 1, 0, 100, (uint8_t)round);
		net_remove(net, 0);
		net_send(net, 1, 0, 100, (uint8_t)round); /* no port is there: flooded to none */
		assert_int_equal(net_drops(net, 1, RVS_DROP_NO_RECEIVER), round);
	}
	net_free(net);
}

static void all_ports_at_once(void **state)
{
	struct net *net = net_new();

	(void)state;
	for (uint32_t port = 0; port < 257; port++)
		net_add(net, port);
	net_send(net, 256, 3, 64, 1);
	net_expect(net, 256, 3, 64, 1);
	for (uint32_t port = 0; port < 257; port++)
		net_remove(net, port);
	net_free(net);
}

static void bad_configurations_of_the_switch(void **state)
{
	const struct rvs_config good = {.ports = 1, .senders = 1, .queues = 1, .buckets = 1};
	static uint8_t memory[1 << 16] __attribute__((aligned(128)));
	struct rvs_config bad;

	(void)state;
	assert_true(rvs_size(&good) > 0 && rvs_size(&good) <= sizeof(memory));
	assert_int_equal(rvs_init(memory, rvs_size(&good), &good), 0);
	assert_int_equal(rvs_init(memory, rvs_size(&good) - 1, &good), -RVS_BAD_MEMORY);
	assert_int_equal(rvs_init(memory + 64, sizeof(memory) - 64, &good), -RVS_BAD_MEMORY);
	for (int field = 0; field < 10; field++) {
		bad = good;
		switch (field) {
		case 0:
			bad.ports = 0;
			break;
		case 1:
			bad.ports = RVS_MAX_PORTS + 1;
			break;
		case 2:
			bad.senders = 0;
			break;
		case 3:
			bad.senders = RVS_MAX_SENDERS + 1;
			break;
		case 4:
			bad.queues = 0;
			break;
		case 5:
			bad.queues = RVIF_MAX_QUEUES + 1;
			break;
		case 6:
			bad.buckets = 3;
			break;
		case 7:
			bad.buckets = 0;
			break;
		case 8:
			bad.one_thread = 2;
			break;
		default:
			bad.max_age = 0x80000000;
		}
		assert_int_equal(rvs_size(&bad), 0);
		assert_int_equal(rvs_init(memory, sizeof(memory), &bad), -RVS_BAD_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_wrong),
		cmocka_unit_test(bad_magic),
		cmocka_unit_test(bad_version),
		cmocka_unit_test(reserved_not_zero),
		cmocka_unit_test(no_transmit_queue),
		cmocka_unit_test(no_receive_queue),
		cmocka_unit_test(too_many_queues),
		cmocka_unit_test(more_queues_than_the_switch),
		cmocka_unit_test(ring_no_power_of_two),
		cmocka_unit_test(ring_zero),
		cmocka_unit_test(ring_too_small),
		cmocka_unit_test(ring_huge),
		cmocka_unit_test(buffer_too_small),
		cmocka_unit_test(buffer_too_large),
		cmocka_unit_test(frame_too_short),
		cmocka_unit_test(frame_too_long),
		cmocka_unit_test(frame_of_too_many_buffers),
		cmocka_unit_test(tso_without_csum),
		cmocka_unit_test(group_address),
		cmocka_unit_test(region_larger_than_memory),
		cmocka_unit_test(region_larger_than_any),
		cmocka_unit_test(region_too_short),
		cmocka_unit_test(region_ends_in_the_rings),
		cmocka_unit_test(transmit_index_too_far),
		cmocka_unit_test(receive_index_behind),
		cmocka_unit_test(region_shorter_than_the_header),
		cmocka_unit_test(region_not_aligned),
		cmocka_unit_test(driver_goes_down_first),
		cmocka_unit_test(driver_waits_for_a_switch_that_attaches),
		cmocka_unit_test(smaller_configuration),
		cmocka_unit_test(ports_there_are_not),
		cmocka_unit_test(addresses_of_the_policy),
		cmocka_unit_test(what_the_driver_is_told),
		cmocka_unit_test(tso_needs_csum_of_the_policy),
		cmocka_unit_test(table_without_room),
		cmocka_unit_test(switch_started_anew),
		cmocka_unit_test(driver_started_anew),
		cmocka_unit_test(all_ports_at_once),
		cmocka_unit_test(bad_configurations_of_the_switch),
	};

	return cmocka_run_group_tests_name("attach and detach", tests, NULL, NULL);
}
