/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host module's data: what owns what, and which lock protects which field. No definition here
 * may reach a VM. The functions of each layer are in its own header.
 *
 * The locks. One tenant's request must not delay another's, so tenants share spinlocks only, and
 * what a spinlock is held over is bounded, allocates nothing, frees no page of a VMM and waits for
 * nothing. All that takes long is done before or afterwards: memory is made ready first, CPUs are
 * interrupted (struct eh_kick) and pages are unpinned with no spinlock held. A thread that the
 * scheduler keeps from running (cpu.max) or that the memory controller makes sleep (memory.high)
 * has none of them. In the order in which they nest:
 *
 *   export->owner (mutex)     what the manager maps. Taken by threads of the manager's VM, and by
 *                             the thread that ends the export.
 *   vm->apicv_lock (mutex)    whether the VM has APICv, see apicv.c. Taken by threads and the work
 *                             of this VM alone. KVM waits for the VM's vCPUs meanwhile.
 *   export->lock (spin)       an export's attachments, places, donations and page tables.
 *   vm->lock (spin)           a VM's vCPUs, attachments and contexts.
 *   eh_registry (spin)     what is found by name: VMs, vCPUs, VMMs, grants, exports, tickets.
 *   vcpu->lock (raw spin, IRQs off)  what the entry and exit hooks of one vCPU use. Nests inside
 *                             vm->lock.
 *   events->lock, bell->lock (raw spin)  an event queue; a VM's doorbell. Nest inside vcpu->lock in
 *                             this order; only a timer's and a workqueue's locks nest inside them.
 *   told_lock (spin), stream_lock (raw spin)  what administrators' files are told, in unknown.c and
 *                             stream.c. stream_lock nests inside all of these, nothing inside it.
 *   vmm->lock (mutex)         what is pinned of one VMM. Taken by threads of its VMs and by works
 *                             of theirs; inside of export->owner of the same VMM's, or of nothing.
 *   hooks_lock (mutex)        which hooks are in place; in arm.c, inside of nothing. It is held
 *                             over grace periods when the hooks come and when they go.
 *
 * VMs, exports and attachments are counted. A request looks an object up under the lock of the
 * list, takes a reference, and finds under the object's own lock whether it has ended meanwhile.
 */
#ifndef ELISA_HOST_OBJECTS_H
#define ELISA_HOST_OBJECTS_H

#include <linux/cpumask.h>
#include <linux/hashtable.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <elisa/abi.h>
#include <elisa/gate_layout.h>
#include <elisa/host_ioctl.h>

#include "base/filter.h"

#undef pr_fmt
#define pr_fmt(fmt)		  "elisa: " fmt

#define EH_EVENT_RING		  256
#define EH_UNTOLD_MAX		  16
#define EH_EXPORTS_PER_VMM	  256
#define EH_TICKETS_PER_VMM	  4096 /* of places of its exports */
#define EH_VCPUS_PER_VMM	  4096
#define EH_VMS_PER_VMM		  128
#define EH_VCPUS_PER_VM		  512
#define EH_ATTACHMENTS_PER_EXPORT 1024
#define EH_ATTACHMENTS_PER_VMM	  256 /* of one export */

/* What was wrong with a request, for the guest's page, and with which value. */
struct eh_refusal {
	u32 why; /* enum elisa_why */
	u64 value;
};

/*
 * A token bucket, as the time until which all that was taken is paid for. The bucket is full when
 * that time has passed, and empty when it is a burst ahead.
 */
struct eh_bucket {
	u64 paid_at; /* ns */
};

static inline void eh_bucket_take(struct eh_bucket *bucket, u64 now, u64 cost)
{
	bucket->paid_at = max(bucket->paid_at, now) + cost;
}

/* For how long it is empty. */
static inline u64 eh_bucket_wait(const struct eh_bucket *bucket, u64 now, u64 burst)
{
	return bucket->paid_at > now + burst ? bucket->paid_at - now - burst : 0;
}

/* From one time to another, of clocks of two CPUs: the second may be a little behind. */
static inline u64 eh_time_since(u64 since, u64 now)
{
	return now > since ? now - since : 0;
}

struct eh_bell;

/* A manager VM's events. Outlives the VM while an export of it is still attached. */
struct eh_events {
	struct kref ref;
	struct eh_bell *bell; /* const: the VM's, a reference */
	raw_spinlock_t lock;  /* all below */
	unsigned int head, count;
	u64 lost;
	struct elisa_event ring[EH_EVENT_RING];
};

/*
 * A VMM's address space that was granted something, and what is pinned of it. Owners: its grants,
 * and its VMs.
 */
struct eh_vmm {
	struct mmu_notifier notifier;
	struct mm_struct *mm;	/* const; the notifier holds it (mm_count), so it is not reused */
	struct hlist_node hash; /* eh_registry, as all down to `gone` */
	struct list_head grants, vms;
	u32 refs;
	u32 vm_count;
	u32 export_count, ticket_count, vcpu_count; /* of all its VMs */
	struct eh_bucket calls;			    /* what its VMs' hypercalls cost */
	struct list_head unused;		    /* eh_run: to be unpinned */
	bool gone;				    /* no thread uses mm any more */
	struct work_struct ending;	   /* const, as the next two: ends what its VMs have */
	struct work_struct unpinning;	   /* of what is in `unused` */
	struct work_struct failure;	   /* looks for memory that failed among gifts to its VMs */
	struct work_struct object_failure; /* and in their objects */
	struct mutex lock;		   /* all below */
	struct xarray folios; /* by the first page's number: how many pins of it are ours */
	u64 pins;	      /* of all folios; read without the lock, as the next two */
	u64 tables;	      /* that large pages of its objects were split into */
	u64 held;	      /* pages of all folios */
};

/* struct elisa_host_spans, while it counts. */
struct eh_spans {
	atomic64_t ns;
	atomic64_t times[ELISA_SPANS];
};

/* What the administrator allows one VMM process. Owner: the list of its VMM's (eh_registry). */
struct eh_grant {
	struct list_head node; /* in vmm->grants */
	struct list_head all;  /* in eh_grants */
	struct eh_vmm *vmm;
	pid_t pid;
	u32 id, rights;
	u64 max_pages;
	char name[ELISA_NAME_SIZE];
};

/* A grant's terms, for a request that uses it: the grant itself may be taken back meanwhile. */
struct eh_terms {
	u32 grant_id, rights;
	u64 max_pages;
};

/* Addresses in the VMM, both ends included. */
struct eh_range {
	u64 first, last;
};
#define EH_SHARED_RANGES 8

/*
 * A VM that has spoken to the module. Owners: its vCPUs together, its exports and attachments, and
 * its work.
 */
struct eh_vm {
	struct kref ref;
	struct list_head node;	  /* in eh_vms; eh_registry, as the next two */
	struct list_head sibling; /* in vmm->vms */
	struct list_head exports;
	u64 sequence;	      /* const: the lists are in this order */
	struct kvm *kvm;      /* const; valid while a vCPU is in `vcpus` */
	struct mm_struct *mm; /* const: the VMM's, for comparison only */
	struct eh_vmm *vmm;   /* const, a reference */
	pid_t pid;	      /* const, as all down to `lock` */
	u32 id;
	struct eh_events *events;
	struct eh_bell *bell;	  /* its doorbell, a reference */
	struct delayed_work work; /* gives back what its vCPUs and attachments need no more */
	struct mutex apicv_lock;  /* the next one, and KVM's setting of it */
	bool apicv_inhibited;	  /* by this module; READ_ONCE'd without the lock */
	struct work_struct apicv_work;
	spinlock_t lock; /* all below */
	struct list_head vcpus;
	u32 vcpu_count;
	struct eh_attachment *slots[ELISA_SLOTS]; /* each a reference */
	bool events_lost;			  /* there may be something untold, see untold.c */
	struct eh_range shared[EH_SHARED_RANGES]; /* memory slots that gave pages, see logging.c */
	u32 shared_count;
	bool allow_pcid; /* all its attachments' grants allow it; READ_ONCE'd by hooks */
	u32 abi;	 /* that its driver has last said; no lock, one word */
};

/*
 * A run of pages that is pinned of one VMM. Owner: the list that it is in, or the exchange pointer.
 * Without an owner, no context shows it and no CPU remembers it: the VMM's `unused` list.
 */
struct eh_run {
	struct list_head node;
	u64 offset; /* in the object area; not for an exchange buffer */
	u32 prot;   /* of a mapping */
	u32 order;  /* of each page: enum elisa_order */
	u32 count;
	u32 tables;	      /* vmm->lock: that its large pages were split into */
	struct page *pages[]; /* the first of each large one; NULL: unmapped */
};

/* Bytes of each page of a run, and of all. */
static inline u64 eh_run_step(const struct eh_run *run)
{
	return (u64)PAGE_SIZE << run->order;
}

static inline u64 eh_run_length(const struct eh_run *run)
{
	return run->count * eh_run_step(run);
}

struct eh_place {
	struct eh_attachment *attachment; /* export->lock; NULL: free; RCU: eh_ring_place() */
	struct hlist_node hash;		  /* by ticket; eh_registry */
	struct eh_export *export;	  /* const */
	u8 ticket[ELISA_TICKET_SIZE];	  /* eh_registry; all 0: for any attachment */
};

#define EH_OBJECT_GIB (ELISA_OBJECT_SIZE >> 30)
#define EH_SINK_PAGES 3 /* by the level of what it takes the place of */

/* Owners: the registry, until one thread ends the export, and requests that use it. */
struct eh_export {
	struct kref ref;
	struct list_head node;	/* in vm->exports; eh_registry, as the next three */
	struct list_head all;	/* in eh_exports */
	struct hlist_node hash; /* by name or ticket */
	struct hlist_node number_hash;
	struct eh_vm *vm; /* const, as all down to `owner`; a reference */
	struct eh_events *events;
	u64 sequence; /* the lists are in this order */
	u32 id, flags, limit_us, suspend_us;
	struct eh_terms terms; /* of the grant it was published under */
	char name[ELISA_NAME_SIZE];
	u8 ticket[ELISA_TICKET_SIZE];
	struct work_struct poisoning; /* tells its vCPUs that it is poisoned */
	struct mutex owner;	      /* the next one */
	struct list_head mappings;    /* eh_run */
	spinlock_t lock;	      /* all below but the flags */
	bool dead;		      /* it has no new attachments */
	u32 state;
	u64 entry; /* offset in the object area */
	u64 pages;
	u64 next_attachment;
	u32 attachment_count;
	u64 places_offset, place_pages;
	u32 places_per_vmm; /* of those without a ticket; 0: all */
	u32 place_count;    /* 0: no donations; set once, after `places` */
	struct eh_place *places;
	/* where donated pages were: a page; a table and a directory that lead to it alone */
	u64 *sink[EH_SINK_PAGES];
	struct list_head attachments;
	struct list_head untold; /* eh_end: of attachments that have ended */
	u64 gib[EH_OBJECT_GIB];	 /* EPT entries: a page directory, or 1 GiB of memory */
	u64 unshown;		 /* bit by GiB: contexts may have another entry, see show.c */
	u64 changes;		 /* of `gib` */
	u32 tables;		 /* pages of tables that its own memory and donated memory have */
	bool poisoned;		 /* hooks of attached vCPUs that are not revoked set it */
	atomic64_t aborts;
	struct eh_spans suspended; /* export->lock: of attachments that have ended */
};

/*
 * A process of a guest VM that may enter one export. Owners: its VM's slot, requests that use it,
 * and contexts that outlive it because their vCPU has not passed a hook yet.
 *
 * It has a slot before it is complete (`number` is 0), then it is in its export's list, and after
 * it is revoked it keeps its slot until the guest detaches.
 */
struct eh_attachment {
	struct kref ref;
	struct list_head node;	  /* in export->attachments; export->lock */
	struct eh_vm *vm;	  /* const, a reference */
	struct eh_export *export; /* written under export->lock and vm->lock: either protects it.
				      * A reference, and a share of the hooks; NULL: revoked */
	u64 number;		  /* likewise; among the export's attachments */
	bool shut;		  /* vm->lock: its contexts are revoked, no vCPU enters them */
	u32 export_id;		  /* const */
	u32 grant_id;		  /* const */
	u32 slot, mode, export_flags; /* const */
	u64 root;		      /* const: the process's page-table root */
	u32 levels;		      /* const: of the guest's page tables, 4 or 5 */
	u32 place;		      /* as `number`: ELISA_NO_PLACE or index in export->places */
	u16 user_cs, user_ss;	      /* const */
	bool allow_pcid;	      /* const: of the grant */
	u64 limit_cycles;	      /* const */
	u64 suspend_ns;		      /* const */
	struct eh_events *events;     /* const */
	struct eh_bell *bell;	      /* const: its VM's, a reference */
	struct rcu_head rcu;
	char name[ELISA_NAME_SIZE];	    /* const */
	u64 *root_pdpt, *root_pd, *root_pt; /* const; EPT: the root answers with the APT */
	u64 *sub_pd, *sub_pt;		    /* const; EPT: the sub stub */
	u64 *exchange_pd, *exchange_pt;	    /* const; EPT: the exchange buffer */
	u8 *sub_stub;
	u32 exchange_pages;	    /* const */
	u64 donated;		    /* export->lock: bytes */
	u32 donating;		    /* export->lock: donations whose flush is under way */
	struct list_head donations; /* export->lock: eh_run */
	struct list_head leaving;   /* export->lock: eh_run; out of the tables, not yet flushed */
	struct eh_run *exchange;    /* vm->lock: pinned; NULL: none, or revoked */
	struct list_head contexts;  /* vm->lock: of the vCPUs */
	u64 untold;		    /* vm->lock: of vCPUs that have gone, see untold.c */
	struct eh_end *end;	    /* vm->lock: for what may have to be told of its end */
	atomic64_t aborts;
	struct eh_spans suspended; /* by its own vCPUs: no other VM waits for them */
};

enum eh_where {
	EH_IN_GATE_IN,
	EH_IN_GATE_OUT,
	EH_IN_SUB,
	EH_IN_DOUBT
};
#define EH_ROOTS 3

/* One attachment on one vCPU: three EPT roots and the vCPU's own pages. */
struct eh_context {
	struct list_head node;		  /* in attachment->contexts; vm->lock */
	struct eh_attachment *attachment; /* const, a reference */
	struct eh_vcpu *vcpu;		  /* const */
	u64 *list;			  /* const: the vCPU's list page when this was built */
	u64 *pml4[EH_ROOTS], *pdpt[EH_ROOTS];
	u64 *gate_pd, *gate_pt, *sub_pd, *sub_pt; /* private pages' tables */
	struct elisa_self *self; /* a page; aborts: vcpu->lock, the rest: vm->lock */
	u8 *data;		 /* holds the caller's RSP */
	u8 *stack[ELISA_STACK_PAGES];
	u64 eptp[EH_ROOTS];
	bool revoked; /* vcpu->lock: VMFUNC gets ELISA_CALL_REVOKED */
	bool dead;    /* vcpu->lock: detached, and the vCPU has not passed a hook since */
	u64 entry;    /* vm->lock: the vCPU's entry when this was shut; 0: it was not inside */
	u64 reported; /* no lock: of self->aborts, the last that is or was in the event queue */
	/*
	 * vcpu->lock: how the host ended the vCPU's call, until the vCPU has learnt of it; 0: it
	 * did not
	 */
	enum elisa_call_error ended;
};

/* A call that an asynchronous exit interrupted. KVM and the VMM see `exposed` instead. */
struct eh_stash {
	bool vector;  /* the function may have left something in vector registers */
	bool watched; /* the return trap is set to see whether it is still one call */
	bool touched; /* the VMM made another ioctl than KVM_RUN, or reset the vCPU */
	bool armed;   /* the list's entry for sub, and for gate-in, were valid */
	bool gate_open;
	struct eh_context *context; /* NULL: detached meanwhile */
	u64 eptp;
	unsigned long regs[16];
	u64 rip, rsp, rflags, interruptibility;
	u64 cycles;    /* guest run time since the first exit of this call */
	u64 suspended; /* ns: for how long it was suspended before this time */
	u64 since;     /* ns: when it was suspended */
	struct {
		u64 rip, rsp, rflags, cr0, cr3, cr4, fs_base, gs_base;
		u32 cs_ar, ss_ar;
		u16 cs, ss;
	} exposed;
};

#define EH_NO_ROOT (~0ULL)

/* Of a vCPU that is set up. How they change, and what goes together: path/state.h. */
enum eh_phase {
	EH_OUTSIDE,
	EH_INSIDE,    /* between the entry hook and the end of the exit hook's work */
	EH_SUSPENDED, /* outside, and its stash has a call */
};

enum eh_vmfunc {
	EH_VMFUNC_OFF,	  /* as on a CPU without it: KVM handles the exits */
	EH_VMFUNC_CLOSED, /* it exits to us */
	EH_VMFUNC_OPEN,	  /* it is on in the VMCS: the list page is in use */
};

enum eh_watching {
	EH_WATCH_OFF,
	EH_WATCH_HERE,	    /* the timer will look */
	EH_WATCH_ELSEWHERE, /* likewise, but it has to come to the vCPU's CPU yet */
};

enum eh_known {
	EH_UNKNOWN, /* what the predicate reads may be another state than at the last entry */
	EH_QUIET,   /* KVM has written nothing of it since, but for what each entry compares */
	EH_SETTLED, /* likewise, VMFUNC was on, and no call under way: nothing is to be done */
};

struct eh_vcpu {
	struct hlist_node hash; /* RCU; written under eh_registry */
	struct list_head node;	/* in vm->vcpus; vm->lock */
	struct rcu_head rcu;
	struct kvm_vcpu *kvm_vcpu; /* const */
	struct eh_vm *vm;	   /* const */
	raw_spinlock_t lock;	   /* all below but the last two */
	bool synced;		   /* set up by ELISA_HC_VCPU_SYNC and still in long mode */
	enum eh_vmfunc vmfunc;
	/*
	 * What the entry hook wants to know first, in one load.
	 *
	 * known: enum eh_known. Of the thread that has the vCPU's mutex.
	 *
	 * phase: enum eh_phase. The vCPU's own thread goes outside without the lock, when what it
	 * had to do inside is done.
	 *
	 * stale: the list page, which the host writes only while the vCPU is not inside, has to be
	 * written anew.
	 *
	 * watching: enum eh_watching.
	 */
	union {
		struct {
			u8 known, phase;
			bool stale;
			u8 watching;
		};
		u32 at_entry;
	};
	u64 entries;	  /* times the entry hook ran */
	bool trap;	  /* list[0] is invalid: the return exits */
	bool scrub;	  /* vector registers may still hold a function's, see call.c */
	u64 default_eptp; /* KVM's root, as of the last entry */
	u64 exit_cr3;	  /* the guest's CR3 at the last exit; unknown: EH_NO_ROOT */
	struct {
		u64 efer, secondary;
		bool allow_pcid;
	} seen;
	u8 closed; /* enum elisa_closed, of the last entry with VMFUNC off */
	u64 exits[ELISA_EXIT_REASONS], return_traps;
	u64 entry_tsc;	      /* when an interrupted call was resumed */
	u64 entry_delay;      /* ns that its thread had waited for the processor by then */
	struct hrtimer watch; /* looks whether the vCPU is kept from running a call, see watch.c */
	bool ended;	      /* a context's `ended` may be set */
	u64 held_entry;	      /* the entry whose exit hook has not come when the timer looked */
	u64 held_since;	      /* ns of that look */
	/*
	 * The EPTP list page, or NULL. The gate writes single bytes of it, so the host
	 * may write it only while the vCPU is not inside.
	 */
	u64 *list;
	int poisonings;			     /* of all exports, when the list was last looked at */
	int cpu;			     /* of the last entry; none yet: -1 */
	DECLARE_BITMAP(forget, ELISA_SLOTS); /* contexts that changed since the last entry */
	DECLARE_BITMAP(used, ELISA_SLOTS);
	struct eh_context *slots[ELISA_SLOTS];
	struct eh_stash stash;
	bool counted; /* vm->lock: holds a share of the armed hooks */
	u32 dead;     /* vm->lock: contexts that are */
};

#endif
