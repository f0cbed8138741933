/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch's own memory. No driver shares any of it. Which thread may write which part:
 *
 *   rvs, rvs_port      The owner, in control calls. Senders read; all that a queue's lock
 *                      protects is valid for the sender that holds the lock.
 *   rvs_txq, rvs_rxq   The sender that holds its lock.
 *   rvs_bucket         All senders and the owner, by single atomic operations.
 *   rvs_sender         That sender.
 *
 * A lock word holds 0, the holder's number + 1, or RVS_LOCK_DEAD when the queue is not attached. A
 * sender can be stopped for ever between any two instructions. So the state under a lock changes by
 * one store, and the next holder derives the other words from it.
 */
#ifndef RVS_INTERNAL_H
#define RVS_INTERNAL_H

#include <rvs/rvs.h>

#define RVS_BATCH	     64	 /* frames that are worked on together */
#define RVS_PARTS	     128 /* their descriptors */
#define RVS_AHEAD	     4	 /* frames: how early memory is asked for */
#define RVS_SPINS	     1024
#define RVS_LOCK_DEAD	     UINT32_MAX
#define RVS_FLOOD	     0xffffu
#define RVS_MAC_MASK	     0xffffffffffffull
#define RVS_NO_GROUP	     0xffffu
#define RVS_NO_SOURCE	     UINT64_MAX
#define RVS_GROUP_BIT	     1u /* of an address's first byte, so bit 0 of the word */
#define RVS_LINK_LOCAL	     0x00000000c28001ull /* 01:80:C2:00:00:00 to 0F, as a word */
#define RVS_LINK_LOCAL_MASK  0xf0ffffffffffull
#define RVS_NO_VLAN	     4095u /* no frame is in it */
#define RVS_VLAN_WORDS	     64u
#define RVS_SNAPSHOTS	     16u  /* frames that are worked on together if their ports filter IP */
#define RVS_SNAPSHOT	     128u /* bytes of each that filters see */
#define RVS_CELLS	     64u
#define RVS_TYPE_TAG	     0x0081u /* 81-00, as loaded: a VLAN's tag */
#define RVS_TAG_SIZE	     4u
#define RVS_TYPE_MAC_CONTROL 0x0888u /* 88-08: pause frames */
#define RVS_TYPE_SLOW	     0x0988u /* 88-09: LACP */
#define RVS_WAYS	     5
#define RVS_PART	     16384u /* buckets, 1 MiB, that one call looks at */
#define RVS_MAP		     256

#define rvs_likely(x)	     __builtin_expect(!!(x), 1)
#define rvs_unlikely(x)	     __builtin_expect(!!(x), 0)
#define rvs_aligned(n)	     __attribute__((aligned(n)))

/* A table entry: address (48 bits), port (10), static, valid. 0: empty. */
#define RVS_ENTRY_PORT_SHIFT 48
#define RVS_ENTRY_PORT_MASK  0x3ffull
#define RVS_ENTRY_STATIC     (1ull << 62)
#define RVS_ENTRY_VALID	     (1ull << 63)

struct rvs_bucket {
	uint64_t entry[RVS_WAYS];
	uint32_t heard[RVS_WAYS];
	uint32_t unused;
} rvs_aligned(64);

/* The place of an entry in the table. The place stays valid, even if the entry has changed. */
struct rvs_place {
	uint32_t bucket;
	uint32_t way;
};

/* The counts of a transmit queue's taken frames. "current" tells which of two records counts. */
struct rvs_taken {
	uint64_t frames;
	uint64_t bytes;
	uint32_t next; /* descriptor */
	uint32_t unused[3];
};

struct rvs_txq {
	uint32_t lock;
	uint32_t current; /* +1 at each commit; the lowest bit tells the record */
	struct rvs_taken taken[2];
	uint64_t copies;
	uint64_t delivered;
	uint64_t drops[RVS_DROPS];
	struct rvif_queue *control; /* in the vNIC, where the layout says; as the ring */
	const struct rvif_desc *ring;
	struct rvs_place last; /* where the last run's receiver was found */
} rvs_aligned(RVS_ALIGNMENT);

/*
 * The counts of a receive queue's given frames. delivered_after is the count of the sender's queue
 * ("from") after this delivery. If the sender stops before it writes that count, the count can be
 * brought up to date.
 */
struct rvs_given {
	uint64_t frames;
	uint64_t bytes;
	uint64_t delivered_after;
	uint32_t from;		  /* number of the transmit queue */
	uint32_t from_generation; /* of its port: the counts begin anew at each attach */
	uint32_t next;		  /* descriptor */
	uint32_t unused;
};

struct rvs_rxq {
	uint32_t lock;
	uint32_t current; /* +1 at each commit; the lowest bit tells the record */
	struct rvs_given given[2];
	uint64_t missed;
	uint32_t notified; /* need_notify, when its driver was notified last */
	struct rvif_queue *control;
	struct rvif_desc *ring;
} rvs_aligned(RVS_ALIGNMENT);

/* Which senders fill a receive queue. Under the queue's lock. */
struct rvs_sharing {
	uint32_t shared_at; /* when more than one port sent here while it was crowded */
	uint32_t was_shared;
	uint16_t owner[RVS_CELLS]; /* port + 1 that filled this part of the ring last; 0: none */
};

struct rvs_port {
	uint8_t *region;
	uint64_t size;
	/* the port may always send from this address; RVS_NO_SOURCE, a group's: from none */
	uint64_t own_source;
	uint64_t head_mask; /* the bits of bytes 6 to 13 that admission depends on */
	uint32_t each;	    /* admission depends on more, and looks at each frame */
	uint32_t flags;
	uint32_t features;
	uint32_t buffer_size;
	uint32_t max_frame;
	uint32_t tx_mask;
	uint32_t rx_mask;
	uint32_t tx_queues;
	uint32_t rx_queues;
	struct rvif_layout layout;
	uint32_t plain_frame; /* longest one that one buffer takes */
	uint32_t last_buffer; /* last offset at which a buffer is inside */
	uint32_t generation;
	uint32_t vlan;	/* of frames without a tag; RVS_NO_VLAN: these are dropped */
	uint32_t table; /* of vlan: its first bucket */
	/* a frame that came without a tag leaves unchanged if these two are the same */
	uint32_t sends_to;
	uint32_t hears;
	uint32_t captured;
	uint32_t crowded; /* a receive ring with fewer free descriptors is; 0: never */
	/* fields that are needed less often, or change */
	uint32_t learned rvs_aligned(RVS_ALIGNMENT);
	uint32_t max_learned;
	uint32_t learned_seen; /* up to rvs->aged_to */
	uint32_t attached;     /* the owner's */
	uint64_t mac;	       /* 0: none */
	uint64_t swept_to;     /* while it is being detached: buckets from here on may name it */
	uint32_t has_vlans;
	uint32_t rules_at; /* from here: struct rvs_rules */
	uint32_t limits;   /* bits by enum rvs_limit */
} rvs_aligned(RVS_ALIGNMENT);

/* The rest of a limit. Senders take from it, perhaps more than there is, and the owner fills it. */
struct rvs_meter {
	int64_t left;
	uint64_t per_second;
	uint64_t most;
	uint64_t rest; /* millionths, of the last time */
};

/* A port's rules for VLANs and IP addresses, for admission. */
struct rvs_rules {
	uint64_t trunk[RVS_VLAN_WORDS]; /* VLANs whose frames have a tag */
	uint64_t ipv6[RVS_MAX_IPS][2];
	uint32_t ipv4[RVS_MAX_IPS]; /* as in memory */
	uint32_t ipv4_count;
	uint32_t ipv6_count;
	struct rvs_meter meter[RVS_LIMITS] rvs_aligned(RVS_ALIGNMENT);
} rvs_aligned(RVS_ALIGNMENT);

/* A taken frame. Each of its values was read once. A cache line has two frames. */
struct rvs_frame {
	uint8_t *data;	    /* its first part */
	uint64_t head_dst;  /* bytes 0 to 5 */
	uint64_t head_rest; /* bytes 6 to 13: source, type */
	uint16_t flags;	    /* enum rvif_desc_flag, RVS_SPECIAL, RVS_TAGGED */
	uint16_t vlan;	    /* by admission */
	uint16_t total;
	uint16_t group;
};

#define RVS_SPECIAL (1u << 15) /* several parts, offloads or a tag: see rvs_extra */
#define RVS_TAGGED  (1u << 14) /* has a tag that its port's policy makes one */

/* More values of a special frame. */
struct rvs_extra {
	uint64_t offload; /* second half of the descriptor */
	uint16_t length;  /* of the first part */
	uint16_t parts;	  /* further ones */
	uint16_t first_part;
	uint16_t priority; /* of a tag: all but its VLAN */
	uint16_t type;	   /* behind it, as loaded */
};

struct rvs_part {
	uint8_t *data;
	uint32_t length;
};

/* The sums of a batch, or of its frames before one of them. */
struct rvs_amount {
	uint64_t bytes;
	uint16_t frames; /* good and bad ones */
	uint16_t descs;
	uint16_t charged; /* frames that count for the port's limits */
	uint32_t charged_bytes;
};

/* Frames for one receive queue. */
struct rvs_group {
	uint16_t port;
	uint16_t queue;
	uint16_t slot; /* of the map */
	uint16_t count;
	uint16_t start; /* in order[] */
};

/* A sender's workspace; nothing in it outlives a call. */
struct rvs_sender {
	struct rvs *rvs;
	struct rvs_port *port;
	struct rvs_txq *txq;
	struct rvs_result *result;
	uint32_t number;
	uint32_t port_number;
	uint32_t txq_number;
	uint32_t now;
	uint64_t flooded; /* bit i: frame i has had a receiver */
	uint32_t frame_count;
	uint32_t group_count;
	uint32_t flood_count;
	uint32_t part_count;
	uint32_t many_queues; /* the last frame's receiver has more than one */
	uint32_t bad_count;
	uint32_t hold;		 /* RVS_HOLD, or 0 */
	uint32_t recording;	 /* the place of its last record in the capture ring */
	struct rvs_amount batch; /* that was taken */
	/* of the port's limits, what this batch may use and has used */
	int64_t allowed[RVS_LIMITS];
	int64_t used[RVS_LIMITS];
	uint8_t bad[RVS_BATCH];	   /* reasons of frames that pass one threw away */
	uint8_t order[RVS_BATCH];  /* indexes of frames, by group */
	uint8_t flood[RVS_BATCH];  /* of frames that are flooded */
	uint8_t wanted[RVS_BATCH]; /* of these, for the receiver at hand */
	uint16_t map[RVS_MAP];	   /* valid only if the group that it names agrees */
	struct rvs_group groups[RVS_BATCH];
	struct rvs_part parts[RVS_PARTS + RVS_SNAPSHOTS];
	uint8_t snapshots[RVS_SNAPSHOTS][RVS_SNAPSHOT];
	struct rvs_part buffers[RVIF_MAX_CHAIN];
	uint32_t hashes[RVS_BATCH]; /* of flooded frames */
	struct rvs_extra extras[RVS_BATCH];
	struct rvs_amount before[RVS_BATCH];
	struct rvs_frame frames[RVS_BATCH] rvs_aligned(64); /* from the end on: bad ones */
} rvs_aligned(RVS_ALIGNMENT);

struct rvs {
	struct rvs_config config;
	uint64_t ports_at; /* offsets from the start */
	uint64_t rules_at;
	uint64_t txqs_at;
	uint64_t rxqs_at;
	uint64_t sharing_at;
	uint64_t buckets_at;
	uint64_t senders_at;
	uint64_t capture_at;
	uint64_t size;
	uint64_t bucket_count; /* of all tables */
	uint64_t aged_to;      /* the bucket that ages next */
	uint32_t bucket_mask;  /* of one */
	uint32_t bucket_shift;
	uint16_t network_of[RVS_NO_VLAN + 1]; /* a VLAN's table; 0: that of ports without VLANs */
	uint16_t vlan_of[RVS_NO_VLAN + 1];    /* whose table it is; 0: free */
	uint64_t live[RVS_MAX_PORTS / 64] rvs_aligned(RVS_ALIGNMENT); /* ports to flood to */
} rvs_aligned(RVS_ALIGNMENT);

static inline struct rvs_port *rvs_port_at(struct rvs *rvs, uint32_t port)
{
	return (struct rvs_port *)((uint8_t *)rvs + rvs->ports_at) + port;
}

static inline struct rvs_txq *rvs_txq_at(struct rvs *rvs, uint32_t number)
{
	return (struct rvs_txq *)((uint8_t *)rvs + rvs->txqs_at) + number;
}

static inline struct rvs_rxq *rvs_rxq_at(struct rvs *rvs, uint32_t number)
{
	return (struct rvs_rxq *)((uint8_t *)rvs + rvs->rxqs_at) + number;
}

static inline struct rvs_sharing *rvs_sharing_at(struct rvs *rvs, uint32_t number)
{
	return (struct rvs_sharing *)((uint8_t *)rvs + rvs->sharing_at) + number;
}

static inline struct rvs_sender *rvs_sender_at(struct rvs *rvs, uint32_t number)
{
	return (struct rvs_sender *)((uint8_t *)rvs + rvs->senders_at) + number;
}

static inline struct rvs_bucket *rvs_bucket_at(struct rvs *rvs, uint64_t number)
{
	return (struct rvs_bucket *)((uint8_t *)rvs + rvs->buckets_at) + number;
}

static inline uint32_t rvs_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint64_t rvs_load64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void rvs_store64(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Adds to a counter, in the only thread that may write it. */
static inline void rvs_count(uint64_t *counter, uint64_t n)
{
	rvs_store64(counter, *counter + n);
}

static inline void rvs_drop(struct rvs_sender *s, uint32_t reason, uint32_t n)
{
	rvs_count(&s->txq->drops[reason], n);
	s->result->dropped += n;
}

static inline int rvs_lock_try(uint32_t *lock, uint32_t value)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(lock, &free, value, 0, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* Tries to take a lock. With one thread only, the lock word tells where that thread was stopped. */
static inline int rvs_lock_for(const struct rvs *rvs, uint32_t *lock, uint32_t value)
{
	if (!rvs->config.one_thread)
		return rvs_lock_try(lock, value);
	if (rvif_load(lock))
		return 0;
	rvif_store(lock, value);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return 1;
}

static inline void rvs_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* Returns the record that counts. The other record is filled, and then one store makes it count. */
static inline struct rvs_taken *rvs_taken_now(struct rvs_txq *txq)
{
	return &txq->taken[txq->current & 1];
}

static inline struct rvs_given *rvs_given_now(struct rvs_rxq *rxq)
{
	return &rxq->given[rxq->current & 1];
}

/* Makes a record count. The sender may stop here, so the compiler must not move stores across. */
static inline void rvs_commit(uint32_t *current, uint32_t value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(current, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Makes frames count as taken. */
static inline void rvs_commit_taken(struct rvs_txq *txq, uint32_t frames, uint64_t bytes,
				    uint32_t descs)
{
	const uint32_t current = txq->current;
	const struct rvs_taken *now = &txq->taken[current & 1];
	struct rvs_taken *next = &txq->taken[~current & 1];

	rvs_store64(&next->frames, now->frames + frames);
	rvs_store64(&next->bytes, now->bytes + bytes);
	next->next = now->next + descs;
	rvs_commit(&txq->current, current + 1);
	rvif_publish(&txq->control->taken, next->next);
}

static inline struct rvs_rules *rvs_rules_of(const struct rvs_port *port)
{
	return (struct rvs_rules *)((uintptr_t)port + port->rules_at);
}

static inline int rvs_in_trunk(const struct rvs_port *port, uint32_t vlan)
{
	return rvs_rules_of(port)->trunk[vlan / 64] >> vlan % 64 & 1;
}

/* Tells whether a port is in a VLAN. Frames of ports without VLANs are in VLAN 0. */
static inline int rvs_in_vlan(const struct rvs_port *port, uint32_t vlan)
{
	return vlan == port->vlan || rvs_in_trunk(port, vlan);
}

static inline uint32_t rvs_network_of(const struct rvs *rvs, uint32_t vlan)
{
	return __atomic_load_n(&rvs->network_of[vlan], __ATOMIC_RELAXED);
}

/* Returns the first bucket of a VLAN's table. */
static inline uint32_t rvs_table_of(const struct rvs *rvs, uint32_t vlan)
{
	return rvs_network_of(rvs, vlan) << rvs->bucket_shift;
}

/* Tells whether all `length` bytes at `offset` lie in the port's data area. */
static inline int rvs_in_data(const struct rvs_port *port, uint32_t offset, uint32_t length)
{
	return offset >= port->layout.buffers && (uint64_t)offset + length <= port->size;
}

/* Reads the first word of a driver's descriptor, once. */
static inline uint64_t rvs_desc_word(const struct rvif_desc *ring, uint32_t index, uint32_t mask)
{
	return rvs_load64((const uint64_t *)(const void *)&ring[index & mask]);
}

/* Counts posted descriptors that are not completed. It is 0 while the driver claims more than its
 * ring. */
static inline uint32_t rvs_posted(const struct rvif_queue *control, uint32_t next, uint32_t mask)
{
	uint32_t n = rvif_distance(rvif_load_acquire(&control->posted), next);

	return rvs_likely(n <= mask + 1) ? n : 0;
}

static inline uint64_t rvs_mac_word(const uint8_t mac[6])
{
	return mac[0] | (uint64_t)mac[1] << 8 | (uint64_t)mac[2] << 16 | (uint64_t)mac[3] << 24 |
	       (uint64_t)mac[4] << 32 | (uint64_t)mac[5] << 40;
}

static inline void rvs_mac_bytes(uint8_t mac[6], uint64_t word)
{
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(word >> 8 * i);
}

/* table.c: tells whether this port may send from the address. If it may, the table learns that. */
int rvs_source(struct rvs *rvs, uint32_t port, uint32_t table, uint64_t mac, uint32_t now);
int rvs_table_set(struct rvs *rvs, uint32_t port, uint64_t mac);
/* Removes a part of the addresses of a port that is being detached. Returns 1 if there are more. */
int rvs_table_leave(struct rvs *rvs, uint32_t port);

/* filter.c: takes over the policy's IP addresses. */
void rvs_filter_set(struct rvs_port *port, const struct rvs_policy *policy);
/* Tells whether frame n is from the port's addresses. The checked copy is delivered. */
uint32_t rvs_filter(struct rvs_sender *s, uint32_t n);

/* meter.c: takes over the policy's limits. A limit that stays the same keeps its rest. */
void rvs_meter_set(struct rvs_port *port, const struct rvs_policy *policy);
/* Run before and after a batch of a port with limits. */
void rvs_meter_open(struct rvs_sender *s);
void rvs_meter_close(struct rvs_sender *s);

static inline int rvs_is_within(const struct rvs_sender *s, uint32_t limit)
{
	return s->used[limit] < s->allowed[limit];
}

/* vlan.c: takes over the policy's VLANs, and gives each a table. Returns RVIF_OK or the reason. */
enum rvif_reason rvs_vlans_join(struct rvs *rvs, uint32_t port, const struct rvs_policy *policy);
/* Gives back the tables of a port that is not attached, and has no addresses any more. */
void rvs_vlans_leave(struct rvs *rvs, uint32_t port);

/*
 * deliver.c: makes a batch count as taken, and copies all its frames to their receivers. Held
 * frames are not in the batch afterwards.
 */
void rvs_deliver(struct rvs_sender *s);

/*
 * record.c: record the frame at this place of s->frames, which a captured port sent or was to be
 * given. A frame that was given is recorded as it lies in s->buffers.
 */
void rvs_record_taken(struct rvs_sender *s, uint32_t n, uint32_t verdict);
void rvs_record_given(struct rvs_sender *s, uint32_t port, uint32_t n, uint32_t verdict,
		      uint32_t buffers);
/* Releases the record in which a sender may have been stopped. The sender does not run any more. */
void rvs_record_release(struct rvs *rvs, uint32_t sender);

/* flow.c */
uint32_t rvs_flow_hash(const struct rvs_frame *frame, uint32_t length);

/* Returns the bytes of a frame's first part. */
static inline uint32_t rvs_first_length(const struct rvs_sender *s, uint32_t frame)
{
	return s->frames[frame].flags & RVS_SPECIAL ? s->extras[frame].length :
						      s->frames[frame].total;
}

/* checksum.c: fills in the checksum of a frame that lies in these buffers */
void rvs_checksum(const struct rvs_part *buffers, uint32_t count, uint32_t start, uint32_t offset);

static inline uint32_t rvs_pick_queue(uint32_t hash, uint32_t queues)
{
	return (uint32_t)((uint64_t)hash * queues >> 32);
}

#endif
