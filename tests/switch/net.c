/* SPDX-License-Identifier: Apache-2.0 */
/* A switch with vNICs for tests; see net.h. It must behave as an honest driver unless told
 * otherwise. */
#include "net.h"

struct rvs_config net_config = {
	.ports = NET_PORTS,
	.senders = NET_SENDERS,
	.queues = NET_QUEUES,
	.buckets = 1024,
	.vlans = 3,
	.max_age = 300,
	.seed = 7,
};

size_t net_switch_size(void)
{
	return rvs_size(&net_config);
}

struct net *net_new(void)
{
	const size_t size = net_switch_size();
	struct net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	assert_true(size > 0);
	net->rvs = aligned_alloc(RVS_ALIGNMENT, size);
	assert_non_null(net->rvs);
	assert_int_equal(rvs_init(net->rvs, size, &net_config), 0);
	net->now = 1000;
	return net;
}

void net_free(struct net *net)
{
	for (uint32_t port = 0; port < NET_PORTS; port++)
		if (net->port[port].open)
			rvif_close(&net->port[port].vnic);
	free(net->rvs);
	free(net);
}

struct net_options net_defaults(void)
{
	return (struct net_options){
		.config = {.tx_queues = 1,
			   .rx_queues = 1,
			   .tx_ring = NET_RING,
			   .rx_ring = NET_RING,
			   .buffer_size = NET_BUFFER,
			   .max_frame = 9216},
		.policy = {.max_learned = 8},
		.rx_mode = RVIF_RX_ALLMULTI | RVIF_RX_PROMISCUOUS,
		.buffers = UINT32_MAX,
	};
}

void net_mac(uint8_t mac[6], uint32_t port)
{
	memcpy(mac, (uint8_t[]){2, 0, 0, 0, (uint8_t)(port >> 8), (uint8_t)port}, 6);
}

static uint32_t rx_buffer(const struct rvif_vnic *vnic, uint32_t queue, uint32_t i)
{
	return vnic->layout.buffers +
	       (vnic->config.tx_ring + queue * vnic->config.rx_ring + i % vnic->config.rx_ring) *
		       vnic->config.buffer_size;
}

void net_open(struct net *net, uint32_t port, const struct net_options *options)
{
	struct net_port *p = &net->port[port];
	struct rvif_config config = options->config;
	const uint32_t buffers = config.tx_ring + config.rx_queues * config.rx_ring;

	assert_int_equal(rvif_configure(&config, (uint64_t)buffers * config.buffer_size), 0);
	assert_int_equal(rvif_open(&p->vnic, &rvif_private_memory, "", &config), 0);
	p->open = 1;
	rvif_start(&p->vnic);
	rvif_header(&p->vnic)->driver.rx_mode = options->rx_mode;
	for (uint32_t q = 0; q < config.tx_queues; q++)
		rvif_tx_ring_init(&p->tx[q], &p->vnic, q);
	for (uint32_t q = 0; q < config.rx_queues; q++) {
		rvif_rx_ring_init(&p->rx[q], &p->vnic, q);
		for (uint32_t i = 0; i < config.rx_ring && i < options->buffers; i++)
			rvif_ring_desc(&p->rx[q], p->rx[q].posted++)->offset =
				rx_buffer(&p->vnic, q, i);
		rvif_ring_publish(&p->rx[q]);
	}
}

int net_add_with(struct net *net, uint32_t port, const struct net_options *options)
{
	net_open(net, port, options);
	return rvs_port_attach(net->rvs, port, net->port[port].vnic.region,
			       net->port[port].vnic.config.region_size, &options->policy);
}

void net_add(struct net *net, uint32_t port)
{
	struct net_options options = net_defaults();

	net_mac(options.config.mac, port);
	assert_int_equal(net_add_with(net, port, &options), 0);
}

void net_add_with_features(struct net *net, uint32_t port, uint32_t features)
{
	struct net_options options = net_defaults();

	options.config.features = features;
	options.policy.features = RVIF_F_ALL;
	options.config.max_frame = 1514;
	net_mac(options.config.mac, port);
	assert_int_equal(net_add_with(net, port, &options), 0);
}

void net_remove(struct net *net, uint32_t port)
{
	assert_int_equal(rvs_port_detach(net->rvs, port), 0);
	rvif_close(&net->port[port].vnic);
	net->port[port].open = 0;
}

void net_frame(uint8_t *frame, uint32_t length, const uint8_t *to, const uint8_t *from,
	       uint8_t seed)
{
	for (uint32_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(seed + i * 7 + i / 256);
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

uint32_t net_udp_frame(uint8_t *frame, uint32_t to, uint32_t from, uint16_t port)
{
	uint8_t a[6], b[6];

	net_mac(a, to);
	net_mac(b, from);
	net_frame(frame, 64, a, b, 0);
	memcpy(frame + 12,
	       (uint8_t[]){8,
			   0,
			   0x45,
			   0,
			   0,
			   50,
			   0,
			   0,
			   0,
			   0,
			   64,
			   17,
			   0,
			   0,
			   10,
			   0,
			   0,
			   1,
			   10,
			   0,
			   0,
			   2,
			   (uint8_t)(port >> 8),
			   (uint8_t)port,
			   0,
			   9},
	       26);
	return 64;
}

void net_post_desc(struct net *net, uint32_t port, const struct rvif_desc *desc)
{
	struct rvif_ring *tx = &net->port[port].tx[0];

	tx->reaped += rvif_ring_completed(tx);
	*rvif_ring_desc(tx, tx->posted++) = *desc;
	rvif_ring_publish(tx);
}

/* Long frames use the buffers of the following descriptors, too. */
void net_post(struct net *net, uint32_t port, uint32_t queue, const void *frame, uint32_t length)
{
	struct rvif_vnic *vnic = &net->port[port].vnic;
	struct rvif_ring *tx = &net->port[port].tx[queue];
	const uint32_t slots = (length + vnic->config.buffer_size - 1) / vnic->config.buffer_size;
	uint32_t slot;

	tx->reaped += rvif_ring_completed(tx);
	assert_true(rvif_ring_room(tx) > 0);
	slot = tx->posted & tx->mask;
	if (slot + slots > vnic->config.tx_ring)
		slot = 0;
	memcpy(vnic->region + vnic->layout.buffers + slot * vnic->config.buffer_size, frame,
	       length);
	*rvif_ring_desc(tx, tx->posted++) = (struct rvif_desc){
		.offset = vnic->layout.buffers + slot * vnic->config.buffer_size,
		.length = (uint16_t)length,
	};
	rvif_ring_publish(tx);
}

void net_post_tcp(struct net *net, uint32_t from, uint32_t to, uint32_t payload, uint32_t size)
{
	uint8_t frame[65536] = {[12] = 8, [14] = 0x45, [23] = 6, [46] = 0x50};
	struct rvif_ring *tx = &net->port[from].tx[0];
	struct rvif_desc *desc = rvif_ring_desc(tx, tx->posted);

	net_mac(frame, to);
	net_mac(frame + 6, from);
	net_post(net, from, 0, frame, NET_TCP_HEADER + payload);
	desc->flags = RVIF_CSUM_NEEDED | RVIF_GSO_TCP4;
	desc->csum_start = NET_TCP_HEADER - 20;
	desc->csum_offset = 16;
	desc->gso_size = (uint16_t)size;
	desc->header_length = NET_TCP_HEADER;
}

void net_forward(struct net *net, uint32_t port, uint32_t queue)
{
	assert_int_equal(rvs_forward(net->rvs, 0, port, queue, 1000 | net->budget, net->now,
				     &net->result),
			 0);
	assert_true(net->result.frames < 1000);
}

void net_send(struct net *net, uint32_t from, uint32_t to, uint32_t length, uint8_t seed)
{
	uint8_t frame[65536], source[6], destination[6];

	net_mac(source, from);
	net_mac(destination, to);
	net_frame(frame, length, destination, source, seed);
	net_post(net, from, 0, frame, length);
	net_forward(net, from, 0);
}

uint32_t net_receive(struct net *net, uint32_t port, uint32_t queue, uint8_t *frame,
		     struct rvif_desc *first)
{
	struct rvif_ring *rx = &net->port[port].rx[queue];
	const struct rvif_vnic *vnic = &net->port[port].vnic;
	uint32_t ready = rvif_ring_completed(rx), length = 0;

	for (uint32_t i = 0; i < ready; i++) {
		struct rvif_desc *desc = rvif_ring_desc(rx, rx->reaped++);
		const uint32_t flags = desc->flags;

		if (!i && first)
			*first = *desc;
		memcpy(frame + length, vnic->region + desc->offset, desc->length);
		length += desc->length;
		*rvif_ring_desc(rx, rx->posted) =
			(struct rvif_desc){.offset = rx_buffer(vnic, queue, rx->posted)};
		rx->posted++;
		if (!(flags & RVIF_MORE))
			break;
		assert_true(i + 1 < ready);
	}
	rvif_ring_publish(rx);
	return length;
}

void net_expect(struct net *net, uint32_t from, uint32_t to, uint32_t length, uint8_t seed)
{
	uint8_t frame[65536], expected[65536], source[6], destination[6];

	net_mac(source, from);
	net_mac(destination, to);
	net_frame(expected, length, destination, source, seed);
	assert_int_equal(net_receive(net, to, 0, frame, NULL), length);
	assert_memory_equal(frame, expected, length);
}

uint64_t net_drops(struct net *net, uint32_t port, enum rvs_verdict reason)
{
	struct rvs_stats stats;

	assert_int_equal(rvs_port_stats(net->rvs, port, &stats), 0);
	return stats.drops[reason];
}

void net_check_sums(struct net *net)
{
	uint64_t delivered = 0, received = 0;
	struct rvs_stats stats;

	for (uint32_t port = 0; port < net_config.ports; port++) {
		uint64_t drops = 0;

		assert_int_equal(rvs_port_stats(net->rvs, port, &stats), 0);
		for (int reason = 0; reason < RVS_DROPS; reason++)
			drops += stats.drops[reason];
		assert_int_equal(stats.frames + stats.copies, stats.delivered + drops);
		delivered += stats.delivered;
		received += stats.rx_frames;
	}
	assert_int_equal(delivered, received);
}
