/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of an rvif vNIC: create its region, start and stop it, post and reap
 * descriptors. Errors are -errno or -enum rvif_reason, as said at each function. One thread a ring;
 * nothing here waits but rvif_stop and a transport's wait.
 */
#ifndef RVIF_DRIVER_H
#define RVIF_DRIVER_H

#include <rvif/rvif.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rvif_vnic;

/*
 * How the region comes to be shared with a switch, and how each side is woken. The calls return
 * 0 or -errno.
 */
struct rvif_transport {
	const char *name;
	/* Makes vnic->size bytes of zeroes at vnic->region. */
	int (*open)(struct rvif_vnic *vnic, const char *where);
	/* Lets others find the region; its header is complete. */
	int (*announce)(struct rvif_vnic *vnic);
	/* Transmit queue has work. For the driver that found kick_wanted set. -EBUSY, only with
	 * hold_us: frames wait for a receiver that has no room; kick again soon. */
	int (*kick)(struct rvif_vnic *vnic, uint32_t queue);
	/* Sleeps while `completed` of the receive queue is seen. -ETIMEDOUT: after timeout_us;
	 * -ENOTCONN: the switch is gone; -EINTR: a signal came. -EAGAIN: woken for another queue:
	 * look, and ask again by rvif_ring_may_sleep(). */
	int (*wait)(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen, uint32_t timeout_us);
	/* driver.state was written: the switch has to look. -ENOTCONN: there is none, and no switch
	 * uses the region. NULL: it sees by itself. */
	int (*changed)(struct rvif_vnic *vnic);
	/* See rvif_reconnect(). NULL: another switch finds the region by itself. */
	int (*reconnect)(struct rvif_vnic *vnic);
	void (*close)(struct rvif_vnic *vnic);
	int takes_memory; /* 1: a region may end with memory of the driver's own */
};

/* A file that a switch maps, too: where is its path. Both sides sleep with futexes in it. */
extern const struct rvif_transport rvif_shared_file;

/* Memory of this process, between two inaccessible pages, for a switch in the same process. Both
 * sides sleep as with a file. */
extern const struct rvif_transport rvif_private_memory;

/* Which users may open the file of a vNIC, beside the one that makes it. */
struct rvif_access {
	uint32_t mode;	/* permission bits, as of chmod(2); 0: 0600 */
	uint32_t group; /* of the file, if has_group */
	int has_group;
};

/*
 * Memory of the driver's own at the end of its region, so that frames in it need no copy. With
 * rvif_shared_file it is whole pages of a file that a switch can map, too. Over ELISA it is whole
 * pages of this process, which are donated. A piece begins at a multiple of its page size, in the
 * file and in the region.
 */
struct rvif_memory {
	void *address; /* where this process has the piece; for ELISA */
	int fd;	       /* of the file, for rvif_shared_file */
	uint64_t at;   /* in the file */
	uint64_t size;
	uint64_t page;	 /* size of the pages, a power of two */
	uint64_t offset; /* in the region; set by rvif_place */
};

#define RVIF_MAX_MEMORY 253 /* pieces, as descriptors of one message of a socket */

struct rvif_sharing {
	struct rvif_memory *memory;
	uint32_t count;
	uint64_t own; /* bytes of the region before them */
};

struct rvif_vnic {
	const struct rvif_transport *transport;
	struct rvif_config config;
	struct rvif_layout layout;
	uint8_t *region;
	uint64_t size;	    /* bytes of it; a configuration may use less */
	void *private_data; /* the transport's */
	struct rvif_access access;
	/* Of a transport whose kicks move the frames: how long these may wait for a receiver that
	 * has no room, before they are dropped. 0: not at all. Set while no thread kicks. */
	uint64_t hold_us;
	const struct rvif_sharing *sharing; /* NULL: none */
};

/* One direction of one queue, private to the thread that uses it. */
struct rvif_ring {
	struct rvif_queue *control;
	struct rvif_desc *descs;
	uint32_t mask;
	uint32_t posted; /* published or about to be */
	uint32_t reaped;
	uint32_t sleeps; /* receive: need_notify of the last one */
};

/* What to set in a configuration that is to have room for data_bytes of buffers; fills in
 * magic, version and region_size. Returns 0 or -enum rvif_reason. */
int rvif_configure(struct rvif_config *config, uint64_t data_bytes);

/* Creates the region by a configuration of rvif_configure; the driver is
 * down. Returns 0, -errno, or
 * -EINVAL if the configuration is none. -EBUSY: another driver uses it. */
int rvif_open(struct rvif_vnic *vnic, const struct rvif_transport *transport, const char *where,
	      const struct rvif_config *config);

/* The same; the file has this access before others can find it. NULL: 0600. -EOPNOTSUPP: the
 * transport makes none. */
int rvif_open_for(struct rvif_vnic *vnic, const struct rvif_transport *transport, const char *where,
		  const struct rvif_config *config, const struct rvif_access *access);

/* Places the pieces one behind the other, the first behind the byte end. Returns where the last one
 * ends; 0: one of them is none, or the region would be too large. */
uint64_t rvif_place(struct rvif_memory *memory, uint32_t count, uint64_t end);

/* Adds memory to a configuration of rvif_configure. Returns 0 or -enum rvif_reason. */
int rvif_configure_sharing(struct rvif_config *config, struct rvif_sharing *sharing);

/*
 * As rvif_open_for, with a configuration of rvif_configure_sharing: "sharing" has to stay until
 * rvif_close. -EOPNOTSUPP: the transport takes no such memory.
 *
 * With rvif_shared_file a switch asks for the memory when it finds the vNIC: then the descriptor of
 * rvif_sharing_fd becomes readable, and rvif_share answers. -ENAMETOOLONG: too long a path for a
 * socket beside it.
 *
 * Over ELISA the memory is donated with the region. The pieces have to lie one behind the other in
 * the region, the first one within 2 MiB of the region's own part. -EINVAL: they do not.
 */
int rvif_open_sharing(struct rvif_vnic *vnic, const struct rvif_transport *transport,
		      const char *where, const struct rvif_config *config,
		      const struct rvif_access *access, const struct rvif_sharing *sharing);
int rvif_sharing_fd(const struct rvif_vnic *vnic);
void rvif_share(const struct rvif_vnic *vnic);

/* rvif_stop first. */
void rvif_close(struct rvif_vnic *vnic);

/* While down: all may change, but region_size has to fit what was opened, without shared memory.
 * Returns 0 or -enum rvif_reason. */
int rvif_reconfigure(struct rvif_vnic *vnic, const struct rvif_config *config);

/* Sets all indexes to 0 and goes up. Receive buffers may be posted before or after the switch
 * attaches. */
void rvif_start(struct rvif_vnic *vnic);

/* 1 attached, 0 not yet or not any more, -enum rvif_reason if refused. */
int rvif_attached(const struct rvif_vnic *vnic);

/* Goes down and waits until the switch has let go. Afterwards no buffer is in its hands.
 * -ETIMEDOUT: it did not, and may still write to the region. */
int rvif_stop(struct rvif_vnic *vnic, uint32_t timeout_us);

/*
 * Goes to the successor of a switch that is gone for good. The region and all indexes stay, and the
 * new switch serves what is posted. The threads of the queues may continue meanwhile. 0: nothing to
 * do. 1: another switch has the region; rvif_attached() says when it is ready. -errno: there is no
 * successor yet, call again.
 */
int rvif_reconnect(struct rvif_vnic *vnic);

/* What a reason of enum rvif_reason means, for people. */
const char *rvif_strreason(int reason);

/*
 * Parse what operators write. 0, or -EINVAL if any part of the text is wrong; the result is then
 * unchanged. An address is 17 characters such as 02:00:00:00:00:0a. A mode is octal, from 1 to
 * 0777. A group is a name or a number. hex: count bytes of two digits each, with the separator
 * between them; separator 0: none. read_hex: a file with one line of such bytes, and nothing else;
 * -errno if the file cannot be read. After an error, these two functions may have changed the
 * bytes.
 */
int rvif_parse_mac(const char *text, uint8_t mac[6]);
int rvif_parse_mode(const char *text, uint32_t *mode);
int rvif_parse_group(const char *text, uint32_t *group);
int rvif_parse_hex(const char *text, char separator, uint8_t *bytes, size_t count);
int rvif_read_hex(const char *file, uint8_t *bytes, size_t count);

/* Can it be the address of an interface: neither a group's nor 0? */
static inline int rvif_mac_is_station(const uint8_t mac[6])
{
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

/* The header at the beginning of the vNIC's region, which the switch may write at any time. */
static inline struct rvif_header *rvif_header(const struct rvif_vnic *vnic)
{
	return (struct rvif_header *)(void *)vnic->region;
}

/* Rings are made anew after each rvif_start. */
static inline void rvif_tx_ring_init(struct rvif_ring *ring, const struct rvif_vnic *vnic,
				     uint32_t queue)
{
	ring->control = rvif_tx_queue(vnic->region, &vnic->layout, queue);
	ring->descs = rvif_tx_ring(vnic->region, &vnic->layout, vnic->config.tx_ring, queue);
	ring->mask = vnic->config.tx_ring - 1;
	ring->posted = ring->reaped = ring->sleeps = 0;
}

/* Receive queue `queue`; likewise after each rvif_start. */
static inline void rvif_rx_ring_init(struct rvif_ring *ring, const struct rvif_vnic *vnic,
				     uint32_t queue)
{
	ring->control = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	ring->descs = rvif_rx_ring(vnic->region, &vnic->layout, vnic->config.rx_ring, queue);
	ring->mask = vnic->config.rx_ring - 1;
	ring->posted = ring->reaped = ring->sleeps = 0;
}

/* Descriptors that can be posted. */
static inline uint32_t rvif_ring_room(const struct rvif_ring *ring)
{
	return ring->mask + 1 - rvif_distance(ring->posted, ring->reaped);
}

/* The descriptor at a running index, such as ring->posted. */
static inline struct rvif_desc *rvif_ring_desc(const struct rvif_ring *ring, uint32_t index)
{
	return &ring->descs[index & ring->mask];
}

/* Gives all descriptors below ring->posted to the switch. */
static inline void rvif_ring_publish(struct rvif_ring *ring)
{
	rvif_publish(&ring->control->posted, ring->posted);
}

/* Descriptors from ring->reaped on that the switch completed; never more than are out. */
static inline uint32_t rvif_ring_completed(const struct rvif_ring *ring)
{
	uint32_t ready = rvif_distance(rvif_load_acquire(&ring->control->completed), ring->reaped);
	uint32_t out = rvif_distance(ring->posted, ring->reaped);

	return ready <= out ? ready : 0;
}

/* After rvif_ring_publish of a transmit ring: has the driver to kick? Without RVIF_F_NOTIFY the
 * word does not change, so that no barrier is needed. */
static inline int rvif_ring_kick_wanted(const struct rvif_ring *ring, uint32_t features)
{
	if (features & RVIF_F_NOTIFY)
		rvif_full_barrier();
	return rvif_load(&ring->control->kick_wanted) != 0;
}

/* A receiver is about to sleep: asks to be woken. Returns 0 if frames have come in the meantime;
 * else *seen is what to give to the transport's wait. rvif_ring_awake afterwards. */
static inline int rvif_ring_may_sleep(struct rvif_ring *ring, uint32_t *seen)
{
	ring->sleeps += ring->sleeps == UINT32_MAX ? 2 : 1; /* never 0 */
	rvif_store(&ring->control->need_notify, ring->sleeps);
	rvif_full_barrier();
	*seen = rvif_load_acquire(&ring->control->completed);
	return *seen == ring->reaped;
}

/* After a sleep that rvif_ring_may_sleep() allowed, however it ended. */
static inline void rvif_ring_awake(struct rvif_ring *ring)
{
	rvif_store(&ring->control->need_notify, 0);
}

#ifdef __cplusplus
}
#endif

#endif
