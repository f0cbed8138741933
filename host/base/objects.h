/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host module's data: which object owns which, and which lock protects which field. No
 * definition here is shared with a VM. The functions of each layer are in the layer's own header.
 *
 * The locks. One tenant's request must not delay another tenant's. So tenants share spinlocks only.
 * Code under a spinlock is bounded, allocates no memory, frees no page of a VMM and does not wait.
 * Long work comes before or after it. A request makes memory ready before it takes a spinlock. It
 * interrupts CPUs (struct eh_kick) and unpins pages after it has let all spinlocks go. The
 * scheduler may keep a thread from running (cpu.max), or the memory controller may make it sleep
 * (memory.high). Such a thread holds no spinlock. The locks in the order in which they nest:
 *
 *   export->owner (mutex)     the manager's mappings. Taken by threads of the manager's VM, and by
 *                             the thread that ends the export.
 *   vm->apicv_lock (mutex)    whether the VM has APICv, see apicv.c. Taken by threads and the work
 *                             of this VM alone. KVM waits for the VM's vCPUs while it is held.
 *   export->lock (spin)       an export's attachments, places, donations and page tables.
 *   vm->lock (spin)           a VM's vCPUs, attachments and contexts.
 *   eh_registry (spin)        the lists by name: VMs, vCPUs, VMMs, grants, exports, tickets.
 *   vcpu->lock (raw spin, IRQs off)  the fields that the entry and exit hooks of one vCPU use.
 *                             Nests inside vm->lock.
 *   events->lock, bell->lock (raw spin)  an event queue; a VM's doorbell. They nest inside
 *                             vcpu->lock in this order. Only a timer's and a workqueue's locks nest
 *                             inside them.
 *   told_lock (spin), stream_lock (raw spin)  the messages for administrators' files, in unknown.c
 *                             and stream.c. stream_lock nests inside all of these locks, and no
 *                             lock nests inside it.
 *   vmm->lock (mutex)         the pinned memory of one VMM. Taken by threads and works of its VMs.
 *                             Nests inside export->owner of the same VMM, or inside no lock.
 *   hooks_lock (mutex)        which hooks are in place, in arm.c. Nests inside no lock. Its holder
 *                             waits for grace periods when the hooks come and when they go.
 *
 * VMs, exports and attachments are counted. A request looks an object up under the list's lock and
 * takes a reference. Then it takes the object's own lock, and sees there whether the object has
 * ended meanwhile.
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

/* Why a request is refused, and for which value. The guest reads it in its request page. */
struct eh_refusal {
	u32 why; /* enum elisa_why */
	u64 value;
};

/*
 * A token bucket, kept as a time: all tokens taken so far are paid for at `paid_at`. The bucket is
 * full when that time has passed. It is empty when that time is a burst or more ahead of now.
 */
struct eh_bucket {
	u64 paid_at; /* ns */
};

/* Takes @cost (ns) from the bucket. Under the lock of the bucket's owner. */
static inline void eh_bucket_take(struct eh_bucket *bucket, u64 now, u64 cost)
{
	bucket->paid_at = max(bucket->paid_at, now) + cost;
}

/* Returns for how many ns the bucket stays empty. */
static inline u64 eh_bucket_wait(const struct eh_bucket *bucket, u64 now, u64 burst)
{
	return bucket->paid_at > now + burst ? bucket->paid_at - now - burst : 0;
}

/* Returns the time between two readings on two CPUs, whose clocks may differ a little. */
static inline u64 eh_time_since(u64 since, u64 now)
{
	return now > since ? now - since : 0;
}

struct eh_bell;

/* A manager VM's event queue. It outlives the VM while an export of the VM is attached. */
struct eh_events {
	struct kref ref;
	struct eh_bell *bell; /* const: the VM's, a reference */
	raw_spinlock_t lock;  /* all below */
	unsigned int head, count;
	u64 lost;
	struct elisa_event ring[EH_EVENT_RING];
};

/*
 * A VMM's address space with a grant, and the memory that is pinned of it. Owners: its grants and
 * its VMs.
 */
struct eh_vmm {
	struct mmu_notifier notifier;
	struct mm_struct *mm;	/* const; the notifier holds it (mm_count), so it is not reused */
	struct hlist_node hash; /* eh_registry, as all down to `gone` */
	struct list_head grants, vms;
	u32 refs;
	u32 vm_count;
	u32 export_count, ticket_count, vcpu_count; /* of all its VMs */
	struct eh_bucket calls;			    /* pays for its VMs' hypercalls */
	struct list_head unused;		    /* eh_run: to be unpinned */
	bool gone;				    /* no thread uses mm any more */
	struct work_struct ending;	   /* const, as the next three: ends its VMs' objects */
	struct work_struct unpinning;	   /* unpins the runs in `unused` */
	struct work_struct failure;	   /* looks for failed memory among gifts to its VMs */
	struct work_struct object_failure; /* looks for failed memory in its VMs' objects */
	struct mutex lock;		   /* all below */
	struct xarray folios; /* by the first page's number: how many pins the module has */
	u64 pins;	      /* of all folios; read without the lock, as the next two */
	u64 tables;	      /* that large pages of its objects were split into */
	u64 held;	      /* pages of all folios */
};

/* The counters behind struct elisa_host_spans. */
struct eh_spans {
	atomic64_t ns;
	atomic64_t times[ELISA_SPANS];
};

/* The administrator's grant to one VMM process. Owner: its VMM's list (eh_registry). */
struct eh_grant {
	struct list_head node; /* in vmm->grants */
	struct list_head all;  /* in eh_grants */
	struct eh_vmm *vmm;
	pid_t pid;
	u32 id, rights;
	u64 max_pages;
	char name[ELISA_NAME_SIZE];
};

/* A copy of a grant's terms for a request. The grant itself may be taken back meanwhile. */
struct eh_terms {
	u32 grant_id, rights;
	u64 max_pages;
};

/* A range of addresses in the VMM, both ends included. */
struct eh_range {
	u64 first, last;
};
#define EH_SHARED_RANGES 8

/*
 * A VM that has made a hypercall of the module. Owners: its vCPUs together, its exports and
 * attachments, and its work.
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
	struct delayed_work work; /* frees objects that its vCPUs and attachments need no more */
	struct mutex apicv_lock;  /* the next one, and KVM's APICv setting of this VM */
	bool apicv_inhibited;	  /* by this module; READ_ONCE'd without the lock */
	struct work_struct apicv_work;
	spinlock_t lock; /* all below */
	struct list_head vcpus;
	u32 vcpu_count;
	struct eh_attachment *slots[ELISA_SLOTS]; /* each a reference */
	bool events_lost;			  /* events may be untold, see untold.c */
	struct eh_range shared[EH_SHARED_RANGES]; /* memory slots that gave pages, see logging.c */
	u32 shared_count;
	bool allow_pcid; /* all its attachments' grants allow it; READ_ONCE'd by hooks */
	u32 abi;	 /* version that its driver has named last; no lock, one word */
};

/*
 * A run of pages that are pinned of one VMM. Owner: the list that it is in, or the exchange
 * pointer. A run in the VMM's `unused` list is shown by no context, and no CPU has translations of
 * it.
 */
struct eh_run {
	struct list_head node;
	u64 offset; /* in the object area; not for an exchange buffer */
	u32 prot;   /* of a mapping */
	u32 order;  /* of each page: enum elisa_order */
	u32 count;
	u32 tables;	      /* vmm->lock: page tables that its large pages were split into */
	struct page *pages[]; /* the first of each large one; NULL: unmapped */
};

/* Returns the bytes of each page of a run. */
static inline u64 eh_run_step(const struct eh_run *run)
{
	return (u64)PAGE_SIZE << run->order;
}

/* Returns the bytes of all pages of a run, with those that were unmapped. */
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
#define EH_SINK_PAGES 3 /* one for each level of the pages that the sink replaces */

/*
 * An export: an object of its manager VM that other VMs may call. Owners: the registry, until one
 * thread ends the export, and requests that use it.
 */
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
	struct eh_terms terms; /* of the grant that it was published under */
	char name[ELISA_NAME_SIZE];
	u8 ticket[ELISA_TICKET_SIZE];
	struct work_struct poisoning; /* tells its vCPUs that it is poisoned */
	struct mutex owner;	      /* the next one */
	struct list_head mappings;    /* eh_run */
	spinlock_t lock;	      /* all below but the flags */
	bool dead;		      /* it gets no new attachments */
	u32 state;
	u64 entry; /* offset in the object area */
	u64 pages;
	u64 next_attachment;
	u32 attachment_count;
	u64 places_offset, place_pages;
	u32 places_per_vmm; /* of those without a ticket; 0: all */
	u32 place_count;    /* 0: no donations; set once, after `places` */
	struct eh_place *places;
	/* replaces donated pages that have gone: a page; a table and a directory that lead to it */
	u64 *sink[EH_SINK_PAGES];
	struct list_head attachments;
	struct list_head untold; /* eh_end: of attachments that have ended */
	u64 gib[EH_OBJECT_GIB];	 /* EPT entries: a page directory, or 1 GiB of memory */
	u64 unshown;		 /* a bit per GiB: contexts may have an older entry, see show.c */
	u64 changes;		 /* of `gib` */
	u32 tables;		 /* table pages for its own memory and for donated memory */
	bool poisoned;		 /* set by hooks of attached vCPUs that are not revoked */
	atomic64_t aborts;
	struct eh_spans suspended; /* export->lock: of attachments that have ended */
};

/*
 * An attachment: a process of a guest VM may enter one export. Owners: its VM's slot, requests that
 * use it, and contexts that outlive it because their vCPU has not passed a hook yet.
 *
 * Its life. It gets a slot before it is complete (`number` is 0). A complete attachment is in its
 * export's list. A revoked attachment keeps its slot until the guest detaches.
 */
struct eh_attachment {
	struct kref ref;
	struct list_head node;	  /* in export->attachments; export->lock */
	struct eh_vm *vm;	  /* const, a reference */
	struct eh_export *export; /* written under export->lock and vm->lock: either protects it.
				      * A reference, and a share of the hooks; NULL: revoked */
	u64 number;		  /* likewise; among the export's attachments */
	bool shut;		  /* vm->lock: its contexts are revoked, and no vCPU enters them */
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
	u64 untold;		    /* vm->lock: gone vCPUs with an untold abort, untold.c */
	struct eh_end *end; /* vm->lock: made ready for the record of its end, see untold.c */
	atomic64_t aborts;
	struct eh_spans suspended; /* its own vCPUs count: no other VM waits for them */
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
	u64 *list; /* const: the vCPU's list page when the context was built */
	u64 *pml4[EH_ROOTS], *pdpt[EH_ROOTS];
	u64 *gate_pd, *gate_pt, *sub_pd, *sub_pt; /* private pages' tables */
	struct elisa_self *self; /* a page; aborts: vcpu->lock, the rest: vm->lock */
	u8 *data;		 /* holds the caller's RSP */
	u8 *stack[ELISA_STACK_PAGES];
	u64 eptp[EH_ROOTS];
	bool revoked; /* vcpu->lock: VMFUNC gets ELISA_CALL_REVOKED */
	bool dead;    /* vcpu->lock: detached, and the vCPU has not passed a hook since */
	u64 entry;    /* vm->lock: the vCPU's entry when it was shut; 0: the vCPU was not inside */
	u64 reported; /* vcpu->lock: the number (self->aborts) of the last abort that was queued */
	/*
	 * vcpu->lock: how the host ended the vCPU's call, until the vCPU is told; 0: the host ended
	 * no call
	 */
	enum elisa_call_error ended;
};

/* A call that an asynchronous exit has interrupted. KVM and the VMM see `exposed` instead. */
struct eh_stash {
	bool vector;  /* the function's data may be in vector registers */
	bool watched; /* the return trap is set, so that several short calls do not look like one */
	bool touched; /* the VMM made another ioctl than KVM_RUN, or reset the vCPU */
	bool armed;   /* the list's entry for sub, and for gate-in, were valid */
	bool gate_open;
	struct eh_context *context; /* NULL: detached meanwhile */
	u64 eptp;
	unsigned long regs[16];
	u64 rip, rsp, rflags, interruptibility;
	u64 cycles;    /* guest run time since the first exit of this call */
	u64 suspended; /* ns: sum of its earlier suspensions */
	u64 since;     /* ns: when this suspension began */
	struct {
		u64 rip, rsp, rflags, cr0, cr3, cr4, fs_base, gs_base;
		u32 cs_ar, ss_ar;
		u16 cs, ss;
	} exposed;
};

#define EH_NO_ROOT (~0ULL)

/* Where a vCPU that is set up is. path/state.h says how phases change, and with which fields. */
enum eh_phase {
	EH_OUTSIDE,
	EH_INSIDE,    /* between the entry hook and the end of the exit hook's work */
	EH_SUSPENDED, /* outside, and its stash has a call */
};

enum eh_vmfunc {
	EH_VMFUNC_OFF,	  /* as on a CPU without it: KVM handles the exits */
	EH_VMFUNC_CLOSED, /* VMFUNC exits to the module */
	EH_VMFUNC_OPEN,	  /* VMFUNC is on in the VMCS: the list page is in use */
};

enum eh_watching {
	EH_WATCH_OFF,
	EH_WATCH_HERE,	    /* the timer will look */
	EH_WATCH_ELSEWHERE, /* likewise, but the timer is not yet on the vCPU's CPU */
};

enum eh_known {
	EH_UNKNOWN, /* the state that the predicate reads may have changed since the last entry */
	EH_QUIET,   /* KVM has changed none of it since, but for fields that each entry compares */
	EH_SETTLED, /* likewise, VMFUNC was on, and no call under way: there is no work */
};

/* A vCPU that has made a hypercall of the module. Freed after a grace period: hooks look it up. */
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
	 * The entry hook loads these four in one access, first of all.
	 *
	 * known: enum eh_known. Only the thread that holds the vCPU's mutex uses it.
	 *
	 * phase: enum eh_phase. The vCPU's own thread goes outside without the lock, when its work
	 * inside is done.
	 *
	 * stale: the list page must be written anew. The host writes it only while the vCPU is not
	 * inside.
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
	bool scrub;	  /* vector registers may hold a function's data, see call.c */
	u64 default_eptp; /* KVM's root, as of the last entry */
	u64 exit_cr3;	  /* the guest's CR3 at the last exit; unknown: EH_NO_ROOT */
	struct {
		u64 efer, secondary;
		bool allow_pcid;
	} seen;
	u8 closed; /* enum elisa_closed, of the last entry with VMFUNC off */
	u64 exits[ELISA_EXIT_REASONS], return_traps;
	u64 entry_tsc;	      /* when an interrupted call was resumed */
	u64 entry_delay;      /* ns that its thread had waited for the processor by entry_tsc */
	struct hrtimer watch; /* looks whether the vCPU is kept from running a call, see watch.c */
	bool ended;	      /* a context's `ended` may be set */
	u64 held_entry;	      /* the entry whose exit hook had not run when the timer looked */
	u64 held_since;	      /* ns: when the timer looked so */
	/*
	 * The EPTP list page, or NULL. The gate writes single bytes of it. So the host may write it
	 * only while the vCPU is not inside.
	 */
	u64 *list;
	int poisonings;			     /* of all exports, when the list was last looked at */
	int cpu;			     /* of the last entry; none yet: -1 */
	DECLARE_BITMAP(forget, ELISA_SLOTS); /* contexts that changed since the last entry */
	DECLARE_BITMAP(used, ELISA_SLOTS);
	struct eh_context *slots[ELISA_SLOTS];
	struct eh_stash stash;
	bool counted; /* vm->lock: holds a share of the armed hooks */
	u32 dead;     /* vm->lock: how many contexts are dead */
};

#endif
