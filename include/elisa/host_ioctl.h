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
	RIGHT(POLICY, 4, "policy", "no right: elisad gave the grant, and may take it back") \
	RIGHT(DIRTY_LOG, 5, "dirty-log", \
		"the VMM may log writes to shared memory; the log lacks those of functions")
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
	ELISA_HOST_VCPUS,	/* struct elisa_host_vcpu */
};

struct elisa_host_list {
	__u32 kind;
	__u32 size;    /* in: sizeof one record; of another size: see below */
	__u64 records; /* in: user address of the array */
	__u32 room;    /* in: records that fit */
	__u32 count;   /* out: records that exist; may exceed room */
};

/*
 * Records grow at their end. A caller with a shorter record than the module's gets the fields that
 * it knows. In a longer record the module leaves the rest 0. Sizes are multiples of 8, 1024 at
 * most.
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

/*
 * How long calls were suspended. A bucket counts the times below its bound that are not below the
 * bound of the previous bucket. Each bound is twice the previous one. The last bucket also counts
 * all longer times. The host does not see how long a call takes that nothing interrupts.
 */
#define ELISA_SPANS	      16
#define ELISA_SPAN_LOG2_NS    10 /* the first bound is 1.024 us, the last 16.8 ms */
#define ELISA_SPAN_NS(bucket) (1ull << (ELISA_SPAN_LOG2_NS + (bucket)))

struct elisa_host_spans {
	__u64 ns; /* in all */
	__u64 times[ELISA_SPANS];
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
	__u32 tables; /* pages of the host's own for its object's tables */
	char name[ELISA_NAME_SIZE];
	struct elisa_host_spans suspended; /* calls of all attachments that it has and had */
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
	__u64 number; /* among its export's, from 1 */
	struct elisa_host_spans suspended;
	__u32 flags; /* of its export: ELISA_EXPORT_* */
	__u32 pad;
	__u64 calls; /* of an export that is COUNTED, else 0: by its sub stub */
};

/* clang-format off */
#define ELISA_VCPU_STATE_LIST(STATE) \
	STATE(IDLE, 0, "idle", "VMFUNC is off, as without ELISA") \
	STATE(CLOSED, 1, "closed", "calls end with ELISA_CALL_CLOSED") \
	STATE(OPEN, 2, "open", "the vCPU may make calls") \
	STATE(SUSPENDED, 3, "suspended", "as open; a call was interrupted and has not continued yet")

/* What keeps a vCPU from calls: what it was about to enter the guest with. */
#define ELISA_CLOSED_LIST(CLOSED) \
	CLOSED(NOT_ATTACHED, 1, "not-attached", "the vCPU has no attachment") \
	CLOSED(NOT_SYNCED, 2, "not-synced", \
		"it left long mode or was reset, and the VM's driver has not set it up since") \
	CLOSED(PCID, 3, "pcid", "CR4.PCIDE is 1, and a grant has no allow-pcid") \
	CLOSED(CR4, 4, "cr4", "CR4 has a bit that is refused, or lacks PAE, SMEP or SMAP") \
	CLOSED(XCR0, 5, "xcr0", "XCR0 lacks x87 or SSE, or has a bit above 31") \
	CLOSED(EFER, 6, "efer", "EFER.LMA is 0: no long mode") \
	CLOSED(SMM, 7, "smm", "the vCPU is in system management mode") \
	CLOSED(COUNTERS, 8, "counters", "PEBS is on, or the VM has the CPU's own counters") \
	CLOSED(APICV, 9, "apicv", "APICv is active: KVM did not switch it off") \
	CLOSED(CONTROLS, 10, "controls", \
		"unrestricted guest is off, or EPT-violation #VE or PT of guest addresses is on") \
	CLOSED(DEBUGCTL, 11, "debugctl", "DEBUGCTL has branch tracing or LBR on") \
	CLOSED(HOST_TRACE, 12, "host-trace", \
		"the host traces it (Processor Trace, architectural LBRs)") \
	CLOSED(TABLES, 13, "tables", "IDT, GDT, LDT or TSS is in or just below the window") \
	CLOSED(LEVELS, 14, "levels", "CR4.LA57 is another than when the VM attached") \
	CLOSED(CET, 15, "cet", "CR4.CET is 1: indirect-branch tracking could read the object")
/* clang-format on */
#define ELISA_VCPU_STATE_NUMBER(name, number, word, text) ELISA_VCPU_##name = (number),
#define ELISA_CLOSED_NUMBER(name, number, word, text)	  ELISA_CLOSED_##name = (number),

enum elisa_vcpu_state {
	ELISA_VCPU_STATE_LIST(ELISA_VCPU_STATE_NUMBER) /**/
};

enum elisa_closed {
	ELISA_NOT_CLOSED = 0,
	ELISA_CLOSED_LIST(ELISA_CLOSED_NUMBER) /**/
};

/* Of its last entry: what has changed since shows at the next one. */
struct elisa_host_vcpu {
	__u32 vm;
	__u32 vcpu;	   /* counted from 0 in its VM */
	__u32 state;	   /* enum elisa_vcpu_state */
	__u32 closed;	   /* enum elisa_closed */
	__u32 attachments; /* that it is set up for */
	__u32 pad;
	__u64 return_traps; /* as in struct elisa_hc_hello */
	__u64 calls;	    /* of the attachments that it is set up for, as there */
};

/* Since the module was loaded. */
/* clang-format off */
#define ELISA_COUNTER_LIST(COUNTER) \
	COUNTER(HYPERCALLS, "hypercalls", "hypercalls of VMs") \
	COUNTER(HYPERCALL_ERRORS, "hypercall_errors", "hypercalls that failed") \
	COUNTER(EXITS_IN_CONTEXT, "exits_in_context", \
		"exits that had nothing to do with the call, in gate or sub") \
	COUNTER(RESUMED, "resumed", "exits_in_context after which the call continued") \
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
		"refused_vmfunc by a process that is not the attached one") \
	COUNTER(ROOT_RELOADS, "root_reloads", "KVM gave a vCPU another default context") \
	COUNTER(CLOSED, "closed", "the entry predicate shut VMFUNC off") \
	COUNTER(DESC_EXITS, "desc_exits", "LIDT, LGDT, ... of attached vCPUs") \
	COUNTER(DEBUG_SUPPRESSED, "debug_suppressed", "#DB in gate or sub") \
	COUNTER(RINGS, "rings", "doorbells rung by functions in sub") \
	COUNTER(INTERRUPTS, "interrupts", "interrupts raised for a doorbell, an event or a revocation") \
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
	FLAG(OVERRIDE, 2, "override", "attach is allowed in spite of it: allow_leaky_cpu") \
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
	EVENT(REFUSED, 10, "refused", "a request of a VM failed (reason: ELISA_WHY_*, and its value)") \
	EVENT(DIRTY_LOG, 11, "dirty-log", \
		"a VMM began to log writes to shared memory, at value: all that its VM shared has ended")
/* clang-format on */
#define ELISA_HOST_EVENT_NUMBER(name, number, word, text) ELISA_HOST_EVENT_##name = (number),

enum elisa_host_event_kind {
	ELISA_HOST_EVENT_LIST(ELISA_HOST_EVENT_NUMBER) /**/
	ELISA_HOST_EVENT_KINDS = 0 ELISA_HOST_EVENT_LIST(ELISA_BIT_OF_LIST)
};

struct elisa_host_event {
	__u64 time_ns; /* CLOCK_MONOTONIC; of two at once the first may have the later time */
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
