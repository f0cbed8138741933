/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs: a learning switch between rvif vNICs. Freestanding: no library, no allocation, no system
 * call, no clock. It never trusts a byte of a vNIC's memory, and never waits for a vNIC's driver.
 *
 * Forwarding (rvs_forward) runs in any number of senders at once. All other calls are control: the
 * owner makes one at a time, while forwarding goes on. docs/rvs.md explains the whole.
 *
 * Link with librvs; apps/hub/hub.c is a whole program.
 */
#ifndef RVS_H
#define RVS_H

#include <rvif/rvif.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RVS_MAX_PORTS	1024
#define RVS_MAX_SENDERS 4096
#define RVS_MAX_BUCKETS (1u << 24)
#define RVS_MAX_WAKES	16
#define RVS_ALIGNMENT	128
#define RVS_MAX_VLAN	4094
#define RVS_MAX_IPS	8
#define RVS_MAX_RATE	(1ull << 40) /* of a limit */
#define RVS_MAX_RECORDS (1u << 20)

struct rvs;

struct rvs_config {
	uint32_t ports;
	uint32_t senders; /* CPUs or threads that may forward at once */
	uint32_t queues;  /* most queues of a port in each direction, up to RVIF_MAX_QUEUES */
	uint32_t buckets; /* of the forwarding table, 5 addresses each; a power of two. With 4 for
			   * each port no port is refused because others fill its bucket */
	uint32_t vlans;	  /* in which its ports may be at once; each has a table of its own */
	uint32_t max_age; /* of a learned address, in the caller's units of time */
	uint32_t records; /* places in the capture ring; a power of two, 0: it has none */
	uint32_t one_thread; /* 1: one thread makes all calls; then locks cost next to nothing */
	uint64_t seed; /* unknown to the ports' drivers, so that they cannot aim at a bucket */
};

/* All calls return 0 or more, or one of these negated, rvs_port_attach -enum rvif_reason. */
enum rvs_error {
	RVS_BAD_CONFIG = 1, /* a number of rvs_config is out of range */
	RVS_BAD_MEMORY,	    /* not aligned, or too small */
	RVS_BAD_SENDER,	    /* no such sender */
	RVS_BAD_PORT,	    /* no such port, or not attached */
	RVS_BAD_QUEUE,	    /* the port has no such queue */
	RVS_BAD_ADDRESS,    /* a group's address, or none */
	RVS_BUSY,	    /* a sender is inside, or there is more to do; try again */
	RVS_EXISTS,	    /* another port has the address for good */
	RVS_FULL,	    /* the table has no place for the address */
	RVS_NOT_FOUND,	    /* the table does not have it */
};

/* Bytes for a switch of this configuration; 0: RVS_BAD_CONFIG. */
uint64_t rvs_size(const struct rvs_config *config);

/* The switch is at memory afterwards: it has no pointers into itself and may be mapped
 * elsewhere. */
int rvs_init(void *memory, uint64_t size, const struct rvs_config *config);

/* ------------------------------------------------------------------------------------ ports */

enum rvs_port_flag {
	RVS_CHECK_SOURCE = 1 << 0, /* may send from its own and its static addresses only */
	/* what it sends teaches nothing, but that an address is not behind another port any more */
	RVS_NO_LEARNING = 1 << 1,
	RVS_KICK = 1 << 2, /* no thread polls: the driver has to kick after posting */
	/* frames to 01:80:C2:00:00:00 to 0F (STP, LLDP) are flooded. Pause frames and slow
	 * protocols (LACP) never are: they are for the other end of a cable */
	RVS_FORWARD_LINK_LOCAL = 1 << 3,
	RVS_ISOLATED = 1 << 4, /* reaches only ports, and is reached only by ports, that are not */
	/* of IP, ARP and neighbour discovery it sends only what is from its addresses, and
	 * nothing else */
	RVS_CHECK_IP = 1 << 5,
	/* no sender gets the last quarter of a receive ring that others use, too */
	RVS_SHARE_RING = 1 << 6,
};

enum rvs_limit {
	RVS_LIMIT_FRAMES, /* that it sends */
	RVS_LIMIT_BYTES,
	RVS_LIMIT_FLOODS, /* frames to groups and unknown addresses */
	RVS_LIMITS,
};

struct rvs_policy {
	uint8_t mac[6];	      /* all 0: what the driver proposes, which may be none */
	uint32_t flags;	      /* enum rvs_port_flag */
	uint32_t features;    /* enum rvif_feature, offered */
	uint32_t max_learned; /* addresses */
	uint32_t mbps;	      /* told to the driver */
	/* The VLAN of frames without a tag. 0: a trunk drops these frames. A port with 0 that is no
	 * trunk is in no VLAN: a tag is payload, and it reaches other such ports only. */
	uint32_t vlan;
	uint64_t trunk[64]; /* bit v: it sends and gets frames of VLAN v, with their tag */
	/* with RVS_CHECK_IP; beside these the link-local address that its MAC address makes */
	uint32_t ipv4_count;
	uint32_t ipv6_count;
	uint8_t ipv4[RVS_MAX_IPS][4];
	uint8_t ipv6[RVS_MAX_IPS][16];
	uint64_t per_second[RVS_LIMITS]; /* 0: without limit; see rvs_refill */
};

/* Attaches the vNIC at region as port. The answer is written to the vNIC as well. The memory stays
 * readable and writable until the port is detached. Returns 0 or -enum rvif_reason. At 0 the owner
 * wakes the port's receivers: an earlier switch may have owed them a wake-up. An owner that was
 * stopped in it detaches the port, which may answer -RVS_BAD_PORT, and attaches it anew. */
int rvs_port_attach(struct rvs *rvs, uint32_t port, void *region, uint64_t size,
		    const struct rvs_policy *policy);

/* Detaches a port. From the first call on, no frame goes in; at 0 the switch does not use the
 * memory any more. An owner that was stopped in this function calls it again. -RVS_BUSY: a sender
 * is inside; call again, or rvs_sender_gone if it does not run any more. Or a call has removed only
 * a part of the port's addresses from a long forwarding table: call again. */
int rvs_port_detach(struct rvs *rvs, uint32_t port);

/* Resets a port for the vNIC of another owner: address and counters of the last one disappear.
 * -RVS_BUSY: the port is attached. What is left of the port's limits stays. */
int rvs_port_forget(struct rvs *rvs, uint32_t port);

/* What the port's driver sees as the state of its link. 0 or -RVS_BAD_PORT. */
int rvs_port_set_link(struct rvs *rvs, uint32_t port, int up);

/* -------------------------------------------------------------------------------- forwarding */

struct rvs_result {
	uint32_t frames;    /* taken from the queue */
	uint32_t delivered; /* into receive queues; more than frames if flooded */
	uint32_t dropped;
	uint32_t pending;    /* descriptors left */
	uint32_t next;	     /* index of the first of them */
	uint32_t held;	     /* not 0: these wait for room in their only receiver's queue */
	uint32_t wakes;	     /* receivers that asked to be woken */
	uint32_t more_wakes; /* not 0: there were more, wake all that could sleep */
	struct {
		uint16_t port;
		uint16_t queue;
	} wake[RVS_MAX_WAKES];
};

/* Moves up to budget frames from a port's transmit queue. A sender makes one call at a time.
 * -RVS_BUSY: another sender works on this queue. now: any monotonic coarse time, e.g. seconds. With
 * RVS_HOLD in the budget, frames stay in the ring if their receiver's queue is full. That holds
 * only if all frames that are seen behind them are for the same queue. To end the wait, the caller
 * omits RVS_HOLD. */
#define RVS_HOLD (1u << 31)
int rvs_forward(struct rvs *rvs, uint32_t sender, uint32_t port, uint32_t queue, uint32_t budget,
		uint32_t now, struct rvs_result *result);

/*
 * This many microseconds have passed: ports with limits get what they may send in that time. They
 * keep at most what a tenth of a second gives. Call it at least that often, or ports fall short of
 * their limits. Returns how many ports had less.
 */
int rvs_refill(struct rvs *rvs, uint32_t microseconds);

/*
 * Tells drivers whether to kick. An owner that polls calls it before it sleeps (wanted = 1), and
 * once it is awake (0). Returns how many ports have frames posted or never kick: if not 0, frames
 * may come without a kick.
 */
int rvs_want_kicks(struct rvs *rvs, int wanted);

/* Cleans up after a sender that does not run any more, and was perhaps stopped at any instruction.
 * Releases what the sender held. Frames that it had taken and not delivered count as
 * RVS_DROP_ABANDONED. Returns how many queues it held: if not 0, the owner wakes all receivers that
 * could sleep. */
int rvs_sender_gone(struct rvs *rvs, uint32_t sender);
/* Before rvs_sender_gone(): how many receive queues the sender holds, none of them its own port's.
 * These are what others lose by it, not the transmit queue that it empties. */
int rvs_sender_holds(struct rvs *rvs, uint32_t sender);

/* ------------------------------------------------------------------------- forwarding table */

/* For good, until removed or the port is detached. */
int rvs_static_add(struct rvs *rvs, uint32_t port, const uint8_t mac[6]);
int rvs_static_remove(struct rvs *rvs, uint32_t port, const uint8_t mac[6]);

/* Removes learned addresses that no frame came from for max_age, in the next 16384 buckets. Nothing
 * is sent to these addresses anyway; ports get the room. 1: there are more buckets. 0: that was the
 * end, and the next call begins again. */
int rvs_table_age(struct rvs *rvs, uint32_t now);
/* Removes all that a port taught, or all (port < 0), in one call however long the table is. Returns
 * how many. */
int rvs_table_flush(struct rvs *rvs, int port);

struct rvs_entry {
	uint8_t mac[6];
	uint16_t port;
	uint16_t vlan; /* 0: none */
	uint16_t is_static;
	uint32_t heard; /* the caller's time */
};

/* Copies up to room entries from *position on, which starts at 0. It looks at the next
 * RVS_DUMP_LOOKS positions and skips empty ones; with many VLANs most are empty. Returns how many;
 * -1: that was the end. */
#define RVS_DUMP_LOOKS 16384
int rvs_table_dump(struct rvs *rvs, uint64_t *position, struct rvs_entry *entries, uint32_t room);

/* ----------------------------------------------------------------------------------- capture */

#define RVS_SNAP 2032 /* most bytes of a frame that are copied */

/* Where the capture ring begins in the rvs_size() bytes. From there on there is nothing else, in
 * whole pages, so that an observer in another process may have these pages to read. */
uint64_t rvs_capture_offset(const struct rvs_config *config);

/* Begins or ends to copy frames that the port sends and gets into the ring. -RVS_BAD_CONFIG: there
 * is no ring. */
int rvs_capture(struct rvs *rvs, uint32_t port, int is_on);

/* A frame that was taken from a port or given to it. Its bytes are what its sender or receiver had
 * in its memory at that time: any. */
struct rvs_copy {
	uint16_t port;
	uint16_t length; /* of the frame */
	uint16_t size;	 /* bytes that are here */
	uint8_t given;	 /* to the port, not sent by it */
	uint8_t verdict; /* enum rvs_verdict, by then: one that was sent may be dropped later */
	uint8_t bytes[RVS_SNAP];
};

/* All of it is the observer's own. */
struct rvs_observer {
	const void *ring;
	uint64_t records;
	uint64_t next;
	uint64_t waits_for;
};

/* Begins at what comes next. The ring stays where it is. -RVS_BAD_MEMORY: it is none. */
int rvs_observe(struct rvs_observer *observer, const void *ring, uint64_t size);
/* The next frame, of any port, in the order in which they came. 1; 0: none for now. */
int rvs_observed(struct rvs_observer *observer, struct rvs_copy *copy);
/* How many frames of the port there were since the switch began, read in time or not. */
uint64_t rvs_observable(const struct rvs_observer *observer, uint32_t port);

/* -------------------------------------------------------------------------------- statistics */

/* Why a frame was dropped, and what reports call that. */
/* clang-format off */
#define RVS_DROP_LIST(DROP) \
	DROP(BAD_DESC, bad_desc, "data outside of the data area, or an unknown flag") \
	DROP(BAD_LENGTH, bad_length, "shorter than 14 bytes or longer than max_frame") \
	DROP(BAD_CHAIN, bad_chain, "no end, too many parts, or an empty one") \
	DROP(BAD_OFFLOAD, bad_offload, "not granted, or fields that make no sense") \
	DROP(BAD_SOURCE, bad_source, "from a group's address or none") \
	DROP(SPOOFED, spoofed, "from an address that is not the port's") \
	DROP(VLAN, vlan, "a tag, or none, that a port does not take") \
	DROP(BAD_IP, bad_ip, "not from the port's IP addresses: see RVS_CHECK_IP") \
	DROP(RATE, rate, "beyond the port's limit of frames or bytes") \
	DROP(STORM, storm, "beyond the port's limit of flooded frames") \
	DROP(ISOLATED, isolated, "from one isolated port to another") \
	DROP(SAME_PORT, same_port, "to an address behind the port it came from") \
	DROP(LINK_LOCAL, link_local, "not for others: see RVS_FORWARD_LINK_LOCAL") \
	DROP(NO_RECEIVER, no_receiver, "flooded, and no port is there or wants it") \
	DROP(DETACHED, detached, "the receiver went away") \
	DROP(BUSY, busy, "other senders held the receive queue for too long") \
	DROP(FULL, full, "no buffers in the receive queue, or none for it") \
	DROP(TOO_LONG, too_long, "longer than the receiver's max_frame") \
	DROP(NO_GSO, no_gso, "needs segmentation for the receiver, but has unsuitable headers") \
	DROP(BAD_BUFFER, bad_buffer, "the receiver's buffer is outside of its data area") \
	DROP(ABANDONED, abandoned, "in flight when its sender was stopped")
/* clang-format on */

#define RVS_DROP_NUMBER(name, word, text) RVS_DROP_##name,

enum rvs_verdict {
	RVS_GOOD,		       /* not dropped */
	RVS_DROP_LIST(RVS_DROP_NUMBER) /**/
	RVS_DROPS,
};

/*
 * Of the frames that a port sent: frames + copies = delivered + all drops, whenever no sender is
 * inside. The sum of delivered over all ports is the sum of rx_frames, but for ports that were
 * attached again (their counters begin at 0).
 */
struct rvs_stats {
	uint64_t frames;
	uint64_t bytes;
	uint64_t copies; /* further receivers of flooded frames, further segments of cut ones */
	uint64_t delivered;
	uint64_t drops[RVS_DROPS]; /* by enum rvs_verdict; of RVS_GOOD always 0 */
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t rx_missed; /* frames for this port that found no buffers */
};

/* The sums of all queue pairs, while others forward: 0 or -RVS_BAD_PORT. */
int rvs_port_stats(struct rvs *rvs, uint32_t port, struct rvs_stats *stats);
/* One queue pair's; a direction that has no such queue counts 0. */
int rvs_queue_stats(struct rvs *rvs, uint32_t port, uint32_t queue, struct rvs_stats *stats);

struct rvs_port_info {
	uint32_t attached;
	uint32_t generation;
	uint32_t features;
	uint32_t tx_queues;
	uint32_t rx_queues;
	uint32_t learned;
	uint8_t mac[6];
};

/* The state of a port, attached or not: 0 or -RVS_BAD_PORT. */
int rvs_port_info(struct rvs *rvs, uint32_t port, struct rvs_port_info *info);

#ifdef __cplusplus
}
#endif

#endif
