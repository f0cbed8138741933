/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * What a VM and the ELISA host module agree on: the window, the hypercalls and the
 * error codes. docs/abi.md explains every field. Nothing here may ever hold a host
 * address; a change of meaning needs a new ELISA_ABI_VERSION.
 */
#ifndef ELISA_ABI_H
#define ELISA_ABI_H

#include <linux/types.h>

#define ELISA_ABI_VERSION	 2
#define ELISA_ABI_OLDEST	 1 /* which the host's module and the driver serve, too */

/*
 * A vocabulary is a list with one line for each word. The word's number, the masks, the texts of
 * tools, and the tables of docs/abi.md and the manual pages come from that line (tests/vocabulary).
 * To add a word, add its line at the end. The number of a word never changes.
 */

/* -------------------------------------------------------------------- the window
 *
 * In every attached process, ELISA owns the user address space of one level-4 page-table entry (512
 * GiB). It lies above 4 GiB, because compatibility mode cannot fetch there.
 *
 *   base + slot * 1 GiB    the slot's own pages, distinct for every slot
 *   base + 64 GiB          the object area, the same address in every slot: pointers
 *                          inside an object hold in every attachment
 *   base + 128 GiB         in sub: struct elisa_self, which attachment calls
 */
#define ELISA_WINDOW_BASE	 0x600000000000ULL
#define ELISA_WINDOW_SIZE	 0x8000000000ULL
#define ELISA_SLOTS		 64
#define ELISA_SLOT_SIZE		 0x40000000ULL
#define ELISA_OBJECT_BASE	 (ELISA_WINDOW_BASE + ELISA_SLOTS * ELISA_SLOT_SIZE)
#define ELISA_OBJECT_SIZE	 0x1000000000ULL
#define ELISA_SELF_ADDRESS	 (ELISA_OBJECT_BASE + ELISA_OBJECT_SIZE + 0x180000ULL)

/* Offsets in a slot. The code page depends on the context. In default it is the guest's stub, in
 * the gate contexts the host's gate code, in sub the host's entry stub. */
#define ELISA_CODE_OFFSET	 0x0ULL
#define ELISA_STACK_OFFSET	 0x27240000ULL
#define ELISA_STACK_PAGES	 3
#define ELISA_EXCHANGE_OFFSET	 0x2f300000ULL
#define ELISA_EXCHANGE_MAX_PAGES 256

#define ELISA_PAGE_SIZE		 4096
#define ELISA_NAME_SIZE		 64 /* with the terminating NUL */
#define ELISA_TICKET_SIZE	 32

/* -------------------------------------------------------------------- hypercalls
 *
 * VMCALL from ring 0, 64-bit mode:
 *   RAX = ELISA_HC_RAX   KVM's "sched yield" hypercall; a KVM without the host module
 *                        ignores a yield to a vCPU that does not exist
 *   RBX = ELISA_HC_MAGIC no APIC id has a bit above 31
 *   RCX = guest-physical address of a struct elisa_hc_page, page aligned, in RAM
 *
 * On return RBX is ELISA_HC_REPLY if a host module took the call, else it is unchanged. RCX is 0 or
 * a negative errno; the page's `why` and `value` then say more.
 */
#define ELISA_HC_RAX		 11
#define ELISA_HC_MAGIC		 0x454c495341484331ULL
#define ELISA_HC_REPLY		 0x454c495341524331ULL

enum elisa_hc {
	ELISA_HC_HELLO = 1,	 /* struct elisa_hc_hello */
	ELISA_HC_EXPORT_CREATE,	 /* struct elisa_hc_export */
	ELISA_HC_EXPORT_MAP,	 /* struct elisa_hc_map */
	ELISA_HC_EXPORT_UNMAP,	 /* struct elisa_hc_unmap */
	ELISA_HC_EXPORT_PUBLISH, /* struct elisa_hc_publish */
	ELISA_HC_EXPORT_DESTROY, /* struct elisa_hc_destroy */
	ELISA_HC_ATTACH,	 /* struct elisa_hc_attach */
	ELISA_HC_VCPU_SYNC,	 /* no body: set up this vCPU for the VM's attachments */
	ELISA_HC_DETACH,	 /* struct elisa_hc_detach */
	ELISA_HC_EVENTS,	 /* struct elisa_hc_events */
	ELISA_HC_RESET,		 /* no body: the driver starts; drop all that this VM had */
	ELISA_HC_EXPORT_PLACES,	 /* struct elisa_hc_places */
	ELISA_HC_EXPORT_TICKET,	 /* struct elisa_hc_ticket */
	ELISA_HC_DONATE,	 /* struct elisa_hc_donate */
	ELISA_HC_DOORBELL,	 /* struct elisa_hc_doorbell */
	ELISA_HC_EVICT,		 /* struct elisa_hc_evict */
	ELISA_HC_COUNT
};

/* What was wrong, next to the errno; and what `value` holds then. */
/* clang-format off */
#define ELISA_WHY_LIST(WHY) \
	WHY(ABI, "unknown ABI version", "the host's") \
	WHY(CALL, "unknown hypercall number", "-") \
	WHY(FIELD, "a reserved field or unknown flag is set", "the value") \
	WHY(NO_GRANT, "the administrator granted this VM nothing of the kind", "-") \
	WHY(NAME, "malformed name", "length") \
	WHY(NAME_TAKEN, "a published or pending export has this name", "-") \
	WHY(NO_EXPORT, "unknown name, ticket or export id", "id") \
	WHY(NOT_PUBLISHED, "the export has no entry yet", "-") \
	WHY(PUBLISHED, "already published", "-") \
	WHY(QUOTA, "over the grant's limit", "the limit") \
	WHY(NO_PAGES, "0 pages", "-") \
	WHY(RANGE, "outside the object area, unaligned or non-canonical", "the value") \
	WHY(OVERLAP, "overlaps a mapping", "object offset") \
	WHY(PROT, "unknown, or writable and executable", "prot") \
	WHY(NOT_RAM, "guest-physical page without RAM", "its address") \
	WHY(READ_ONLY, "memory that the VMM gave read-only", "address") \
	WHY(FILE_BACKED, "neither anonymous, shmem nor hugetlb", "address") \
	WHY(DIRTY_LOG, "dirty logging is on: live migration is refused", "the value") \
	WHY(PIN, "the page could not be pinned", "address") \
	WHY(ENTRY, "entry outside executable mappings", "offset") \
	WHY(ROOT, "page-table root unaligned, 0 or too high", "the value") \
	WHY(SELECTOR, "user CS or SS is not of ring 3", "the value") \
	WHY(ATTACHED, "this process is attached to this export", "slot") \
	WHY(NO_SLOT, "all ELISA_SLOTS slots of the VM are in use", "-") \
	WHY(NO_ATTACHMENT, "the slot is not attached", "slot") \
	WHY(PCID, "CR4.PCIDE is 1: use -cpu ...,-pcid", "CR4") \
	WHY(APICV, "KVM does not switch this VM's APICv off: kvm_intel enable_apicv=0", "CR4") \
	WHY(VCPU_STATE, "another state ELISA refuses", "CR4") \
	WHY(CPU_BUG, "the host's CPU has a flaw, as MDS (module parameter)", "-") \
	WHY(HOOK, "something else on the host has hooked a KVM function", "-") \
	WHY(NO_MEMORY, "the host is out of memory", "-") \
	WHY(NO_PLACE, "all places are taken, or this one is, or there is none", "the value") \
	WHY(DOORBELL, "there is no such interrupt, or none for a doorbell", "the value") \
	WHY(TSX, "the host's CPU has transactions (RTM, HLE): boot with tsx=off", "-") \
	WHY(NO_HOST, "no host module answered (guest driver)", "-") \
	WHY(ADDRESS, "bad user address (guest driver)", "address") \
	WHY(WINDOW, "the window's addresses are taken (guest driver)", "the value") \
	WHY(STATE, "the file is another process's (guest driver)", "-") \
	WHY(CAPABILITY, "the process lacks one (guest driver)", "CAP_*") \
	WHY(SYSTEM_RAM, "the guest kernel's own memory (guest driver)", "the value") \
	WHY(MEMLOCK, "over the VMM's RLIMIT_MEMLOCK on the host", "the limit, in pages") \
	WHY(UNTOLD, "the manager has not heard of so many ended attachments", "how many") \
	WHY(PLACES_PER_VMM, "the VMM's VMs have as many places as they may without tickets", "the limit") \
	WHY(ASKED, "the host asks whether to grant it: ask again (the guest driver does)", "-") \
	WHY(CET, "CR4.CET is 1: boot with ibt=off nousershstk", "CR4") \
	WHY(COUNTERS, "PEBS, LBRs or branch tracing: use -cpu ...,pmu=off", "CR4") \
	WHY(ORDER, "no page of this order can be mapped there", "address or object offset")
/* clang-format on */
#define ELISA_WHY_NUMBER(name, text, value) ELISA_WHY_##name,

enum elisa_why {
	ELISA_OK = 0,
	ELISA_WHY_LIST(ELISA_WHY_NUMBER) /**/
	ELISA_WHY_COUNT
};

/* Ends of a call, as elisa_call() reports them in RDX apart from the result. Below 4096
 * and negative, so that they cannot be mistaken for an address. */
/* clang-format off */
#define ELISA_CALL_ERROR_LIST(ERROR) \
	ERROR(FAULT, -1, "page fault, EPT violation or exception in the function") \
	ERROR(FORBIDDEN, -2, "it executed something that sub may not") \
	ERROR(TIMEOUT, -3, "it ran, or its vCPU did not run it, for longer than allowed") \
	ERROR(REVOKED, -4, "the export is gone, or the attachment is detached") \
	ERROR(CLOSED, -5, "the vCPU's state forbids calls (see design.md)") \
	ERROR(VMM, -6, \
		"the VMM touched the vCPU during the call, or an event had to be delivered") \
	ERROR(NOT_ATTACHED, -7, "the slot is not attached; from the guest driver") \
	ERROR(POISONED, -8, "a call was aborted in an ELISA_EXPORT_POISON export")
/* clang-format on */
#define ELISA_CALL_ERROR_NUMBER(name, number, text) ELISA_CALL_##name = (number),

enum elisa_call_error {
	ELISA_CALL_OK = 0,
	ELISA_CALL_ERROR_LIST(ELISA_CALL_ERROR_NUMBER) /**/
};

#define ELISA_EXIT_REASONS 80
struct elisa_hc_hello {
	__u32 abi;	  /* in: the driver's ELISA_ABI_VERSION */
	__u32 flags;	  /* out: ELISA_HELLO_* */
	__u64 root_limit; /* out: page-table roots must be below this address */
	/* out: VM exits of this vCPU since it was set up, this one included, by the basic exit
	 * reason of SDM appendix C. return_traps: the VMFUNC exits at the end of a call during
	 * which an interrupt had to be held back */
	__u64 exits[ELISA_EXIT_REASONS];
	__u64 return_traps;
};
#define ELISA_HELLO_MAY_EXPORT 1u
#define ELISA_HELLO_MAY_ATTACH 2u
#define ELISA_HELLO_TAKES_2M   4u /* pages of ELISA_ORDER_2M */
#define ELISA_HELLO_TAKES_1G   8u

/* Selects an export: by public name, or by the ticket of a private one. */
struct elisa_hc_export {
	char name[ELISA_NAME_SIZE];	/* in: [A-Za-z0-9._-]+, NUL padded */
	__u8 ticket[ELISA_TICKET_SIZE]; /* in: private: 32 random bytes, else 0 */
	__u32 flags;			/* in: ELISA_EXPORT_* */
	__u32 limit_us;			/* in: run time a call may use; 0: host's default */
	__u32 id;			/* out */
	__u32 suspend_us; /* in: longest time that a call may stay suspended; 0: default */
};
#define ELISA_MIN_SUSPEND_US				1000
/*
 * GENERAL_REGS: built with -mgeneral-regs-only; neither MXCSR nor x87 are set up for it, and vector
 * registers are not cleared after it. PRIVATE: the name still has to be granted on both sides.
 */
/* clang-format off */
#define ELISA_EXPORT_FLAG_LIST(FLAG) \
	FLAG(GENERAL_REGS, 0, "general-regs", "the function uses general registers only") \
	FLAG(PRIVATE, 1, "private", "only its ticket gives access") \
	FLAG(POISON, 2, "poison", \
		"after an aborted call, no call gets in until it is published again") \
	FLAG(FAULTS, 3, "faults", "the manager gets ELISA_EVENT_FAULT") \
	FLAG(COUNTED, 4, "counted", "its calls are counted, in the sub context")
#define ELISA_BIT_OF_LIST(name, bit, word, text) | 1u << (bit)
/* clang-format on */
#define ELISA_EXPORT_FLAG_NUMBER(name, bit, word, text) ELISA_EXPORT_##name = 1u << (bit),

enum elisa_export_flag {
	ELISA_EXPORT_FLAG_LIST(ELISA_EXPORT_FLAG_NUMBER) /**/
	ELISA_EXPORT_FLAGS = 0 ELISA_EXPORT_FLAG_LIST(ELISA_BIT_OF_LIST)
};

#define ELISA_PROT_READ	 1u
#define ELISA_PROT_WRITE 2u
#define ELISA_PROT_EXEC	 4u

/*
 * The size of each page that a request names: so many pages of 4 KiB, as a power of two. HELLO's
 * flags say which large ones the host takes. Those hold data: an instruction is in 4 KiB only.
 */
enum elisa_order {
	ELISA_ORDER_4K = 0,
	ELISA_ORDER_2M = 9,
	ELISA_ORDER_1G = 18,
};

#define ELISA_HC_MAP_PAGES 448
struct elisa_hc_map {
	__u32 id;
	__u32 prot;		       /* READ, READ|WRITE or READ|EXEC */
	__u64 offset;		       /* in the object area, aligned to the size of a page */
	__u32 count;		       /* 1 .. ELISA_HC_MAP_PAGES */
	__u32 order;		       /* enum elisa_order */
	__u64 gpa[ELISA_HC_MAP_PAGES]; /* guest-physical addresses, aligned likewise */
};

struct elisa_hc_unmap {
	__u32 id;
	__u32 pad;
	__u64 offset;
	__u64 count; /* pages of 4 KiB */
};

struct elisa_hc_publish {
	__u32 id;
	__u32 pad;
	__u64 entry; /* offset of the entry function in the object area */
};

struct elisa_hc_destroy {
	__u32 id;
	__u32 pad;
};

/* Revokes one attachment of the caller's export. Its calls end with ELISA_CALL_REVOKED; other
 * attachments do not notice. */
struct elisa_hc_evict {
	__u32 id;
	__u32 pad;
	__u64 attachment; /* its number, as in events */
};

/*
 * Reserves room in the object area for memory that guests donate; once for an export. Each
 * attachment made from then on takes one place for as long as it lives. What its VM donates appears
 * from the place's start on, in all attachments of the export.
 */
#define ELISA_MAX_PLACES 256
struct elisa_hc_places {
	__u32 id;
	__u32 count;   /* 1 .. ELISA_MAX_PLACES */
	__u64 offset;  /* in the object area, page aligned */
	__u64 size;    /* of each, pages */
	__u32 per_vmm; /* places without a ticket that the VMs of one VMM may have; 0: all */
	__u32 pad;
};

/* Only an attachment by this ticket gets this place. With all bytes 0, as at the beginning, an
 * attachment by the export's own name or ticket may get the place. */
struct elisa_hc_ticket {
	__u32 id;
	__u32 place;
	__u8 ticket[ELISA_TICKET_SIZE];
};

#define ELISA_NO_PLACE 0xffffffffu

struct elisa_hc_attach {
	char name[ELISA_NAME_SIZE];
	__u8 ticket[ELISA_TICKET_SIZE]; /* all 0: by name */
	__u64 root;			/* in: page-table root of the process in user mode */
	__u16 user_cs, user_ss;		/* in: its 64-bit code and stack selectors, RPL 3 */
	__u32 flags;			/* in: must be 0 */
	__u32 exchange_pages;		/* in: 0 .. ELISA_EXCHANGE_MAX_PAGES */
	__u32 slot;			/* out */
	__u32 mode;			/* out: enum elisa_mode */
	__u32 export_flags;		/* out: ELISA_EXPORT_* */
	__u32 place;			/* out: or ELISA_NO_PLACE */
	__u32 pad;
	__u64 exchange[ELISA_EXCHANGE_MAX_PAGES]; /* in: guest-physical pages */
};
enum elisa_mode {
	ELISA_MODE_STRICT = 0,
	ELISA_MODE_TRUSTED = 1
};

struct elisa_hc_detach {
	__u32 slot;
	__u32 pad;
};

/*
 * Adds pages to what the attachment has donated. Until this attachment ends, every attachment of
 * the export can read and write them, behind all that was donated to the place before. Afterwards a
 * page of the host's replaces all of them, so that a call in progress does not fault.
 */
#define ELISA_HC_DONATE_PAGES 448
struct elisa_hc_donate {
	__u32 slot;
	__u16 count;   /* 1 .. ELISA_HC_DONATE_PAGES */
	__u16 order;   /* enum elisa_order */
	__u64 donated; /* out: pages of 4 KiB in all */
	__u64 gpa[ELISA_HC_DONATE_PAGES];
};

/* Read-only in sub, at ELISA_SELF_ADDRESS: which attachment calls. Only the host writes it. A vCPU
 * is in one call of an attachment at a time. */
struct elisa_self {
	__u64 attachment; /* its number, as in events */
	__u64 donated;	  /* bytes, from its place's start on */
	__u32 place;	  /* or ELISA_NO_PLACE */
	__u32 vcpu;	  /* counted from 0 in its VM */
	__u64 aborts;	  /* calls of this vCPU and attachment that did not come to their end */
	/* the caller's exchange buffer: address in sub and bytes, 0 and 0 if it has none */
	__u64 exchange;
	__u64 exchange_size;
};

/*
 * Selects the global system interrupt that is the VM's doorbell: the pin of the VM's first IOAPIC.
 * The interrupt gets an edge, low to high, in these cases:
 * - an attachment of the VM is rung or revoked;
 * - an event comes into the VM's empty queue;
 * - the interrupt has just been selected, and is a new one.
 * ELISA_NO_DOORBELL selects none, as after ELISA_HC_RESET.
 */
struct elisa_hc_doorbell {
	__u32 gsi; /* 0 .. ELISA_MAX_GSI */
	__u32 pad;
};
#define ELISA_NO_DOORBELL			     0xffffffffu
#define ELISA_MAX_GSI				     23

/*
 * A function rings by VMCALL, in sub: RAX = ELISA_RING, RCX = a place of its export. The VM that
 * has the place learns that there is something to look at, not what. The function continues with
 * the next instruction and unchanged registers. Any other VMCALL ends the call
 * (ELISA_CALL_FORBIDDEN).
 */
#define ELISA_RING				     0x454c4953414e4731ULL

/* clang-format off */
#define ELISA_EVENT_LIST(EVENT) \
	EVENT(ATTACH, 1, "attach", "a VM has attached (value: its place, or -1)") \
	EVENT(DETACH, 2, "detach", "an attachment has ended") \
	EVENT(ABORT, 3, "abort", "a call ended before its return (value: enum elisa_call_error)") \
	EVENT(LOST, 5, "lost", "the queue was full (value: how many events are missing)") \
	EVENT(MEMORY, 6, "memory failed", \
		"hardware lost memory of the export, which has ended (value: offset)") \
	EVENT(FAULT, 7, "fault", "what the function did that ends its call; its ABORT follows") \
	EVENT(DIRTY_LOG, 8, "dirty log", \
		"the manager's VMM logs writes to its memory, at value; the export has ended")
/* clang-format on */
#define ELISA_EVENT_NUMBER(name, number, word, text) ELISA_EVENT_##name = (number),

enum elisa_event_type {
	ELISA_EVENT_LIST(ELISA_EVENT_NUMBER) /**/
};

#define ELISA_ELSEWHERE (~0ULL)

/* A function has no handler for exceptions. Most of them end in a triple fault, after which the CPU
 * does not tell which exception the first one was. */
enum elisa_fault_about {
	ELISA_FAULT_NONE,
	ELISA_FAULT_ADDRESS,   /* an access that the context's tables do not allow */
	ELISA_FAULT_STACK,     /* a triple fault with the stack pointer beyond the host's stack */
	ELISA_FAULT_TRIPLE,    /* another triple fault */
	ELISA_FAULT_EXCEPTION, /* an exception that exits by itself: `vector` */
	ELISA_FAULT_FORBIDDEN, /* an instruction that exits */
};

struct elisa_fault {
	__u8 about;  /* enum elisa_fault_about */
	__u8 exit;   /* the exit reason, SDM vol. 3 appendix C */
	__u8 vector; /* ELISA_FAULT_EXCEPTION: of the exception, SDM vol. 3 table 6-1 */
	__u8 access; /* ELISA_FAULT_ADDRESS: ELISA_PROT_* */
};

/*
 * `attachment` numbers an export's attachments from 1; it names no VM. The value of ATTACH is the
 * place, or -1. ABORT says which call it was: the vCPU, and what the caller's struct elisa_self has
 * as `aborts` since. Its reason is a fault, a time limit, a revocation, or another: what the call
 * held has to be released for each of them. `aborts` of DETACH is the number of vCPUs of which a
 * call may have ended in the middle with no ABORT, or none yet. No call of the attachment goes on,
 * so what they held has to be released. Only a DETACH whose `aborts` is 0 can be lost.
 *
 * Version 1 has a type 4, EVICT, for an ABORT by a time limit or a revocation.
 *
 * FAULT is for exports with ELISA_EXPORT_FAULTS. It is a hint: a full queue drops its FAULTs first.
 * Its addresses are offsets in the object area, or ELISA_ELSEWHERE.
 */
struct elisa_event {
	__u32 type;
	__u32 export_id;
	__u64 attachment;
	union {
		__s64 value;
		__u64 instruction; /* FAULT: its address */
	};
	__u64 time_ns; /* host's CLOCK_MONOTONIC */
	union {
		__u64 aborts;
		__u64 address; /* FAULT: that it wanted, with ELISA_FAULT_ADDRESS */
	};
	__u32 vcpu;
	struct elisa_fault fault; /* FAULT; else 0 */
};

#define ELISA_HC_EVENTS_MAX 64
struct elisa_hc_events {
	__u32 count; /* out */
	__u32 pad;
	struct elisa_event event[ELISA_HC_EVENTS_MAX]; /* out */
};

struct elisa_hc_page {
	__u32 call;  /* in: enum elisa_hc */
	__u32 why;   /* in: ELISA_WHY_ASKED if the driver knows it, else 0; out: enum elisa_why */
	__u64 value; /* out */
	union {
		struct elisa_hc_hello hello;
		struct elisa_hc_export export_;
		struct elisa_hc_map map;
		struct elisa_hc_unmap unmap;
		struct elisa_hc_publish publish;
		struct elisa_hc_destroy destroy;
		struct elisa_hc_attach attach;
		struct elisa_hc_detach detach;
		struct elisa_hc_places places;
		struct elisa_hc_ticket ticket;
		struct elisa_hc_donate donate;
		struct elisa_hc_doorbell doorbell;
		struct elisa_hc_evict evict;
		struct elisa_hc_events events;
		__u8 page[ELISA_PAGE_SIZE - 16];
	};
};

#endif
