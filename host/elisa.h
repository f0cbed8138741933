/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions that the host module's files call of each other, file by file; what they are about is
 * in objects.h. */
#ifndef ELISA_HOST_H
#define ELISA_HOST_H

#include "objects.h"

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
