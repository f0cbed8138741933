/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * /dev/elisa on the host: the administrator's interface (CAP_SYS_ADMIN). It grants,
 * revokes and lists; it gives no access to any VM's memory and shows no address.
 */
#ifndef ELISA_HOST_IOCTL_H
#define ELISA_HOST_IOCTL_H

#include <linux/ioctl.h>
#include <elisa/abi.h>

/* clang-format off */
#define ELISA_GRANT_LIST(RIGHT) \
	RIGHT(EXPORT, 0, "export", "may publish exports whose name matches") \
	RIGHT(ATTACH, 1, "attach", "may attach to exports whose name matches") \
	RIGHT(TRUSTED_MANAGER, 2, "trusted-manager", \
		"with export: its exports' calls take 3 switches (see security.md)") \
	RIGHT(ALLOW_PCID, 3, "allow-pcid", "the VM's kernel is trusted with CR4.PCIDE=1") \
	RIGHT(POLICY, 4, "policy", "no right: elisad gave the grant, and may take it back")
/* clang-format on */
#define ELISA_GRANT_NUMBER(name, bit, word, text) ELISA_GRANT_##name = 1u << (bit),

enum elisa_grant_right {
	ELISA_GRANT_LIST(ELISA_GRANT_NUMBER) /**/
	ELISA_GRANT_RIGHTS = 0 ELISA_GRANT_LIST(ELISA_BIT_OF_LIST)
};

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
	__u32 size;    /* in: sizeof one record; of another size: see below */
	__u64 records; /* in: user address of the array */
	__u32 room;    /* in: records that fit */
	__u32 count;   /* out: records that exist; may exceed room */
};

/*
 * Records grow at their end. A caller whose record is shorter than the module's gets the fields
 * that it knows; of one that is longer the module leaves the rest 0. Sizes are multiples of 8,
 * 1024 at most.
 */
#define ELISA_HOST_RECORD_MAX 1024

struct elisa_host_vm {
	__u32 id;    /* the module's number for this VM */
	__s32 pid;   /* of its VMM */
	__u32 vcpus; /* seen */
	__u32 exports;
	__u32 attachments;
	__u32 abi;   /* its driver's version of the ABI; 0: not said since it has a grant */
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

/* Since the module was loaded. */
/* clang-format off */
#define ELISA_COUNTER_LIST(COUNTER) \
	COUNTER(HYPERCALLS, "hypercalls", "hypercalls of VMs") \
	COUNTER(HYPERCALL_ERRORS, "hypercall_errors", "of these, failed ones") \
	COUNTER(EXITS_IN_CONTEXT, "exits_in_context", \
		"exits that had nothing to do with the call, in gate or sub") \
	COUNTER(RESUMED, "resumed", "of these, after which the call went on") \
	COUNTER(RETURN_TRAPS, "return_traps", \
		"exits at the end of a call: an interrupt waited, or time was to be looked at") \
	COUNTER(INJECTIONS_REFUSED, "injections_refused", \
		"times that KVM was told to keep an interrupt, NMI or SMI until a call returns") \
	COUNTER(FAULTS, "faults", "calls that ended with ELISA_CALL_FAULT") \
	COUNTER(FORBIDDEN, "forbidden", "calls that ended with ELISA_CALL_FORBIDDEN") \
	COUNTER(TIMEOUTS, "timeouts", "calls that ended with ELISA_CALL_TIMEOUT") \
	COUNTER(REVOKED, "revoked", "calls that ended with ELISA_CALL_REVOKED") \
	COUNTER(VMM_ENDED, "vmm_ended", "calls that ended with ELISA_CALL_VMM") \
	COUNTER(REFUSED_VMFUNC, "refused_vmfunc", "#UD for a VMFUNC that is no call") \
	COUNTER(FOREIGN_ROOT, "foreign_root", \
		"of these, by a process that is not the attached one") \
	COUNTER(ROOT_RELOADS, "root_reloads", "KVM gave a vCPU another default context") \
	COUNTER(CLOSED, "closed", "the entry predicate shut VMFUNC off") \
	COUNTER(DESC_EXITS, "desc_exits", "LIDT, LGDT, ... of attached vCPUs") \
	COUNTER(DEBUG_SUPPRESSED, "debug_suppressed", "#DB in gate or sub") \
	COUNTER(RINGS, "rings", "doorbells, by functions in sub") \
	COUNTER(INTERRUPTS, "interrupts", "raised for a doorbell, an event or a revocation") \
	COUNTER(THROTTLED, "throttled", "hypercalls that had to wait: too many of the grant")
/* clang-format on */
#define ELISA_COUNTER_NUMBER(name, word, text) ELISA_COUNT_##name,

enum elisa_counter {
	ELISA_COUNTER_LIST(ELISA_COUNTER_NUMBER) /**/
	ELISA_COUNT_COUNT
};

/* clang-format off */
#define ELISA_HOST_FLAG_LIST(FLAG) \
	FLAG(CPU_BUG, 1, "cpu-bug", \
		"the CPU has a flaw that is not harmless by cpu_bugs.h: attach is refused") \
	FLAG(OVERRIDE, 2, "override", "attach is allowed all the same: allow_leaky_cpu") \
	FLAG(ARMED, 3, "armed", "an attachment exists: the hooks that calls need are in place")
/* clang-format on */
#define ELISA_HOST_FLAG_NUMBER(name, bit, word, text) ELISA_HOST_##name = 1u << (bit),

enum elisa_host_flag {
	ELISA_HOST_FLAG_LIST(ELISA_HOST_FLAG_NUMBER) /**/
};

struct elisa_host_stats {
	__u32 abi;	  /* out: the newest that the module speaks */
	__u32 flags;	  /* out: ELISA_HOST_* */
	__u32 count;	  /* out: counters that are valid */
	__u32 abi_oldest; /* out */
	__u64 counter[32];
};

/*
 * What happens, as it happens: for a file that has asked for it, read(2) gives records and poll(2)
 * waits for them. A file whose reader is slow loses records, and is told how many; it delays no VM.
 * UNKNOWN and REFUSED are told of a VMM at most once in a while.
 */
/* clang-format off */
#define ELISA_HOST_EVENT_LIST(EVENT) \
	EVENT(LOST, 0, "lost", "the reader was too slow: value records are missing; always told") \
	EVENT(UNKNOWN, 1, "unknown", "a VM without a grant for it asked to export or attach") \
	EVENT(GRANTED, 2, "granted", "the administrator granted something") \
	EVENT(REVOKED, 3, "revoked", "a grant was taken back, or ended with its VMM") \
	EVENT(ATTACHED, 4, "attached", "a process of a VM attached to an export") \
	EVENT(DETACHED, 5, "detached", "an attachment ended, for whatever reason") \
	EVENT(ABORTED, 6, "aborted", "a call ended before its return (value: ELISA_CALL_*)") \
	EVENT(EVICTED, 7, "evicted", "a manager ended an attachment; its detached follows") \
	EVENT(EXPORTED, 8, "exported", "a VM made an export") \
	EVENT(UNEXPORTED, 9, "unexported", "an export ended, for whatever reason") \
	EVENT(REFUSED, 10, "refused", "a request of a VM failed (reason: ELISA_WHY_*, and its value)")
/* clang-format on */
#define ELISA_HOST_EVENT_NUMBER(name, number, word, text) ELISA_HOST_EVENT_##name = (number),

enum elisa_host_event_kind {
	ELISA_HOST_EVENT_LIST(ELISA_HOST_EVENT_NUMBER) /**/
	ELISA_HOST_EVENT_KINDS = 0 ELISA_HOST_EVENT_LIST(ELISA_BIT_OF_LIST)
};

struct elisa_host_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 kind;    /* enum elisa_host_event_kind */
	__s32 pid;     /* of the VMM, in the reader's pid namespace; 0: it has none there */
	__u32 vm;      /* the module's number; 0: none, or not known */
	__u32 rights;  /* UNKNOWN: what was asked for, EXPORT or ATTACH; of a grant: its rights */
	__u32 grant;   /* GRANTED, REVOKED, ATTACHED, EXPORTED: the grant's id */
	__u32 export_id;
	__u64 attachment; /* its number, as a manager's events have it */
	__u64 max_pages;  /* GRANTED, REVOKED */
	__s64 value;
	__u32 reason;		    /* REFUSED: enum elisa_why */
	__u32 call;		    /* REFUSED: enum elisa_hc */
	char name[ELISA_NAME_SIZE]; /* of the export, or of a grant */
};

/* Once for a file. */
struct elisa_host_watch {
	__u32 kinds; /* 1 << enum elisa_host_event_kind */
	__u32 size;  /* of a record, as in struct elisa_host_list */
	__u32 flags; /* ELISA_HOST_ANSWERS */
	__u32 pad;
};
/* With UNKNOWN: the reader may grant what a VM asks for, so that its driver waits a moment. */
#define ELISA_HOST_ANSWERS    1u

#define ELISA_HOST_IOC_GRANT  _IOWR(0xe6, 0, struct elisa_host_grant)
#define ELISA_HOST_IOC_REVOKE _IOW(0xe6, 1, struct elisa_host_revoke)
#define ELISA_HOST_IOC_LIST   _IOWR(0xe6, 2, struct elisa_host_list)
#define ELISA_HOST_IOC_STATS  _IOR(0xe6, 3, struct elisa_host_stats)
#define ELISA_HOST_IOC_WATCH  _IOW(0xe6, 4, struct elisa_host_watch)

#endif
