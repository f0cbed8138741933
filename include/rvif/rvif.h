/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvif 1: the shared memory of one virtual network interface, for the switch and for drivers. It
 * needs no C library. docs/rvif.md is the specification.
 *
 * The memory is shared with a peer that may be hostile. Each side must expect any value in the
 * other side's words, and another value the next time. So a side reads such a word once, into a
 * variable of its own, and checks that. Each word has one writer. A writer publishes with release
 * semantics, and a reader loads with acquire semantics.
 */
#ifndef RVIF_RVIF_H
#define RVIF_RVIF_H

#include <stddef.h>
#include <stdint.h>

#define RVIF_MAGIC	     0x31666976726c6565ull /* "eelrvif1" */
#define RVIF_VERSION	     1
#define RVIF_LINE	     128  /* each side writes to lines of its own only */
#define RVIF_HEADER_SIZE     4096 /* control blocks begin behind it */

#define RVIF_MAX_QUEUES	     128 /* in each direction */
#define RVIF_MIN_RING	     8
#define RVIF_MAX_RING	     32768
#define RVIF_MAX_CHAIN	     64 /* descriptors of a frame */
#define RVIF_MIN_BUFFER	     512
#define RVIF_MAX_BUFFER	     65535
#define RVIF_MIN_FRAME	     14 /* bytes; a destination, a source, a type */
#define RVIF_MIN_FRAME_LIMIT 64 /* smallest max_frame that may be asked for */
#define RVIF_MAX_FRAME	     65535
#define RVIF_MAX_REGION	     (1ull << 32)

enum rvif_feature {
	RVIF_F_CSUM = 1 << 0,	/* frames may lack their TCP/UDP checksum (RVIF_CSUM_NEEDED) */
	RVIF_F_TSO4 = 1 << 1,	/* frames may be TCP/IPv4 of more than a segment; needs CSUM */
	RVIF_F_TSO6 = 1 << 2,	/* frames may be TCP/IPv6 of more than a segment; needs CSUM */
	RVIF_F_NOTIFY = 1 << 3, /* the receiver may sleep */
	RVIF_F_ALL = (1 << 4) - 1,
};

/* The driver writes it while driver.state is down. The switch copies it once, when it attaches. */
struct rvif_config {
	uint64_t magic;
	uint64_t region_size; /* bytes that the layout may use, at most what is mapped */
	uint32_t version;
	uint16_t tx_queues; /* 1 to RVIF_MAX_QUEUES */
	uint16_t rx_queues;
	uint32_t tx_ring; /* descriptors of each ring, a power of two */
	uint32_t rx_ring;
	uint32_t buffer_size; /* bytes of each receive buffer */
	uint32_t max_frame;   /* bytes of the longest frame but for TSO, without its FCS */
	uint32_t features;    /* wanted */
	uint8_t mac[6];	      /* proposed; all 0: none */
	uint8_t any_mac;      /* 1: the driver also accepts another address that the switch has for
			       * this port */
	uint8_t reserved[77]; /* must be 0 */
};

enum rvif_driver_state {
	RVIF_DRIVER_DOWN,
	RVIF_DRIVER_UP,
};

enum rvif_rx_mode {
	RVIF_RX_PROMISCUOUS = 1 << 0, /* frames for unknown unicast addresses arrive, too */
	RVIF_RX_ALLMULTI = 1 << 1,    /* all multicast frames arrive; broadcasts always do */
};

/* The driver may write it at any time. */
struct rvif_driver_line {
	uint32_t state;	  /* enum rvif_driver_state; the last store of a start */
	uint32_t epoch;	  /* +1 at each start: the indexes are 0 and the configuration may be new */
	uint32_t rx_mode; /* enum rvif_rx_mode */
	uint32_t kicks;	  /* +1 at each kick; a switch may sleep on it */
	uint32_t reserved[28];
};

enum rvif_switch_state {
	RVIF_SWITCH_DETACHED,
	RVIF_SWITCH_ATTACHED,
	RVIF_SWITCH_REFUSED,   /* reason says why */
	RVIF_SWITCH_ATTACHING, /* the switch uses the region already; ATTACHED or REFUSED follows */
};

/* Why a vNIC was refused. */
enum rvif_reason {
	RVIF_OK,
	RVIF_BAD_ALIGNMENT,   /* the region does not begin at a multiple of RVIF_LINE */
	RVIF_BAD_MAGIC,	      /* not an rvif region, or not yet */
	RVIF_BAD_VERSION,     /* another version */
	RVIF_BAD_RESERVED,    /* a reserved byte of the configuration is not 0 */
	RVIF_BAD_QUEUES,      /* number of queues: 0 or too many */
	RVIF_BAD_RING,	      /* ring size: no power of two, too small or too large */
	RVIF_BAD_BUFFER,      /* buffer_size out of range */
	RVIF_BAD_FRAME,	      /* max_frame out of range, or more than RVIF_MAX_CHAIN buffers */
	RVIF_BAD_FEATURES,    /* TSO without CSUM */
	RVIF_BAD_MAC,	      /* the address is a group's */
	RVIF_BAD_SIZE,	      /* region_size exceeds what is there, or RVIF_MAX_REGION */
	RVIF_TOO_SHORT,	      /* region_size has no room for this layout and one buffer */
	RVIF_BAD_INDEX,	      /* a queue has more posted than its ring holds */
	RVIF_TOO_MANY_QUEUES, /* more queues than this switch was built for */
	RVIF_NO_PORT,	      /* the switch has no port left */
	RVIF_MAC_IN_USE,      /* another port has this address */
	RVIF_MAC_NOT_ALLOWED, /* the owner gave this port another address */
	RVIF_NO_TABLE_ROOM,   /* the forwarding table has no place for the address */
	RVIF_NOT_UP,	      /* the driver is down, or was started anew in the meantime */
	RVIF_NO_VLAN, /* the switch has no room for the VLANs that its owner gave the port */
	RVIF_REASONS,
};

/* Written by the switch. */
struct rvif_switch_line {
	uint32_t state;	     /* enum rvif_switch_state; the last store of an attach */
	uint32_t epoch;	     /* the epoch of the driver that this answers */
	uint32_t generation; /* +1 at each attach */
	uint32_t reason;     /* enum rvif_reason */
	uint32_t features;   /* granted, a subset of what was wanted */
	uint32_t link;	     /* 0 down, 1 up */
	uint32_t mbps;	     /* what to report as the link's speed; 0: unknown */
	uint8_t mac[6];	     /* the address in use; all 0: none */
	uint16_t reserved16;
	uint32_t reserved[23];
};

/* The header begins at byte 0 of a region. */
struct rvif_header {
	struct rvif_config config;
	struct rvif_driver_line driver;
	struct rvif_switch_line sw;
};

/*
 * The control block of a queue. In both directions the driver posts descriptors, and the switch
 * completes them in order. Indexes run freely: descriptor i lies at i & (ring - 1).
 */
struct rvif_queue {
	/* the driver writes these */
	uint32_t posted; /* descriptors posted so far */
	/* receive: not 0 when the driver is about to sleep. The driver stores another number each
	 * time, because the switch notifies it once for each number. */
	uint32_t need_notify;
	uint32_t driver_reserved[30];
	/* the switch writes these */
	uint32_t completed;   /* transmit: taken and copied; receive: filled */
	uint32_t kick_wanted; /* transmit: 1 when a driver that posted has to kick */
	uint64_t missed;      /* receive: frames that found no buffers, since the attach */
	/* transmit: descriptors that a batch has taken, which may be under way. A new switch goes
	 * on there. */
	uint32_t taken;
	uint32_t switch_reserved[27];
};

enum rvif_desc_flag {
	RVIF_MORE = 1 << 0, /* the frame continues in the next descriptor */
	/* the 16-bit checksum from csum_start to the end is missing. Its field, at csum_start +
	 * csum_offset, holds the pseudo header's sum. */
	RVIF_CSUM_NEEDED = 1 << 1,
	RVIF_CSUM_VALID = 1 << 2, /* the sender knows that the checksums are right */
	RVIF_GSO_TCP4 = 1 << 3,	  /* to be cut into segments of gso_size; with CSUM_NEEDED */
	RVIF_GSO_TCP6 = 1 << 4,
	RVIF_DESC_FLAGS = (1 << 5) - 1,
};

/* In a frame's later descriptors, only offset, length and MORE count. */
struct __attribute__((aligned(8))) rvif_desc {
	uint32_t offset; /* of the data, from the region's start; not below rvif_layout.buffers */
	uint16_t length; /* bytes of data; receive: written by the switch */
	uint16_t flags;	 /* enum rvif_desc_flag; receive: written by the switch */
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t gso_size;	/* payload bytes of each segment */
	uint16_t header_length; /* bytes before the payload; with GSO */
};

#ifdef __cplusplus
#define RVIF_STATIC_ASSERT static_assert
#else
#define RVIF_STATIC_ASSERT _Static_assert
#endif

RVIF_STATIC_ASSERT(sizeof(struct rvif_config) == RVIF_LINE, "rvif_config is a line");
RVIF_STATIC_ASSERT(sizeof(struct rvif_driver_line) == RVIF_LINE, "rvif_driver_line is a line");
RVIF_STATIC_ASSERT(sizeof(struct rvif_switch_line) == RVIF_LINE, "rvif_switch_line is a line");
RVIF_STATIC_ASSERT(sizeof(struct rvif_header) <= RVIF_HEADER_SIZE, "rvif_header fits its page");
RVIF_STATIC_ASSERT(sizeof(struct rvif_queue) == 2 * RVIF_LINE, "rvif_queue is two lines");
RVIF_STATIC_ASSERT(offsetof(struct rvif_queue, completed) == RVIF_LINE, "one side, one line");
RVIF_STATIC_ASSERT(sizeof(struct rvif_desc) == 16, "rvif_desc is 16 bytes");

/* Offsets of a region's parts. They follow from the configuration; none is read from shared
 * memory. */
struct rvif_layout {
	uint32_t tx_control; /* rvif_queue of each transmit queue */
	uint32_t rx_control;
	uint32_t tx_rings; /* rings of all transmit queues */
	uint32_t rx_rings;
	uint32_t buffers; /* the rest is for data */
};

static inline int rvif_ring_ok(uint32_t ring)
{
	return ring >= RVIF_MIN_RING && ring <= RVIF_MAX_RING && !(ring & (ring - 1));
}

/*
 * Computes the layout that a configuration means, or returns why there is none. The configuration
 * must be a private copy. The largest layout has 4096 + 2 * 128 * (256 + 32768 * 16) bytes, so 32
 * bits suffice.
 */
static inline enum rvif_reason rvif_layout(const struct rvif_config *config,
					   struct rvif_layout *layout)
{
	if (config->magic != RVIF_MAGIC)
		return RVIF_BAD_MAGIC;
	if (config->version != RVIF_VERSION)
		return RVIF_BAD_VERSION;
	for (size_t i = 0; i < sizeof(config->reserved); i++)
		if (config->reserved[i])
			return RVIF_BAD_RESERVED;
	if (config->any_mac > 1)
		return RVIF_BAD_RESERVED;
	if (!config->tx_queues || config->tx_queues > RVIF_MAX_QUEUES || !config->rx_queues ||
	    config->rx_queues > RVIF_MAX_QUEUES)
		return RVIF_BAD_QUEUES;
	if (!rvif_ring_ok(config->tx_ring) || !rvif_ring_ok(config->rx_ring))
		return RVIF_BAD_RING;
	if (config->buffer_size < RVIF_MIN_BUFFER || config->buffer_size > RVIF_MAX_BUFFER)
		return RVIF_BAD_BUFFER;
	if (config->max_frame < RVIF_MIN_FRAME_LIMIT || config->max_frame > RVIF_MAX_FRAME ||
	    config->max_frame > RVIF_MAX_CHAIN * config->buffer_size)
		return RVIF_BAD_FRAME;
	if ((config->features & (RVIF_F_TSO4 | RVIF_F_TSO6)) && !(config->features & RVIF_F_CSUM))
		return RVIF_BAD_FEATURES;
	if (config->mac[0] & 1)
		return RVIF_BAD_MAC;
	if (config->region_size > RVIF_MAX_REGION)
		return RVIF_BAD_SIZE;

	layout->tx_control = RVIF_HEADER_SIZE;
	layout->rx_control =
		layout->tx_control + config->tx_queues * (uint32_t)sizeof(struct rvif_queue);
	layout->tx_rings =
		layout->rx_control + config->rx_queues * (uint32_t)sizeof(struct rvif_queue);
	layout->rx_rings = layout->tx_rings +
			   config->tx_queues * config->tx_ring * (uint32_t)sizeof(struct rvif_desc);
	layout->buffers = layout->rx_rings +
			  config->rx_queues * config->rx_ring * (uint32_t)sizeof(struct rvif_desc);
	layout->buffers = (layout->buffers + 4095) & ~UINT32_C(4095);
	if (config->region_size < (uint64_t)layout->buffers + config->buffer_size)
		return RVIF_TOO_SHORT;
	return RVIF_OK;
}

/* Writes the word of a descriptor that every frame needs, in one store. The other side may load it
 * as one word at once. After a store in pieces that load would have to wait. */
static inline void rvif_desc_set(struct rvif_desc *desc, uint32_t offset, uint16_t length,
				 uint16_t flags)
{
	__atomic_store_n((uint64_t *)(void *)desc,
			 offset | (uint64_t)length << 32 | (uint64_t)flags << 48, __ATOMIC_RELAXED);
}

/* Returns the number of descriptors between two free-running indexes. */
static inline uint32_t rvif_distance(uint32_t ahead, uint32_t behind)
{
	return ahead - behind;
}

static inline uint32_t rvif_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Loads a word that the other side has published. What the other side wrote before rvif_publish()
 * is visible then. */
static inline uint32_t rvif_load_acquire(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void rvif_store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Stores a word. The other side sees what was written before it. */
static inline void rvif_publish(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Makes this side's stores visible to the other side before anything that is loaded after it. */
static inline void rvif_full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline struct rvif_queue *rvif_tx_queue(void *region, const struct rvif_layout *layout,
					       uint32_t queue)
{
	return (struct rvif_queue *)((uint8_t *)region + layout->tx_control) + queue;
}

static inline struct rvif_queue *rvif_rx_queue(void *region, const struct rvif_layout *layout,
					       uint32_t queue)
{
	return (struct rvif_queue *)((uint8_t *)region + layout->rx_control) + queue;
}

static inline struct rvif_desc *rvif_tx_ring(void *region, const struct rvif_layout *layout,
					     uint32_t ring, uint32_t queue)
{
	return (struct rvif_desc *)((uint8_t *)region + layout->tx_rings) + (size_t)queue * ring;
}

static inline struct rvif_desc *rvif_rx_ring(void *region, const struct rvif_layout *layout,
					     uint32_t ring, uint32_t queue)
{
	return (struct rvif_desc *)((uint8_t *)region + layout->rx_rings) + (size_t)queue * ring;
}

#endif
