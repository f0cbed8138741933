/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * /dev/elisa on the host: the administrator's interface (CAP_SYS_ADMIN). It grants,
 * revokes and lists; it gives no access to any VM's memory and shows no address.
 */
#ifndef ELISA_HOST_IOCTL_H
#define ELISA_HOST_IOCTL_H

#include <linux/ioctl.h>
#include <elisa/abi.h>

#define ELISA_GRANT_EXPORT	    1u /* may publish exports whose name matches */
#define ELISA_GRANT_ATTACH	    2u /* may attach to exports whose name matches */
#define ELISA_GRANT_TRUSTED_MANAGER 4u /* with EXPORT: its exports use 3 switches; see docs */
#define ELISA_GRANT_ALLOW_PCID	    8u /* this VM's kernel is trusted with CR4.PCIDE=1 */

struct elisa_host_grant {
	/* The VMM process, in the caller's pid namespace. The caller holds a pidfd from
	 * before the call and looks afterwards whether the process still lives: then the
	 * number meant it all the time. (No exported kernel function takes a pidfd.) */
	__s32 pid;
	__u32 rights;		    /* ELISA_GRANT_* */
	char name[ELISA_NAME_SIZE]; /* exact, or a prefix followed by '*' */
	__u64 max_pages; /* pages held at most, of huge pages all; 0: the module's default */
	__u32 id;	 /* out */
	__u32 pad;
};

struct elisa_host_revoke {
	__u32 id; /* of the grant; its exports and attachments end */
	__u32 pad;
};

enum elisa_host_kind {
	ELISA_HOST_VMS = 1,	/* struct elisa_host_vm */
	ELISA_HOST_GRANTS,	/* struct elisa_host_grant_info */
	ELISA_HOST_EXPORTS,	/* struct elisa_host_export */
	ELISA_HOST_ATTACHMENTS, /* struct elisa_host_attachment */
};

struct elisa_host_list {
	__u32 kind;
	__u32 size;    /* in: sizeof one record, checked */
	__u64 records; /* in: user address of the array */
	__u32 room;    /* in: records that fit */
	__u32 count;   /* out: records that exist; may exceed room */
};

struct elisa_host_vm {
	__u32 id;    /* the module's number for this VM */
	__s32 pid;   /* of its VMM */
	__u32 vcpus; /* seen */
	__u32 exports;
	__u32 attachments;
	__u32 pad;
	__u64 pages; /* held of its VMM, for all its VMs */
};

struct elisa_host_grant_info {
	__u32 id;
	__s32 pid;
	__u32 rights;
	__u32 pad;
	__u64 max_pages;
	char name[ELISA_NAME_SIZE];
};

struct elisa_host_export {
	__u32 id;
	__u32 vm;
	__u32 flags; /* ELISA_EXPORT_* */
	__u32 state; /* enum elisa_export_state */
	__u64 pages;
	__u32 attachments;
	__u32 limit_us;
	__u64 aborts;
	__u32 suspend_us;
	__u32 pad;
	char name[ELISA_NAME_SIZE];
};
enum elisa_export_state {
	ELISA_EXPORT_NEW,
	ELISA_EXPORT_LIVE
};

struct elisa_host_attachment {
	__u32 vm;
	__u32 slot;
	__u32 export_id;
	__u32 mode;  /* enum elisa_mode */
	__u32 vcpus; /* set up */
	__u32 pages; /* of host memory that it takes on each vCPU */
	__u64 aborts;
	char name[ELISA_NAME_SIZE];
};

/* Counters since the module was loaded; names in the order of enum elisa_counter. */
enum elisa_counter {
	ELISA_COUNT_HYPERCALLS,
	ELISA_COUNT_HYPERCALL_ERRORS,
	ELISA_COUNT_EXITS_IN_CONTEXT, /* asynchronous exits while in gate or sub */
	ELISA_COUNT_RESUMED,	      /* ... and the call went on */
	ELISA_COUNT_RETURN_TRAPS,     /* a deferred interrupt, or a check of time */
	ELISA_COUNT_DEFERRED,	      /* interrupts, NMIs, SMIs held until the return */
	ELISA_COUNT_FAULTS,	      /* ELISA_CALL_FAULT */
	ELISA_COUNT_FORBIDDEN,
	ELISA_COUNT_TIMEOUTS,
	ELISA_COUNT_REVOKED,
	ELISA_COUNT_VMM_ENDED,
	ELISA_COUNT_REFUSED_VMFUNC,   /* #UD for a VMFUNC that is no call */
	ELISA_COUNT_FOREIGN_ROOT,     /* ... by a process that is not the attached one */
	ELISA_COUNT_ROOT_RELOADS,     /* KVM gave a vCPU another default context */
	ELISA_COUNT_CLOSED,	      /* the entry predicate shut VMFUNC off */
	ELISA_COUNT_DESC_EXITS,	      /* LIDT, LGDT, ... of attached vCPUs */
	ELISA_COUNT_DEBUG_SUPPRESSED, /* #DB in gate or sub */
	ELISA_COUNT_RINGS,	      /* doorbells, by functions in sub */
	ELISA_COUNT_INTERRUPTS,	      /* raised for a doorbell, an event or a revocation */
	ELISA_COUNT_THROTTLED,	      /* hypercalls that had to wait: too many of the grant's */
	ELISA_COUNT_COUNT
};

#define ELISA_HOST_CPU_BUG  2u /* not harmless by cpu_bugs.h: attach is refused */
#define ELISA_HOST_OVERRIDE 4u /* ... unless the module's allow_leaky_cpu is set */
#define ELISA_HOST_ARMED    8u /* an attachment exists: the exit-path hooks are on */

struct elisa_host_stats {
	__u32 abi;   /* out */
	__u32 flags; /* out: ELISA_HOST_* */
	__u32 count; /* out: counters that are valid */
	__u32 pad;
	__u64 counter[32];
};

#define ELISA_HOST_IOC_GRANT  _IOWR(0xe6, 0, struct elisa_host_grant)
#define ELISA_HOST_IOC_REVOKE _IOW(0xe6, 1, struct elisa_host_revoke)
#define ELISA_HOST_IOC_LIST   _IOWR(0xe6, 2, struct elisa_host_list)
#define ELISA_HOST_IOC_STATS  _IOR(0xe6, 3, struct elisa_host_stats)

#endif
