/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of an rvif vNIC: it creates the region, starts and stops the vNIC, and posts
 * and reaps descriptors. Each function says whether its errors are -errno or -enum rvif_reason.
 * Each ring may be used by one thread only. No function here waits, except rvif_stop() and a
 * transport's wait().
 */
#ifndef RVIF_DRIVER_H
#define RVIF_DRIVER_H

#include <rvif/rvif.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rvif_vnic;

/*
 * How a region comes to be shared with a switch, and how each side wakes the other one. The
 * functions return 0 or -errno.
 */
struct rvif_transport {
	const char *name;
	/* Makes vnic->size bytes of zeroes at vnic->region. */
	int (*open)(struct rvif_vnic *vnic, const char *where);
	/* Lets switches find the region. Its header is complete. */
	int (*announce)(struct rvif_vnic *vnic);
	/* Tells the switch that the transmit queue has work. Only a driver that found kick_wanted
	 * set calls it. -EBUSY, only with hold_us: frames wait for a receiver that has no room, so
	 * kick again soon. */
	int (*kick)(struct rvif_vnic *vnic, uint32_t queue);
	/*
	 * Sleeps while `completed` of the receive queue equals @seen. -ETIMEDOUT: timeout_us
	 * microseconds are over. -ENOTCONN: the switch is gone. -EINTR: a signal came. -EAGAIN: the
	 * thread was woken for another queue. Look at the ring, and ask again by
	 * rvif_ring_may_sleep().
	 */
	int (*wait)(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen, uint32_t timeout_us);
	/* Tells the switch that driver.state has changed. -ENOTCONN: there is no switch, and none
	 * uses the region. NULL: the switch looks by itself. */
	int (*changed)(struct rvif_vnic *vnic);
	/* See rvif_reconnect(). NULL: another switch finds the region by itself. */
	int (*reconnect)(struct rvif_vnic *vnic);
	void (*close)(struct rvif_vnic *vnic);
	int takes_memory; /* 1: a region may end with memory of the driver's own */
};

/* The region is a file that a switch maps, too; @where is its path. Both sides sleep with futexes
 * in it. */
extern const struct rvif_transport rvif_shared_file;

/* The region is memory of this process, between two inaccessible pages, for a switch in the same
 * process. Both sides sleep as with a file. */
extern const struct rvif_transport rvif_private_memory;

/* Which users may open the file of a vNIC, apart from the user that creates it. */
struct rvif_access {
	uint32_t mode;	/* permission bits, as of chmod(2); 0: 0600 */
	uint32_t group; /* of the file, if has_group */
	int has_group;
};

/*
 * The driver's own memory at the end of its region, so that frames in it need no copy. With
 * rvif_shared_file it consists of whole pages of a file that a switch can map, too. Over ELISA it
 * consists of whole pages of this process, which are donated. A piece begins at a multiple of its
 * page size, in the file and in the region.
 */
struct rvif_memory {
	void *address; /* where this process has mapped the piece; for ELISA */
	int fd;	       /* of the file, for rvif_shared_file */
	uint64_t at;   /* in the file */
	uint64_t size;
	uint64_t page;	 /* size of the pages, a power of two */
	uint64_t offset; /* in the region; set by rvif_place() */
};

#define RVIF_MAX_MEMORY 253 /* pieces; one message of a socket takes as many descriptors */

struct rvif_sharing {
	struct rvif_memory *memory;
	uint32_t count;
	uint64_t own; /* bytes of the region before the pieces */
};

struct rvif_vnic {
	const struct rvif_transport *transport;
	struct rvif_config config;
	struct rvif_layout layout;
	uint8_t *region;
	uint64_t size;	    /* bytes of the region; a configuration may use fewer */
	void *private_data; /* the transport's own data */
	struct rvif_access access;
	/* For a transport that moves frames in its kicks: how long frames may wait for a receiver
	 * that has no room, before they are dropped. In microseconds; 0: not at all. Set it while
	 * no thread kicks. */
	uint64_t hold_us;
	const struct rvif_sharing *sharing; /* NULL: none */
};

/* One direction of one queue, private to the thread that uses it. */
struct rvif_ring {
	struct rvif_queue *control;
	struct rvif_desc *descs;
	uint32_t mask;
	uint32_t posted; /* published, or about to be published */
	uint32_t reaped;
	uint32_t sleeps; /* receive: the last value stored to need_notify, except 0 */
};

/* Completes a configuration for a region with data_bytes of buffers: sets magic, version and
 * region_size. The caller has set the other fields. Returns 0 or -enum rvif_reason. */
int rvif_configure(struct rvif_config *config, uint64_t data_bytes);

/* Creates the region by a configuration of rvif_configure(). The driver is down then. Returns 0 or
 * -errno. -EINVAL: the configuration is not valid. -EBUSY: another driver uses the region. */
int rvif_open(struct rvif_vnic *vnic, const struct rvif_transport *transport, const char *where,
	      const struct rvif_config *config);

/* Works as rvif_open(). The file has this access before a switch can find it; NULL: 0600.
 * -EOPNOTSUPP: access was given, and the transport makes no file. */
int rvif_open_for(struct rvif_vnic *vnic, const struct rvif_transport *transport, const char *where,
		  const struct rvif_config *config, const struct rvif_access *access);

/* Places the pieces one behind the other: the first one behind byte @end, each at a multiple of its
 * page size. Returns where the last piece ends, or 0 if a piece is not valid or the region would be
 * too large. */
uint64_t rvif_place(struct rvif_memory *memory, uint32_t count, uint64_t end);

/* Adds memory to a configuration of rvif_configure(). Returns 0 or -enum rvif_reason. */
int rvif_configure_sharing(struct rvif_config *config, struct rvif_sharing *sharing);

/*
 * Works as rvif_open_for(), with a configuration of rvif_configure_sharing(). The caller keeps
 * @sharing until rvif_close(). -EOPNOTSUPP: the transport takes no memory of the driver's.
 *
 * With rvif_shared_file, a switch asks for the memory when it finds the vNIC. The descriptor of
 * rvif_sharing_fd() becomes readable then, and rvif_share() answers. The descriptor is -1 without
 * shared memory. -ENAMETOOLONG: the path is too long for a socket beside the file.
 *
 * Over ELISA, the memory is donated with the region. The pieces must follow each other in the
 * region without a gap. The first piece must begin within 2 MiB of the end of the region's own
 * part. -EINVAL: they do not.
 */
int rvif_open_sharing(struct rvif_vnic *vnic, const struct rvif_transport *transport,
		      const char *where, const struct rvif_config *config,
		      const struct rvif_access *access, const struct rvif_sharing *sharing);
int rvif_sharing_fd(const struct rvif_vnic *vnic);
void rvif_share(const struct rvif_vnic *vnic);

/* Frees the region. Call rvif_stop() first. */
void rvif_close(struct rvif_vnic *vnic);

/* Changes the configuration while the driver is down, without shared memory. All fields may change;
 * region_size must not exceed what was opened. Returns 0 or -enum rvif_reason. */
int rvif_reconfigure(struct rvif_vnic *vnic, const struct rvif_config *config);

/* Sets all indexes to 0 and the driver up. Receive buffers may be posted before or after the switch
 * attaches. */
void rvif_start(struct rvif_vnic *vnic);

/* Returns 1 if the switch is attached, 0 if it is not (yet or any more), -enum rvif_reason if it
 * refused the vNIC. */
int rvif_attached(const struct rvif_vnic *vnic);

/* Sets the driver down and waits until the switch has let go, for timeout_us microseconds at most.
 * Returns 0: the switch uses no buffer any more. Returns -ETIMEDOUT: the switch did not let go, and
 * may still write to the region. */
int rvif_stop(struct rvif_vnic *vnic, uint32_t timeout_us);

/*
 * Goes to the successor of a switch that is gone for good. The region and all indexes stay, and the
 * new switch serves what is posted. The threads of the queues may continue meanwhile. Returns 0 if
 * there is nothing to do. Returns 1 if another switch has the region; rvif_attached() says when it
 * is ready. Returns -errno if there is no successor yet; call it again then.
 */
int rvif_reconnect(struct rvif_vnic *vnic);

/* Returns the meaning of an enum rvif_reason, in words for people. Never NULL. */
const char *rvif_strreason(int reason);

/*
 * Parse what operators write. They return 0, or -EINVAL if any part of the text is wrong. The
 * result is then unchanged, except for the bytes of rvif_parse_hex() and rvif_read_hex().
 *
 * An address has 17 characters, such as 02:00:00:00:00:0a. A mode is octal, from 1 to 0777. A group
 * is a name or a number. rvif_parse_hex() takes `count` bytes of two digits each, with the
 * separator between them; separator 0: none. rvif_read_hex() takes a file that holds one line of
 * such bytes and nothing else. It returns another -errno if the file cannot be read.
 */
int rvif_parse_mac(const char *text, uint8_t mac[6]);
int rvif_parse_mode(const char *text, uint32_t *mode);
int rvif_parse_group(const char *text, uint32_t *group);
int rvif_parse_hex(const char *text, char separator, uint8_t *bytes, size_t count);
int rvif_read_hex(const char *file, uint8_t *bytes, size_t count);

/* Tells whether it can be the address of an interface: neither a group address nor 0. */
static inline int rvif_mac_is_station(const uint8_t mac[6])
{
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

/* The header at the beginning of the vNIC's region, which the switch may write at any time. */
static inline struct rvif_header *rvif_header(const struct rvif_vnic *vnic)
{
	return (struct rvif_header *)(void *)vnic->region;
}

/* Prepares a transmit ring. Each rvif_start() needs it again. */
static inline void rvif_tx_ring_init(struct rvif_ring *ring, const struct rvif_vnic *vnic,
				     uint32_t queue)
{
	ring->control = rvif_tx_queue(vnic->region, &vnic->layout, queue);
	ring->descs = rvif_tx_ring(vnic->region, &vnic->layout, vnic->config.tx_ring, queue);
	ring->mask = vnic->config.tx_ring - 1;
	ring->posted = ring->reaped = ring->sleeps = 0;
}

/* Prepares a receive ring. Each rvif_start() needs it again. */
static inline void rvif_rx_ring_init(struct rvif_ring *ring, const struct rvif_vnic *vnic,
				     uint32_t queue)
{
	ring->control = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	ring->descs = rvif_rx_ring(vnic->region, &vnic->layout, vnic->config.rx_ring, queue);
	ring->mask = vnic->config.rx_ring - 1;
	ring->posted = ring->reaped = ring->sleeps = 0;
}

/* Returns how many descriptors can be posted. */
static inline uint32_t rvif_ring_room(const struct rvif_ring *ring)
{
	return ring->mask + 1 - rvif_distance(ring->posted, ring->reaped);
}

/* Returns the descriptor at a free-running index, such as ring->posted. */
static inline struct rvif_desc *rvif_ring_desc(const struct rvif_ring *ring, uint32_t index)
{
	return &ring->descs[index & ring->mask];
}

/* Gives all descriptors below ring->posted to the switch. */
static inline void rvif_ring_publish(struct rvif_ring *ring)
{
	rvif_publish(&ring->control->posted, ring->posted);
}

/* Returns how many descriptors from ring->reaped on the switch has completed. If the switch claims
 * more than the driver has posted, the result is 0. */
static inline uint32_t rvif_ring_completed(const struct rvif_ring *ring)
{
	uint32_t ready = rvif_distance(rvif_load_acquire(&ring->control->completed), ring->reaped);
	uint32_t out = rvif_distance(ring->posted, ring->reaped);

	return ready <= out ? ready : 0;
}

/* Tells whether the driver has to kick, after rvif_ring_publish() of a transmit ring. @features
 * are the granted ones. Without RVIF_F_NOTIFY the word does not change, so the check needs no
 * barrier. */
static inline int rvif_ring_kick_wanted(const struct rvif_ring *ring, uint32_t features)
{
	if (features & RVIF_F_NOTIFY)
		rvif_full_barrier();
	return rvif_load(&ring->control->kick_wanted) != 0;
}

/* Asks the switch to wake this receiver, which is about to sleep. Returns 0 if frames have come in
 * the meantime. Otherwise the receiver passes *seen to the transport's wait(). Call
 * rvif_ring_awake() in both cases. */
static inline int rvif_ring_may_sleep(struct rvif_ring *ring, uint32_t *seen)
{
	ring->sleeps += ring->sleeps == UINT32_MAX ? 2 : 1; /* never 0 */
	rvif_store(&ring->control->need_notify, ring->sleeps);
	rvif_full_barrier();
	*seen = rvif_load_acquire(&ring->control->completed);
	return *seen == ring->reaped;
}

/* Call it after rvif_ring_may_sleep(), however the sleep ended. The switch stops waking this
 * receiver. */
static inline void rvif_ring_awake(struct rvif_ring *ring)
{
	rvif_store(&ring->control->need_notify, 0);
}

#ifdef __cplusplus
}
#endif

#endif
