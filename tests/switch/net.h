/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A switch with some vNICs in this process, for tests: each region lies between inaccessible pages.
 * Calls that cannot fail in a sane test fail the test.
 */
#ifndef NET_H
#define NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <rvif/driver.h>
#include <rvs/rvs.h>

enum {
	NET_PORTS = 260,
	NET_QUEUES = 4,
	NET_RING = 16,
	NET_BUFFER = 2048,
	NET_SENDERS = 4,
	NET_TCP_HEADER = 54, /* with those of Ethernet and IPv4, no options */
};

struct net_port {
	struct rvif_vnic vnic;
	struct rvif_ring tx[NET_QUEUES], rx[NET_QUEUES];
	int open;
};

struct net {
	struct rvs *rvs;
	struct net_port port[NET_PORTS];
	struct rvs_result result; /* of the last net_forward */
	uint32_t now;
	uint32_t budget; /* RVS_HOLD, or 0 */
};

/* What net_add uses unless the test changes it. */
struct net_options {
	struct rvif_config config;
	struct rvs_policy policy;
	uint32_t rx_mode;
	uint32_t buffers; /* receive buffers to post in each queue; UINT32_MAX: all */
};

/* Of the next net_new; ports at most NET_PORTS. */
extern struct rvs_config net_config;

struct net *net_new(void);
/* Bytes at net->rvs. */
size_t net_switch_size(void);
void net_free(struct net *net);

struct net_options net_defaults(void);
/* The address of a port. */
void net_mac(uint8_t mac[6], uint32_t port);
/* A vNIC with that address and the defaults, attached. */
void net_add(struct net *net, uint32_t port);
/* As net_add, but for frames of up to 1514 bytes, and with these features if the switch can. */
void net_add_with_features(struct net *net, uint32_t port, uint32_t features);
/* Returns what rvs_port_attach returned. */
int net_add_with(struct net *net, uint32_t port, const struct net_options *options);
/* Makes the vNIC only. */
void net_open(struct net *net, uint32_t port, const struct net_options *options);
void net_remove(struct net *net, uint32_t port);

/* Bytes of a frame: addresses, type 0x88b5, then a pattern that starts with "seed". */
void net_frame(uint8_t *frame, uint32_t length, const uint8_t *to, const uint8_t *from,
	       uint8_t seed);
/* 64 bytes of UDP between two ports, from this UDP port. Returns 64. */
uint32_t net_udp_frame(uint8_t *frame, uint32_t to, uint32_t from, uint16_t port);
/* Posts a frame in one descriptor, from a buffer of its own; publishes. */
void net_post(struct net *net, uint32_t port, uint32_t queue, const void *frame, uint32_t length);
/* Posts a frame of TCP over IPv4 that is to be cut: this payload, in segments of "size". */
void net_post_tcp(struct net *net, uint32_t from, uint32_t to, uint32_t payload, uint32_t size);
/* Posts any descriptor; publishes. */
void net_post_desc(struct net *net, uint32_t port, const struct rvif_desc *desc);
/* Forwards all of a queue as sender 0, with a budget that no honest test exceeds. */
void net_forward(struct net *net, uint32_t port, uint32_t queue);
/* A frame between two ports by net_frame, with seed; all of it. */
void net_send(struct net *net, uint32_t from, uint32_t to, uint32_t length, uint8_t seed);
/* The next frame of a receive queue into frame, its buffers posted again. Returns its length, or 0.
 * The first descriptor as well, if asked for. */
uint32_t net_receive(struct net *net, uint32_t port, uint32_t queue, uint8_t *frame,
		     struct rvif_desc *first);
/* Receives one frame as net_send made it. */
void net_expect(struct net *net, uint32_t from, uint32_t to, uint32_t length, uint8_t seed);

uint64_t net_drops(struct net *net, uint32_t port, enum rvs_verdict reason);
/* Of all ports: frames + copies = delivered + drops; delivered = received. */
void net_check_sums(struct net *net);

#endif
