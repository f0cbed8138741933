/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * /dev/elisa inside a VM: what a manager's or a guest's process asks of the guest
 * driver. Device permissions decide which processes may ask; the host's grants decide what is
 * given. Every call returns 0 or -1 with errno; `status` then says what was wrong.
 */
#ifndef ELISA_GUEST_IOCTL_H
#define ELISA_GUEST_IOCTL_H

#include <linux/ioctl.h>
#include <elisa/abi.h>

struct elisa_status {
	__u32 why; /* enum elisa_why */
	__u32 pad;
	__u64 value;
};

struct elisa_ioc_info {
	struct elisa_status status;
	__u32 abi;   /* in: the library's ELISA_ABI_VERSION */
	__u32 flags; /* out: ELISA_HELLO_* */
	/* out: of the vCPU that runs this call, see struct elisa_hc_hello */
	__u64 exits[ELISA_EXIT_REASONS];
	__u64 return_traps;
};

struct elisa_ioc_export {
	struct elisa_status status;
	char name[ELISA_NAME_SIZE];
	__u8 ticket[ELISA_TICKET_SIZE];
	__u32 flags; /* ELISA_EXPORT_* */
	__u32 limit_us;
	__u32 id; /* out */
	__u32 suspend_us;
};

struct elisa_ioc_map {
	struct elisa_status status;
	__u32 id;
	__u32 prot;    /* ELISA_PROT_* */
	__u64 offset;  /* in the object area, bytes, page aligned */
	__u64 address; /* in the caller's memory, or guest-physical; page aligned */
	__u64 length;  /* bytes, multiple of the page size */
};

struct elisa_ioc_unmap {
	struct elisa_status status;
	__u32 id;
	__u32 pad;
	__u64 offset;
	__u64 length;
};

struct elisa_ioc_publish {
	struct elisa_status status;
	__u32 id;
	__u32 pad;
	__u64 entry; /* offset in the object area */
};

struct elisa_ioc_destroy {
	struct elisa_status status;
	__u32 id;
	__u32 pad;
};

/* clang-format off */
#define ELISA_ATTACH_FLAG_LIST(FLAG) \
	FLAG(TRUST_MANAGER, 0, "trust-manager", "registers are not saved around the call")
/* clang-format on */
#define ELISA_ATTACH_FLAG_NUMBER(name, bit, word, text) ELISA_ATTACH_##name = 1u << (bit),

enum elisa_attach_flag {
	ELISA_ATTACH_FLAG_LIST(ELISA_ATTACH_FLAG_NUMBER) /**/
	ELISA_ATTACH_FLAGS = 0 ELISA_ATTACH_FLAG_LIST(ELISA_BIT_OF_LIST)
};

struct elisa_ioc_attach {
	struct elisa_status status;
	char name[ELISA_NAME_SIZE];
	__u8 ticket[ELISA_TICKET_SIZE]; /* all 0: by name */
	__u32 flags;			/* ELISA_ATTACH_* */
	__u32 slot;			/* out */
	__u64 exchange;			/* in: address of the exchange buffer, or 0 */
	__u64 exchange_length;		/* in: bytes */
	__u64 call;			/* out: address to call, see <elisa/elisa.h> */
	__u64 exchange_in_sub;		/* out: where the function sees the buffer */
	__u32 mode;			/* out: enum elisa_mode */
	__u32 export_flags;		/* out: ELISA_EXPORT_* */
	__u32 place;			/* out: or ELISA_NO_PLACE */
	__u32 pad;
};

struct elisa_ioc_detach {
	struct elisa_status status;
	__u32 slot;
	__u32 pad;
};

struct elisa_ioc_places {
	struct elisa_status status;
	__u32 id;
	__u32 count;
	__u64 offset;  /* in the object area, bytes, page aligned */
	__u64 size;    /* of each, bytes, multiple of the page size */
	__u32 per_vmm; /* places without a ticket that the VMs of one VMM may have; 0: all */
	__u32 pad;
};

struct elisa_ioc_ticket {
	struct elisa_status status;
	__u32 id;
	__u32 place;
	__u8 ticket[ELISA_TICKET_SIZE];
};

struct elisa_ioc_evict {
	struct elisa_status status;
	__u32 id;
	__u32 pad;
	__u64 attachment; /* its number, as in events */
};

struct elisa_ioc_donate {
	struct elisa_status status;
	__u32 slot;
	__u32 pad;
	__u64 address; /* in the caller's memory, page aligned */
	__u64 length;  /* bytes, multiple of the page size */
	__u64 donated; /* out: bytes in all */
};

/*
 * Signal this eventfd(2) whenever this VM's doorbell has rung: for one of its attachments, whosever
 * it is, or for an event. It stays so until the device's file is closed.
 */
struct elisa_ioc_doorbell {
	struct elisa_status status;
	__s32 fd;
	__u32 pad;
};

#define ELISA_IOC_INFO		      _IOWR(0xe5, 0, struct elisa_ioc_info)
#define ELISA_IOC_EXPORT_CREATE	      _IOWR(0xe5, 1, struct elisa_ioc_export)
#define ELISA_IOC_EXPORT_MAP	      _IOWR(0xe5, 2, struct elisa_ioc_map)
#define ELISA_IOC_EXPORT_UNMAP	      _IOWR(0xe5, 3, struct elisa_ioc_unmap)
#define ELISA_IOC_EXPORT_PUBLISH      _IOWR(0xe5, 4, struct elisa_ioc_publish)
#define ELISA_IOC_EXPORT_DESTROY      _IOWR(0xe5, 5, struct elisa_ioc_destroy)
#define ELISA_IOC_ATTACH	      _IOWR(0xe5, 6, struct elisa_ioc_attach)
#define ELISA_IOC_DETACH	      _IOWR(0xe5, 7, struct elisa_ioc_detach)
#define ELISA_IOC_EXPORT_MAP_PHYSICAL _IOWR(0xe5, 8, struct elisa_ioc_map)
#define ELISA_IOC_PLACES	      _IOWR(0xe5, 9, struct elisa_ioc_places)
#define ELISA_IOC_TICKET	      _IOWR(0xe5, 10, struct elisa_ioc_ticket)
#define ELISA_IOC_DONATE	      _IOWR(0xe5, 11, struct elisa_ioc_donate)
#define ELISA_IOC_DOORBELL	      _IOWR(0xe5, 12, struct elisa_ioc_doorbell)
#define ELISA_IOC_EVICT		      _IOWR(0xe5, 13, struct elisa_ioc_evict)
/* read(2) gives struct elisa_event records of this VM's exports to the process that
 * created them; poll(2) works. */

#endif
