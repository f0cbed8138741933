/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_rvif, the DPDK driver of an rvif vNIC: what its files share. The region is shared with a
 * switch that need not be trusted. A value from the region must not become an address, a length or
 * an index before it was checked. Each word is read once.
 *
 * Each queue belongs to one thread of the application at a time. The driver keeps its own record of
 * what each descriptor stands for, so a switch can damage frames, but not the driver's memory.
 */
#ifndef NET_RVIF_H
#define NET_RVIF_H

#include <rvif/driver.h>

#include <ethdev_driver.h>
#include <rte_ether.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <string.h>

#define NET_RVIF_DEFAULT_RING	256
#define NET_RVIF_MAX_RING	4096
#define NET_RVIF_DEFAULT_BUFFER 2048
#define NET_RVIF_RECLAIM	32   /* frames in flight until the index is read again */
#define NET_RVIF_RECLAIM_BYTES	8192 /* bytes of the area in flight until then */
#define NET_RVIF_PUBLISH	32   /* receive buffers that are posted together */

/* An Ethernet header and two VLAN tags. rvif does not count the FCS. */
#define NET_RVIF_OVERHEAD	(RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

/* The flags by which a frame to transmit asks for something. Other flags only describe the
 * frame. */
#define NET_RVIF_TX_REQUESTS                                                    \
	(RTE_MBUF_F_TX_OFFLOAD_MASK &                                           \
	 ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_OUTER_IPV4 | \
	   RTE_MBUF_F_TX_OUTER_IPV6 | RTE_MBUF_F_TX_TUNNEL_MASK))

/* Those of them that the driver offers. */
#define NET_RVIF_TX_OFFERED (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

struct net_rvif_options {
	const struct rvif_transport *transport;
	char *path;		   /* a file or an export, for the transport */
	struct rte_ether_addr mac; /* all 0: not given */
	struct rvif_access access; /* access to the file */
	uint32_t queues;
	uint32_t buffer_size;
	bool csum;
	bool tso;
	bool zero_copy;
};

/* Memory at one range of addresses in this process, and one range of offsets in the region. */
struct net_rvif_range {
	uintptr_t start;
	uint64_t length;
	uint32_t offset;
};

/* What a port of zero_copy=1 shares with the switch: pages with the data of its pools' mbufs. */
struct net_rvif_memory {
	struct rvif_sharing sharing;
	struct rvif_memory pieces[RVIF_MAX_MEMORY];
	struct net_rvif_range ranges[RVIF_MAX_MEMORY]; /* the longest first */
	uint32_t count;
};

struct net_rvif_rx_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t no_mbuf;
	uint64_t bad;	   /* the switch wrote what it must not write */
	uint64_t too_long; /* the frame does not fit into an mbuf, and scattering is off */
	uint64_t checksums;
};

struct net_rvif_tx_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t bad;	      /* too short, too long, too many segments */
	uint64_t unsupported; /* an offload that the switch did not grant, or that the driver never
			       * offers */
	uint64_t full;	      /* bursts that a full ring cut short */
	uint64_t copied;      /* frames that were copied, with zero_copy=1 */
	uint64_t kicks;
	uint64_t checksums;
};

/* A receive queue. Slot i of the ring always stands for buffer i, so posting a buffer is moving the
 * index. With zero_copy=1, slot i stands for mbufs[i], which is the only record of what the switch
 * fills. */
struct net_rvif_rxq {
	struct rvif_ring ring;
	uint32_t published; /* the value of ring.posted that the switch was told */
	uint32_t publish_at;
	uint8_t *buffers;
	uint32_t stride;
	uint32_t buffer_size;
	uint32_t max_frame;
	uint32_t limit; /* longest frame of the fast path: fits max_frame, a buffer and an mbuf */
	uint16_t room;	/* bytes of data in an mbuf */
	bool scatter;
	bool want_csum; /* the application reads checksum flags */
	uint32_t features;
	uint64_t rearm;	     /* initial data_off, refcnt, nb_segs and port of an mbuf */
	uint64_t mbuf_flags; /* initial flags of the pool's mbufs */
	struct rte_mempool *pool;
	struct net_rvif_rx_stats stats;

	uint64_t missed;      /* frames that found no buffer */
	uint64_t missed_seen; /* the switch's counter at the last look */
	uint16_t descriptors;

	const struct net_rvif_memory *memory;
	struct rte_mbuf **mbufs;
	uint32_t slot_mask;
	uint32_t buffer_at; /* distance of an mbuf's buffer from its header */
};

/*
 * A transmit queue. Frames lie one behind the other in an area that is used as a ring of bytes.
 * Each frame begins at a new cache line. The area begins anew whenever no frame is in flight, so
 * that few lines and pages stay in use. With zero_copy=1, only frames that have to be copied are in
 * the area.
 */
struct net_rvif_txq {
	struct rvif_ring ring;
	uint32_t *ends; /* for each descriptor in flight, where its data ends in the area */
	uint32_t slot_mask;
	uint8_t *area;
	uint32_t area_offset; /* offset of the area in the region */
	uint32_t area_size;
	uint32_t head; /* where the next frame goes */
	uint32_t tail; /* where the oldest frame in flight is */
	uint32_t reclaim_at;
	uint32_t max_frame;
	bool kick;
	uint16_t index;
	struct net_rvif_port *port;
	struct net_rvif_tx_stats stats;

	uint16_t descriptors;
	uint16_t threshold;

	const struct net_rvif_memory *memory;
	struct rte_mempool *pool;
	void **mbufs;	 /* for each descriptor in flight; NULL: the frame was copied */
	uint32_t others; /* those of them that do not simply go back to the pool */
};

struct net_rvif_port {
	struct rvif_vnic vnic;
	struct net_rvif_options options;
	struct rte_ether_addr any_mac; /* the address was drawn, or given by the switch: the driver
				        * accepts another one */
	bool up;		       /* rvif_start() was called */
	/* a switch did not let go of the file, so the next start makes a new one */
	bool stale;
	/* a kick found that the switch is gone; handled as stale. Any sender may set it. */
	bool lost;
	uint32_t refused;	       /* the epoch of the last refusal that was reported */
	struct rte_intr_handle *asked; /* for switches that ask for the memory; NULL: none is
				        * shared */
	struct net_rvif_memory memory;
};

extern int net_rvif_logtype;

#define NET_RVIF_LOG(level, format, ...) \
	rte_log(RTE_LOG_##level, net_rvif_logtype, "net_rvif: " format "\n", ##__VA_ARGS__)

void net_rvif_kick(struct net_rvif_txq *queue);
bool net_rvif_in_other(const struct net_rvif_memory *memory, uintptr_t data, uint32_t length,
		       uint32_t *offset);

static inline struct net_rvif_port *net_rvif_port(const struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* Sets what every received segment begins with. */
static inline void net_rvif_rearm(struct rte_mbuf *m, const struct net_rvif_rxq *queue)
{
	memcpy((char *)m + offsetof(struct rte_mbuf, rearm_data), &queue->rearm,
	       sizeof(queue->rearm));
	m->ol_flags = queue->mbuf_flags;
}

/* Does the same for a frame of one segment, and sets its length. */
static inline void net_rvif_rx_start(struct rte_mbuf *m, const struct net_rvif_rxq *queue,
				     uint16_t length)
{
	net_rvif_rearm(m, queue);
	m->packet_type = 0;
	m->pkt_len = length;
	m->data_len = length;
	m->vlan_tci = 0;
}

/* Posts receive buffers. They go back a few at a time, and all of them when there is nothing else
 * to do. */
static inline void net_rvif_rx_publish(struct net_rvif_rxq *queue)
{
	if (queue->published == queue->ring.posted)
		return;
	queue->published = queue->ring.posted;
	rvif_ring_publish(&queue->ring);
}

/* Tells whether it is time to look what the switch has completed, before `count` more frames are
 * posted. */
static inline bool net_rvif_tx_is_due(const struct net_rvif_txq *queue, uint32_t count)
{
	const uint32_t out = rvif_distance(queue->ring.posted, queue->ring.reaped);

	return out >= queue->reclaim_at || queue->head >= NET_RVIF_RECLAIM_BYTES ||
	       out + count > queue->descriptors;
}

/*
 * Takes back the room of frames that the switch completed. Returns how many descriptors these are.
 *
 * The switch's line is not read for every burst, because it is in another CPU's cache, or the other
 * side has just written it. It is read often enough that the memory in use stays in the first-level
 * cache. It is read for every burst until the switch is attached, because the switch may want to be
 * kicked.
 */
static inline uint32_t net_rvif_tx_reclaim(struct net_rvif_txq *queue)
{
	struct rvif_ring *ring = &queue->ring;
	uint32_t done = rvif_ring_completed(ring);

	queue->kick = rvif_load(&ring->control->kick_wanted) != 0;
	queue->reclaim_at = rvif_attached(&queue->port->vnic) == 1 ? queue->threshold : 0;
	ring->reaped += done;
	if (ring->reaped == ring->posted)
		queue->head = queue->tail = 0;
	else if (done)
		queue->tail = queue->ends[(ring->reaped - 1) & queue->slot_mask];
	return done;
}

/* Finds room for a frame in the area. Returns true, and where it begins. net_rvif_tx_post() takes
 * the room. */
static inline bool net_rvif_tx_room(const struct net_rvif_txq *queue, uint32_t length, uint32_t *at)
{
	if (rvif_distance(queue->ring.posted, queue->ring.reaped) >= queue->descriptors)
		return false;
	*at = queue->head;
	if (queue->head < queue->tail)
		return queue->tail - queue->head > RTE_CACHE_LINE_ROUNDUP(length);
	if (queue->area_size - queue->head >= RTE_CACHE_LINE_ROUNDUP(length))
		return true;
	*at = 0;
	return queue->tail > RTE_CACHE_LINE_ROUNDUP(length);
}

/* Fills in the next descriptor with data at an offset in the region. words: its offload fields, see
 * struct rvif_desc. */
static inline void net_rvif_tx_point(struct net_rvif_txq *queue, uint32_t offset, uint32_t length,
				     uint16_t flags, uint64_t words)
{
	uint64_t *desc = (uint64_t *)(void *)rvif_ring_desc(&queue->ring, queue->ring.posted);

	queue->ends[queue->ring.posted & queue->slot_mask] = queue->head;
	desc[0] = offset | (uint64_t)length << 32 | (uint64_t)flags << 48;
	desc[1] = words;
	queue->ring.posted++;
}

/* Fills in the next descriptor with data that was copied into the area. */
static inline void net_rvif_tx_post(struct net_rvif_txq *queue, uint32_t at, uint32_t length,
				    uint16_t flags, uint64_t words)
{
	queue->head = at + RTE_CACHE_LINE_ROUNDUP(length);
	net_rvif_tx_point(queue, queue->area_offset + at, length, flags, words);
}

/* Ends a burst that has taken `sent` frames. posted: the value of ring.posted at its beginning. */
static inline void net_rvif_tx_finish(struct net_rvif_txq *queue, uint32_t posted, bool all,
				      uint32_t sent)
{
	if (unlikely(!all)) {
		queue->stats.full++;
		/* frames that an earlier kick could not move may be all that is in the way */
		if (!sent && queue->kick)
			net_rvif_kick(queue);
	}
	if (likely(queue->ring.posted != posted)) {
		rvif_ring_publish(&queue->ring);
		if (queue->kick)
			net_rvif_kick(queue);
	}
}

/* Finds data at this address in the region. Returns true if all of it is there, and its offset. */
static inline bool net_rvif_in_region(const struct net_rvif_memory *memory, const void *data,
				      uint32_t length, uint32_t *offset)
{
	uint64_t at = (uintptr_t)data - memory->ranges[0].start;

	if (likely(at + length <= memory->ranges[0].length && at < memory->ranges[0].length)) {
		*offset = memory->ranges[0].offset + (uint32_t)at;
		return true;
	}
	return net_rvif_in_other(memory, (uintptr_t)data, length, offset);
}

/* devargs.c: returns 0, or -errno after a message. The caller frees the options in both cases. */
int net_rvif_parse(const char *arguments, struct net_rvif_options *options);
void net_rvif_free_options(struct net_rvif_options *options);

/* region.c: the region for what the application configured, and setting the port up and down */
int net_rvif_region_open(struct net_rvif_port *port, const struct rte_eth_dev_data *data);
int net_rvif_up(struct net_rvif_port *port, const struct rte_eth_dev_data *data);
void net_rvif_down(struct net_rvif_port *port, const struct rte_eth_dev_data *data);
void net_rvif_region_close(struct net_rvif_port *port);
/* Says why opening or reconnecting has just failed in this thread. */
const char *net_rvif_why(const struct net_rvif_port *port, int error);
void net_rvif_set_rx_mode(struct net_rvif_port *port, uint8_t promiscuous, uint8_t all_multicast);

/* memory.c: finds the memory of the port's pools, and the files behind it if need_files. Returns 0,
 * or -errno after a message. */
int net_rvif_find_memory(struct net_rvif_memory *memory, bool need_files,
			 const struct rte_eth_dev_data *data);
/* Makes the ranges. To be called when the pieces have their places in the region. */
void net_rvif_make_ranges(struct net_rvif_memory *memory);
/* Answers switches that ask for the memory, as long as the region is open. */
int net_rvif_memory_serve(struct net_rvif_port *port);
void net_rvif_memory_end(struct net_rvif_port *port);

/* queue.c */
int net_rvif_rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors,
			    unsigned int socket, const struct rte_eth_rxconf *config,
			    struct rte_mempool *pool);
int net_rvif_tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors,
			    unsigned int socket, const struct rte_eth_txconf *config);
void net_rvif_rx_queue_release(struct rte_eth_dev *dev, uint16_t queue);
void net_rvif_tx_queue_release(struct rte_eth_dev *dev, uint16_t queue);
void net_rvif_rxq_info(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_rxq_info *info);
void net_rvif_txq_info(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_txq_info *info);
/* Checks that the queues' pools can take frames of this length. Returns 0, or -EINVAL after a
 * message. */
int net_rvif_check_frame(const struct rte_eth_dev_data *data, const struct net_rvif_rxq *queue,
			 uint32_t frame);

/* link.c */
int net_rvif_link_update(struct rte_eth_dev *dev, int wait);
int net_rvif_link_watch(struct rte_eth_dev *dev);
void net_rvif_link_unwatch(struct rte_eth_dev *dev);

/* stats.c */
int net_rvif_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats);
int net_rvif_stats_reset(struct rte_eth_dev *dev);
int net_rvif_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n);
int net_rvif_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names,
			      unsigned int n);
/* Adds what the switch has counted since the last call. */
void net_rvif_count_missed(struct net_rvif_rxq *queue);

/* rx.c and tx.c, built once for any x86-64 and once for AVX2 */
uint16_t net_rvif_rx_sse2(void *queue, struct rte_mbuf **frames, uint16_t count);
uint16_t net_rvif_rx_avx2(void *queue, struct rte_mbuf **frames, uint16_t count);
uint16_t net_rvif_tx_sse2(void *queue, struct rte_mbuf **frames, uint16_t count);
uint16_t net_rvif_tx_avx2(void *queue, struct rte_mbuf **frames, uint16_t count);

/* zero_copy.c: the same for zero_copy=1 */
uint16_t net_rvif_rx_zero_copy(void *queue, struct rte_mbuf **frames, uint16_t count);
uint16_t net_rvif_tx_zero_copy(void *queue, struct rte_mbuf **frames, uint16_t count);
/* Posts as many empty mbufs as the pool has and the ring has room for. */
void net_rvif_refill(struct net_rvif_rxq *queue);
/* Records that a descriptor stands for this mbuf, which may have other holders, or for none. */
void net_rvif_tx_hold(struct net_rvif_txq *queue, uint32_t index, struct rte_mbuf *m);
/* Gives all mbufs back that the switch had. The port must be down. */
void net_rvif_rx_release(struct net_rvif_rxq *queue);
void net_rvif_tx_release(struct net_rvif_txq *queue);

/* rx_slow.c, tx_slow.c: everything except single frames that fit into one buffer. */

/* Takes one frame, which begins at ring.reaped and has at most `available` descriptors. first: an
 * mbuf for it. Returns the frame, which uses that mbuf, or NULL, and the mbuf stays the caller's.
 * *used: how many descriptors are done; 0: there were no mbufs. */
struct rte_mbuf *net_rvif_rx_slow(struct net_rvif_rxq *queue, struct rte_mbuf *first,
				  uint32_t available, uint32_t *used);
/* Does the same with mbufs that the switch has filled, with zero_copy=1. They are used in both
 * cases. */
struct rte_mbuf *net_rvif_rx_slow_zero_copy(struct net_rvif_rxq *queue, uint32_t available,
					    uint32_t *used);
/* Posts a frame of any kind. Returns 1: posted; 0: no room now; -1: counted as lost. The mbuf stays
 * the caller's. */
int net_rvif_tx_slow(struct net_rvif_txq *queue, struct rte_mbuf *frame);
/* Does the same with zero_copy=1. The mbuf stays the caller's only if it returns 0. */
int net_rvif_tx_slow_zero_copy(struct net_rvif_txq *queue, struct rte_mbuf *frame);
uint16_t net_rvif_tx_prepare(void *queue, struct rte_mbuf **frames, uint16_t count);

#endif
