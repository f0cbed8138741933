/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host module's data: who owns what, which lock protects which field, and the few
 * functions that the files call of each other. No definition here may reach a VM.
 *
 * The locks. One tenant's request must not delay another's, so tenants share spinlocks only, and
 * what a spinlock is held over is bounded, allocates nothing, frees no page of a VMM and waits for
 * nothing. All that takes long is done before or afterwards: memory is made ready first, CPUs are
 * interrupted (struct elisa_kick) and pages are unpinned with no spinlock held. A thread that the
 * scheduler keeps from running (cpu.max) or that the memory controller makes sleep (memory.high)
 * has none of them. In the order in which they nest:
 *
 *   export->owner (mutex)     what the manager maps. Taken by threads of the manager's VM, and by
 *                             the thread that ends the export.
 *   export->lock (spin)       an export's attachments, places, donations and page tables.
 *   vm->lock (spin)           a VM's vCPUs, attachments and contexts.
 *   elisa_registry (spin)     what is found by name: VMs, vCPUs, VMMs, grants, exports, tickets.
 *   vcpu->lock (raw spin, IRQs off)  what the entry and exit hooks of one vCPU use. Nests inside
 *                             vm->lock.
 *   events->lock, bell->lock (raw spin)  an event queue; a VM's doorbell. Nest inside vcpu->lock in
 *                             this order; only a timer's and a workqueue's locks nest inside them.
 *   vmm->lock (mutex)         what is pinned of one VMM. Taken by threads of its VMs and by works
 *                             of theirs; inside of nothing.
 *   hooks_lock (mutex)        which hooks are in place; in arm.c, inside of nothing. It is held
 *                             over grace periods when the hooks come and when they go.
 *
 * VMs, exports and attachments are counted. A request looks an object up under the lock of the
 * list, takes a reference, and finds under the object's own lock whether it has ended meanwhile.
 */
#ifndef ELISA_HOST_H
#define ELISA_HOST_H

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

#include "filter.h"

#undef pr_fmt
#define pr_fmt(fmt)		     "elisa: " fmt

#define ELISA_EVENT_RING	     256
#define ELISA_UNTOLD_MAX	     16
#define ELISA_EXPORTS_PER_VMM	     256
#define ELISA_VMS_PER_VMM	     128
#define ELISA_VCPUS_PER_VM	     512
#define ELISA_ATTACHMENTS_PER_EXPORT 1024
#define ELISA_ATTACHMENTS_PER_VMM    256 /* of one export */

/*
 * A token bucket, as the time until which all that was taken is paid for. The bucket is full when
 * that time has passed, and empty when it is a burst ahead.
 */
struct elisa_bucket {
	u64 paid_at; /* ns */
};

static inline void elisa_bucket_take(struct elisa_bucket *bucket, u64 now, u64 cost)
{
	bucket->paid_at = max(bucket->paid_at, now) + cost;
}

/* For how long it is empty. */
static inline u64 elisa_bucket_wait(const struct elisa_bucket *bucket, u64 now, u64 burst)
{
	return bucket->paid_at > now + burst ? bucket->paid_at - now - burst : 0;
}

/* From one time to another, of clocks of two CPUs: the second may be a little behind. */
static inline u64 elisa_time_since(u64 since, u64 now)
{
	return now > since ? now - since : 0;
}

struct elisa_bell;

/* A manager VM's events. Outlives the VM while an export of it is still attached. */
struct elisa_events {
	struct kref ref;
	struct elisa_bell *bell; /* const: the VM's, a reference */
	raw_spinlock_t lock;	 /* all below */
	unsigned int head, count;
	u64 lost;
	struct elisa_event ring[ELISA_EVENT_RING];
};

/*
 * A VMM's address space that was granted something, and what is pinned of it. Owners: its grants,
 * and its VMs.
 */
struct elisa_vmm {
	struct mmu_notifier notifier;
	struct mm_struct *mm;	/* const; the notifier holds it (mm_count), so it is not reused */
	struct hlist_node hash; /* elisa_registry, as all down to `gone` */
	struct list_head grants, vms;
	u32 refs;
	u32 vm_count, export_count;   /* export_count: of all its VMs */
	struct elisa_bucket calls;    /* what its VMs' hypercalls cost */
	struct list_head unused;      /* elisa_run: to be unpinned */
	bool gone;		      /* no thread uses mm any more */
	struct work_struct ending;    /* const, as the next two: ends what its VMs have */
	struct work_struct unpinning; /* of what is in `unused` */
	struct work_struct failure;   /* looks for memory that failed in its VMs' exports */
	struct mutex lock;	      /* all below */
	struct xarray folios;	      /* by the first page's number: how many pins of it are ours */
	u64 pins;		      /* of all folios; read without the lock, as `held` */
	u64 held;		      /* pages of all folios */
};

/* What the administrator allows one VMM process. Owner: the list of its VMM's (elisa_registry). */
struct elisa_grant {
	struct list_head node; /* in vmm->grants */
	struct list_head all;  /* in elisa_grants */
	struct elisa_vmm *vmm;
	pid_t pid;
	u32 id, rights;
	u64 max_pages;
	char name[ELISA_NAME_SIZE];
};

/* A grant's terms, for a request that uses it: the grant itself may be taken back meanwhile. */
struct elisa_terms {
	u32 grant_id, rights;
	u64 max_pages;
};

/*
 * A VM that has spoken to the module. Owners: its vCPUs together, its exports and attachments, and
 * its work.
 */
struct elisa_vm {
	struct kref ref;
	struct list_head node;	  /* in elisa_vms; elisa_registry, as the next two */
	struct list_head sibling; /* in vmm->vms */
	struct list_head exports;
	u64 sequence;	       /* const: the lists are in this order */
	struct kvm *kvm;       /* const; valid while a vCPU is in `vcpus` */
	struct mm_struct *mm;  /* const: the VMM's, for comparison only */
	struct elisa_vmm *vmm; /* const, a reference */
	pid_t pid;	       /* const, as all down to `lock` */
	u32 id;
	struct elisa_events *events;
	struct elisa_bell *bell; /* its doorbell, a reference */
	struct delayed_work work; /* gives back what its vCPUs and attachments do not need any more */
	spinlock_t lock;	  /* all below */
	struct list_head vcpus;
	u32 vcpu_count;
	struct elisa_attachment *slots[ELISA_SLOTS]; /* each a reference */
	bool events_lost; /* there may be something untold, see untold.c */
	bool allow_pcid;  /* all its attachments' grants allow it; READ_ONCE'd by hooks */
	u32 abi;	  /* that its driver has last said; no lock, one word */
};

/*
 * A run of pages that is pinned of one VMM. Owner: the list that it is in, or the exchange pointer.
 * Without an owner, no context shows it and no CPU remembers it: the VMM's `unused` list.
 */
struct elisa_run {
	struct list_head node;
	u64 offset; /* in the object area; not for an exchange buffer */
	u32 prot;   /* of a mapping */
	u32 count;
	struct page *pages[];
};

struct elisa_place {
	struct elisa_attachment *attachment; /* export->lock; NULL: free; RCU: elisa_ring_place() */
	struct hlist_node hash;		     /* by ticket; elisa_registry */
	struct elisa_export *export;	     /* const */
	u8 ticket[ELISA_TICKET_SIZE];	     /* elisa_registry; all 0: for any attachment */
};

#define ELISA_OBJECT_GIB (ELISA_OBJECT_SIZE >> 30)

/* Owners: the registry, until one thread ends the export, and requests that use it. */
struct elisa_export {
	struct kref ref;
	struct list_head node;	/* in vm->exports; elisa_registry, as the next two */
	struct list_head all;	/* in elisa_exports */
	struct hlist_node hash; /* by name or ticket */
	struct elisa_vm *vm;	/* const, as all down to `owner`; a reference */
	struct elisa_events *events;
	u64 sequence; /* the lists are in this order */
	u32 id, flags, limit_us, suspend_us;
	struct elisa_terms terms; /* of the grant it was published under */
	char name[ELISA_NAME_SIZE];
	u8 ticket[ELISA_TICKET_SIZE];
	struct work_struct poisoning; /* tells its vCPUs that it is poisoned */
	struct mutex owner;	      /* the next one */
	struct list_head mappings;    /* elisa_run */
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
	struct elisa_place *places;
	void *sink; /* a page, where donated ones were */
	struct list_head attachments;
	struct list_head untold;   /* elisa_end: of attachments that have ended */
	u64 *pd[ELISA_OBJECT_GIB]; /* EPT page directories of the object, built once */
	bool poisoned;		   /* hooks of attached vCPUs that are not revoked set it */
	atomic64_t aborts;
};

/*
 * A process of a guest VM that may enter one export. Owners: its VM's slot, requests that use it,
 * and contexts that outlive it because their vCPU has not passed a hook yet.
 *
 * It has a slot before it is complete (`number` is 0), then it is in its export's list, and after
 * it is revoked it keeps its slot until the guest detaches.
 */
struct elisa_attachment {
	struct kref ref;
	struct list_head node;	     /* in export->attachments; export->lock */
	struct elisa_vm *vm;	     /* const, a reference */
	struct elisa_export *export; /* written under export->lock and vm->lock: either protects it.
				      * A reference, and a share of the hooks; NULL: revoked */
	u64 number;		     /* likewise; among the export's attachments */
	bool shut;		     /* vm->lock: its contexts are revoked, no vCPU enters them */
	u32 export_id;		     /* const */
	u32 grant_id;		     /* const */
	u32 slot, mode, export_flags; /* const */
	u64 root;		      /* const: the process's page-table root */
	u32 place;		      /* as `number`: ELISA_NO_PLACE or index in export->places */
	u16 user_cs, user_ss;	      /* const */
	bool allow_pcid;	      /* const: of the grant */
	u64 limit_cycles;	      /* const */
	u64 suspend_ns;		      /* const */
	struct elisa_events *events;  /* const */
	struct elisa_bell *bell;      /* const: its VM's, a reference */
	struct rcu_head rcu;
	char name[ELISA_NAME_SIZE];	    /* const */
	u64 *root_pdpt, *root_pd, *root_pt; /* const; EPT: the root answers with the APT */
	u64 *sub_pd, *sub_pt;		    /* const; EPT: the sub stub */
	u64 *exchange_pd, *exchange_pt;	    /* const; EPT: the exchange buffer */
	u8 *sub_stub;
	u32 exchange_pages;	    /* const */
	u64 donated;		    /* export->lock: bytes */
	u32 donating;		    /* export->lock: donations whose flush is under way */
	struct list_head donations; /* export->lock: elisa_run */
	struct elisa_run *exchange; /* vm->lock: pinned; NULL: none, or revoked */
	struct list_head contexts;  /* vm->lock: of the vCPUs */
	u64 untold;		    /* vm->lock: of vCPUs that have gone, see untold.c */
	struct elisa_end *end;	    /* vm->lock: for what may have to be told of its end */
	atomic64_t aborts;
};

enum elisa_where {
	ELISA_IN_GATE_IN,
	ELISA_IN_GATE_OUT,
	ELISA_IN_SUB,
	ELISA_IN_DOUBT
};
#define ELISA_ROOTS 3

/* One attachment on one vCPU: three EPT roots and the vCPU's own pages. */
struct elisa_context {
	struct list_head node;		     /* in attachment->contexts; vm->lock */
	struct elisa_attachment *attachment; /* const, a reference */
	struct elisa_vcpu *vcpu;	     /* const */
	u64 *list;			     /* const: the vCPU's list page when this was built */
	u64 *pml4[ELISA_ROOTS], *pdpt[ELISA_ROOTS];
	u64 *gate_pd, *gate_pt, *sub_pd, *sub_pt; /* private pages' tables */
	struct elisa_self *self; /* a page; aborts: vcpu->lock, the rest: vm->lock */
	u8 *data;		 /* holds the caller's RSP */
	u8 *stack[ELISA_STACK_PAGES];
	u64 eptp[ELISA_ROOTS];
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

/* A call that an asynchronous exit interrupted. KVM and the VMM see `shown` instead. */
struct elisa_stash {
	bool active;
	bool vector;  /* the function may have left something in vector registers */
	bool watched; /* the return trap is set to see whether it is still one call */
	bool touched; /* the VMM made another ioctl than KVM_RUN, or reset the vCPU */
	bool armed;   /* the list's entry for sub, and for gate-in, were valid */
	bool gate_open;
	struct elisa_context *context; /* NULL: detached meanwhile */
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
	} shown;
};

#define ELISA_NO_ROOT (~0ULL)

struct elisa_vcpu {
	struct hlist_node hash; /* RCU; written under elisa_registry */
	struct list_head node;	/* in vm->vcpus; vm->lock */
	struct rcu_head rcu;
	struct kvm_vcpu *kvm_vcpu; /* const */
	struct elisa_vm *vm;	   /* const */
	raw_spinlock_t lock;	   /* all below but the last */
	bool synced;		   /* set up by ELISA_HC_VCPU_SYNC and still in long mode */
	bool enabled;		   /* VMFUNC is on in the VMCS: the list page is in use */
	bool controls;		   /* the exits that go with it may be on */
	/*
	 * What the entry hook wants to know first, in one load.
	 *
	 * settled: at the last entry VMFUNC was on and no call under way, and KVM has written nothing
	 * since that the predicate depends on, but for what each entry compares with `seen`; see
	 * predicate.h. Of the thread that has the vCPU's mutex.
	 *
	 * inside: between the entry hook and the end of the exit hook's work. The vCPU's own thread
	 * clears it without the lock, when what it had to do in between is done.
	 *
	 * stale: the list page, which the host writes only while the vCPU is not inside, is to be
	 * written anew.
	 *
	 * watching: the timer will look.
	 */
	union {
		struct {
			bool settled, inside, stale, watching;
		};
		u32 at_entry;
	};
	bool quiet;	  /* as settled, whatever was under way */
	u64 entries;	  /* times the entry hook ran */
	bool trap;	  /* list[0] is invalid: the return exits */
	bool scrub;	  /* vector registers may still hold a function's, see call.c */
	u64 default_eptp; /* KVM's root, as of the last entry */
	u64 exit_cr3;	  /* the guest's CR3 at the last exit; unknown: ELISA_NO_ROOT */
	struct {
		u64 efer, secondary;
		bool allow_pcid;
	} seen;
	u64 exits[ELISA_EXIT_REASONS], return_traps;
	u64 entry_tsc;	      /* when an interrupted call was resumed */
	struct hrtimer watch; /* looks whether the vCPU is kept from running a call, see watch.c */
	bool ended;	      /* a context's `ended` may be set */
	u64 held_entry;	      /* the entry whose exit hook has not come when the timer looked */
	u64 held_since;	      /* ns of that look */
	/*
	 * The EPTP list page, or NULL. The gate writes single bytes of it, so the host
	 * may write it only while the vCPU is not `inside`.
	 */
	u64 *list;
	int poisonings;			     /* of all exports, when the list was last looked at */
	int cpu;			     /* of the last entry; none yet: -1 */
	DECLARE_BITMAP(forget, ELISA_SLOTS); /* contexts that changed since the last entry */
	DECLARE_BITMAP(used, ELISA_SLOTS);
	struct elisa_context *slots[ELISA_SLOTS];
	struct elisa_stash stash;
	bool counted; /* vm->lock: holds a share of the armed hooks */
};

extern spinlock_t elisa_registry;
extern struct list_head elisa_vms, elisa_exports, elisa_grants; /* elisa_registry */
extern struct workqueue_struct *elisa_works; /* a work belongs to one tenant, and may sleep */
extern atomic64_t elisa_counters[ELISA_COUNT_COUNT];

static inline void elisa_count(enum elisa_counter counter)
{
	atomic64_inc(&elisa_counters[counter]);
}

/* Refuses a request: the errno to return, and what was wrong with which value. */
static inline int elisa_fail(int error, u32 *why, u32 reason, u64 *value, u64 v)
{
	*why = reason;
	*value = v;
	return error;
}

/* ---- vm.c */
extern u8 elisa_vcpu_filter[ELISA_FILTER_SIZE];
extern DECLARE_HASHTABLE(elisa_vcpus, 12); /* RCU; written under elisa_registry */

/* The vCPU's state or NULL. The caller is the vCPU's thread, and cannot be preempted. */
static __always_inline struct elisa_vcpu *elisa_vcpu_lookup(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu;

	hash_for_each_possible_rcu(elisa_vcpus, vcpu, hash, (unsigned long)kvm_vcpu)
		if (vcpu->kvm_vcpu == kvm_vcpu)
			return vcpu;
	return NULL;
}

/* The same for the vCPU's thread and for those that have its file open. */
static __always_inline struct elisa_vcpu *elisa_vcpu_find(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu;

	/* as good as rcu_read_lock(), and less to do in a preemptible kernel */
	preempt_disable_notrace();
	vcpu = elisa_vcpu_lookup(kvm_vcpu);
	preempt_enable_notrace();
	return vcpu;
}

enum elisa_may {
	ELISA_MAY_NOT,
	ELISA_MAY_NOT_MORE, /* its VMM has as many VMs as it may */
	ELISA_MAY
};

enum elisa_may elisa_vm_may_speak(struct kvm *kvm);
struct elisa_vm *elisa_vm_next(struct elisa_vm *last);
struct elisa_vm *elisa_vmm_vm_after(struct elisa_vmm *vmm, u64 sequence);
void elisa_vm_get(struct elisa_vm *vm);
void elisa_vm_put(struct elisa_vm *vm);
int elisa_vcpu_get(struct kvm_vcpu *kvm_vcpu, struct elisa_vcpu **found, u32 *why, u64 *value);
void elisa_vcpu_gone(struct kvm_vcpu *kvm_vcpu);
void elisa_vcpu_set_up(struct elisa_vcpu *vcpu, bool set_up);
void elisa_vm_reset(struct elisa_vm *vm);
void elisa_vm_end(struct elisa_vm *vm);
void elisa_vm_work_soon(struct elisa_vm *vm);
void elisa_vms_free(void);

/* ---- vmm.c */
struct elisa_vmm *elisa_vmm_get(struct mm_struct *mm);
struct elisa_vmm *elisa_vmm_of(struct mm_struct *mm);
struct elisa_vmm *elisa_vmm_find(struct mm_struct *mm);
void elisa_vmm_put(struct elisa_vmm *vmm);
u64 elisa_vmm_charge(struct mm_struct *mm, u64 now, u64 cost, u64 burst);
void elisa_vmm_leave(struct elisa_vmm *vmm, struct elisa_run *run);
void elisa_vmm_unpin_unused(struct elisa_vmm *vmm);
void elisa_vmm_unpin_soon(struct elisa_vmm *vmm);
void elisa_vmm_failure_soon(struct elisa_vmm *vmm);
void elisa_vmm_exit(void);

/* ---- grant.c */
u32 elisa_vmm_rights(struct elisa_vmm *vmm);
u32 elisa_grant_rights(struct mm_struct *mm);
bool elisa_grant_find(struct elisa_vmm *vmm, u32 right, const char *name,
		      struct elisa_terms *terms);
bool elisa_grant_holds(struct elisa_vmm *vmm, u32 id);
u64 elisa_grant_max_pages(struct elisa_vmm *vmm, u32 id);
u64 elisa_grants_max_pages(struct elisa_vmm *vmm, u32 right);
int elisa_grant_add(struct elisa_host_grant *request);
int elisa_grant_remove(u32 id);
void elisa_grants_drop(struct elisa_vmm *vmm);
void elisa_grants_free(void);

/* ---- memory.c: guest memory, and the pinning of it */
int elisa_guest_hva(struct kvm_vcpu *kvm_vcpu, u64 gpa, unsigned long *hva, u32 *why);
int elisa_guest_pin(struct elisa_vmm *vmm, u64 limit, struct kvm_vcpu *kvm_vcpu, const u64 *gpas,
		    u32 count, struct page **pages, u32 *why, u64 *value);
void elisa_guest_unpin(struct elisa_vmm *vmm, struct page **pages, u32 count);
int elisa_refuse_failed(struct page **pages, u32 count, const u64 *gpas, u32 *why, u64 *value);

/* ---- failure.c: memory that fails */
int elisa_failure_init(void);
void elisa_failure_exit(void);
void elisa_failure_look(struct elisa_vmm *vmm);
bool elisa_any_failed(struct page **pages, u32 count, u32 *which);

/* ---- table.c: EPT and APT pages; the pure part is in ept.h */

/* Pages for tables of at most ELISA_HC_MAP_PAGES pages of the object. */
struct elisa_ready {
	u32 count;
	u64 *page[4]; /* two directories, two tables */
};

void elisa_tables_init(void);
void elisa_tables_exit(void);
u64 elisa_root_limit(void);
int elisa_slot_prepare(u32 slot);
bool elisa_ready_tables(struct elisa_export *export, u64 offset, u64 length,
			struct elisa_ready *ready);
void elisa_ready_free(struct elisa_ready *ready);
bool elisa_export_tables_make(struct elisa_export *export, u64 offset, u64 length,
			      struct elisa_ready *ready);
bool elisa_export_tables_map(struct elisa_export *export, u64 offset, u64 length);
bool elisa_export_is_code(struct elisa_export *export, u64 offset);
void elisa_export_table_set(struct elisa_export *export, u64 offset, u64 physical, u32 prot);
u64 elisa_export_table_get(struct elisa_export *export, u64 offset);
void elisa_export_table_clear(struct elisa_export *export, u64 offset);
void elisa_export_tables_shut(struct elisa_export *export, u64 offset, u64 length);
void elisa_export_tables_free_shut(struct elisa_export *export, u64 offset, u64 length);
void elisa_export_table_free(struct elisa_export *export);
int elisa_attachment_build(struct elisa_attachment *attachment, u64 entry);
void elisa_attachment_tables_free(struct elisa_attachment *attachment);
int elisa_context_build(struct elisa_context *context);
void elisa_context_free(struct elisa_context *context);
void elisa_context_link_object(struct elisa_context *context, struct elisa_export *export, u32 gib);
u32 elisa_context_pages(void);

/* ---- flush.c: what CPUs remember of the tables */
struct elisa_kick {
	cpumask_var_t cpus;
	bool all; /* there was no memory for `cpus` */
};

void elisa_kick_begin(struct elisa_kick *kick);
void elisa_kick_add(struct elisa_kick *kick, struct elisa_vcpu *vcpu);
void elisa_kick_end(struct elisa_kick *kick);
void elisa_flush_export(struct elisa_export *export);
void elisa_forget(struct elisa_vcpu *vcpu);

/* ---- directory.c: exports by number, name and ticket */
void elisa_directory_init(void);
bool elisa_ticket_is_set(const u8 *ticket);
struct elisa_export *elisa_export_look_up(const char *name, const u8 *ticket, u32 *place);
struct elisa_export *elisa_export_find(const char *name, const u8 *ticket, u32 *place);
struct elisa_export *elisa_export_of(struct elisa_vm *vm, u32 id);
struct elisa_export *elisa_export_next(struct elisa_vm *vm, struct elisa_export *last);
int elisa_export_enter(struct elisa_export *export, u32 *why, u64 *value);
bool elisa_export_leave(struct elisa_export *export);
int elisa_place_set_ticket(struct elisa_export *export, u32 place, const u8 *ticket, u32 *why,
			   u64 *value);

/* ---- export.c */
int elisa_export_create(struct elisa_vm *vm, struct elisa_hc_export *in, u32 *why, u64 *value);
int elisa_export_publish(struct elisa_export *export, struct elisa_hc_publish *in, u32 *why,
			 u64 *value);
void elisa_export_destroy(struct elisa_export *export);
void elisa_export_put(struct elisa_export *export);
int elisa_check_range(u64 offset, u64 pages, u32 *why, u64 *value);
struct elisa_attachment *elisa_attachment_next(struct elisa_export *export,
					       struct elisa_attachment *last);
bool elisa_export_end(struct elisa_export *export);
void elisa_export_let_go(struct elisa_export *export);
void elisa_export_kill(struct elisa_export *export);
void elisa_export_was_poisoned(struct elisa_export *export);

/* ---- map.c */
struct elisa_run *elisa_run_new(u32 count);
void elisa_run_free(struct elisa_vmm *vmm, struct elisa_run *run);
int elisa_export_map(struct elisa_export *export, struct kvm_vcpu *kvm_vcpu,
		     struct elisa_hc_map *in, u32 *why, u64 *value);
int elisa_export_unmap(struct elisa_export *export, struct elisa_hc_unmap *in, u32 *why,
		       u64 *value);
bool elisa_export_is_mapped(struct elisa_export *export, u64 offset, u64 length);
bool elisa_export_overlaps(struct elisa_export *export, u64 offset, u64 length);

/* ---- places.c */
int elisa_places_create(struct elisa_export *export, struct elisa_hc_places *in, u32 *why,
			u64 *value);
int elisa_place_ticket(struct elisa_export *export, struct elisa_hc_ticket *in, u32 *why,
		       u64 *value);
int elisa_place_choose(struct elisa_export *export, struct elisa_vm *vm, u32 *place, u32 *why,
		       u64 *value);
void elisa_place_take(struct elisa_export *export, struct elisa_attachment *attachment);
void elisa_place_leave(struct elisa_export *export, struct elisa_attachment *attachment);
void elisa_places_free(struct elisa_export *export);

/* ---- donate.c */
int elisa_donate(struct elisa_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_donate *in,
		 u32 *why, u64 *value);
void elisa_donations_end(struct elisa_export *export, struct elisa_attachment *attachment,
			 bool all_shut);

/* ---- doorbell.c */
int elisa_doorbell_set(struct elisa_vm *vm, struct elisa_hc_doorbell *in, u32 *why, u64 *value);
void elisa_ring_place(struct elisa_export *export, u64 place);
void elisa_ring(struct elisa_bell *bell);
struct elisa_bell *elisa_bell_new(struct kvm *kvm);
void elisa_bell_get(struct elisa_bell *bell);
void elisa_bell_put(struct elisa_bell *bell);
void elisa_bell_silence(struct elisa_bell *bell);
int elisa_doorbell_init(void);
void elisa_doorbell_stop(void);
void elisa_doorbell_exit(void);

/* ---- attach.c */
int elisa_attach(struct elisa_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_attach *in,
		 u32 *why, u64 *value);

/* ---- revoke.c: the end of attachments */
struct elisa_attachment *elisa_attachment_in(struct elisa_vm *vm, u32 slot);
struct elisa_export *elisa_attachment_export(struct elisa_attachment *attachment);
bool elisa_attachment_is_shut(struct elisa_attachment *attachment);
void elisa_attachment_put(struct elisa_attachment *attachment);
void elisa_attachment_shut(struct elisa_attachment *attachment, struct elisa_kick *kick);
void elisa_attachment_finish(struct elisa_attachment *attachment, bool all_shut);
void elisa_attachment_revoke(struct elisa_attachment *attachment);
void elisa_attachment_free(struct elisa_attachment *attachment);
void elisa_vm_update_pcid(struct elisa_vm *vm);
int elisa_detach(struct elisa_vm *vm, u32 slot, u32 *why, u64 *value);
int elisa_evict(struct elisa_export *export, struct elisa_hc_evict *in, u32 *why, u64 *value);

/* ---- sync.c: contexts of vCPUs */
int elisa_vcpu_sync(struct elisa_vcpu *vcpu, u32 *why, u64 *value);
void elisa_contexts_end(struct elisa_attachment *attachment, struct list_head *gone);
void elisa_contexts_free(struct list_head *gone);
void elisa_vcpu_drop_contexts(struct elisa_vcpu *vcpu, struct list_head *gone);
bool elisa_vcpus_give_back(struct elisa_vm *vm);
void elisa_vcpu_idle(struct elisa_vcpu *vcpu);

/* ---- event.c */
struct elisa_events *elisa_events_new(struct elisa_bell *bell);
void elisa_events_put(struct elisa_events *events);
bool elisa_event(struct elisa_events *events, struct elisa_event event);
void elisa_events_clear(struct elisa_events *events);
u32 elisa_events_take(struct elisa_events *events, struct elisa_event *out, u32 room);

/* ---- untold.c */
struct elisa_end *elisa_end_new(void);
void elisa_context_leaves(struct elisa_context *c);
void elisa_tell_end(struct elisa_export *export, struct elisa_attachment *attachment);
int elisa_check_untold(struct elisa_export *export, u32 grant_id, u32 *why, u64 *value);
void elisa_untold_free(struct elisa_export *export);
u32 elisa_untold_take(struct elisa_vm *vm, struct elisa_event *out, u32 room);

/* ---- hypercall.c */
u64 elisa_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long magic);
u64 elisa_hypercall_debt(struct kvm_vcpu *kvm_vcpu);
void elisa_hypercall_wait(u64 wait);

/* ---- descriptor.c */
int elisa_descriptor_exit(struct kvm_vcpu *kvm_vcpu, u32 reason);

/* ---- list.c, call.c, exit.c, enter.c: the way in and out of a vCPU that is set up; what they
 * share among themselves is in switch.h */
void elisa_list_reset(struct elisa_vcpu *vcpu);
void elisa_trap_return(struct elisa_vcpu *vcpu);
void elisa_stash_orphan(struct elisa_vcpu *vcpu, struct elisa_context *context);
void elisa_vcpu_was_reset(struct elisa_vcpu *vcpu);
void elisa_vcpu_unsettle(struct elisa_vcpu *vcpu);
void elisa_vcpu_touched(struct elisa_vcpu *vcpu);
bool elisa_exit(struct elisa_vcpu *vcpu);
int elisa_exit_handle(struct kvm_vcpu *kvm_vcpu);
void elisa_enter(struct elisa_vcpu *vcpu);

/* ---- watch.c */
void elisa_watch_init(struct elisa_vcpu *vcpu);
void elisa_watch_start(struct elisa_vcpu *vcpu);
void elisa_watch_end(struct elisa_vcpu *vcpu);
bool elisa_is_overdue(struct elisa_vcpu *vcpu, struct elisa_context *c);
u64 elisa_held_before_hook(const struct elisa_vcpu *vcpu, u64 now);

/* ---- predicate.c */
static inline bool elisa_in_smm(struct kvm_vcpu *kvm_vcpu)
{
#ifdef HF_SMM_MASK
	return kvm_vcpu->arch.hflags & HF_SMM_MASK;
#else
	return false; /* a KVM without CONFIG_KVM_SMM */
#endif
}

enum elisa_why elisa_predicate(struct kvm_vcpu *kvm_vcpu, bool allow_pcid);
u64 elisa_watched_cr4(void);

/* ---- hook.c */
int elisa_hooks_init(void);
void elisa_hooks_exit(void);
int elisa_kvm_exit_handled(struct kvm_vcpu *kvm_vcpu);
int elisa_kvm_emulate(struct kvm_vcpu *kvm_vcpu, void *code, u32 size);
int elisa_kvm_read(struct kvm_vcpu *kvm_vcpu, u64 gpa, void *to, u32 size);
u64 elisa_kvm_translate_fetch(struct kvm_vcpu *kvm_vcpu, u64 address, bool user);
void elisa_kvm_queue_ud(struct kvm_vcpu *kvm_vcpu);
void elisa_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa);
bool elisa_kvm_get(struct kvm *kvm);
void elisa_kvm_put(struct kvm *kvm);
void elisa_kvm_interrupt(struct kvm *kvm, u32 gsi);

/* ---- arm.c */
int elisa_hooks_arm(void);
void elisa_hooks_share(void);
void elisa_hooks_disarm(void);
bool elisa_hooks_armed(void);

/* ---- admin.c */
int elisa_admin_init(void);
void elisa_admin_exit(void);

/* ---- main.c */
extern unsigned int elisa_default_limit_us, elisa_max_limit_us, elisa_default_max_pages;
extern unsigned int elisa_default_suspend_us, elisa_max_suspend_us;
extern unsigned int elisa_calls_per_second;
extern bool elisa_invept_context;
bool elisa_cpu_leaks(void);
bool elisa_cpu_override(void);
bool elisa_cpu_has_tsx(void);

#endif
