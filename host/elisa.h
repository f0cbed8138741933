/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions that the host module's files call of each other, file by file; what they are about is
 * in objects.h. */
#ifndef ELISA_HOST_H
#define ELISA_HOST_H

#include "objects.h"

extern spinlock_t eh_registry;
extern struct list_head eh_vms, eh_exports, eh_grants; /* eh_registry */
extern struct workqueue_struct *eh_works; /* a work belongs to one tenant, and may sleep */
extern atomic64_t eh_counters[ELISA_COUNT_COUNT];

static inline void eh_count(enum elisa_counter counter)
{
	atomic64_inc(&eh_counters[counter]);
}

/* Refuses a request: what was wrong, and with which value. Returns @error. */
static inline int eh_refuse(struct eh_refusal *refusal, int error, u32 why, u64 value)
{
	*refusal = (struct eh_refusal){.why = why, .value = value};
	return error;
}

/* ---- vm.c */
extern u8 eh_vcpu_filter[EH_FILTER_SIZE];
extern DECLARE_HASHTABLE(eh_vcpus, 12); /* RCU; written under eh_registry */

/* The vCPU's state or NULL. The caller is the vCPU's thread, and cannot be preempted. */
static __always_inline struct eh_vcpu *eh_vcpu_lookup(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu;

	hash_for_each_possible_rcu(eh_vcpus, vcpu, hash, (unsigned long)kvm_vcpu)
		if (vcpu->kvm_vcpu == kvm_vcpu)
			return vcpu;
	return NULL;
}

/* The same for the vCPU's thread and for those that have its file open. */
static __always_inline struct eh_vcpu *eh_vcpu_find(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu;

	/* as good as rcu_read_lock(), and less to do in a preemptible kernel */
	preempt_disable_notrace();
	vcpu = eh_vcpu_lookup(kvm_vcpu);
	preempt_enable_notrace();
	return vcpu;
}

enum eh_may {
	EH_MAY_NOT,
	EH_MAY_NOT_MORE, /* its VMM has as many VMs as it may */
	EH_MAY
};

enum eh_may eh_vm_may_speak(struct kvm *kvm);
struct eh_vm *eh_vm_next(struct eh_vm *last);
struct eh_vm *eh_vmm_vm_after(struct eh_vmm *vmm, u64 sequence);
void eh_vm_get(struct eh_vm *vm);
void eh_vm_put(struct eh_vm *vm);
int eh_vcpu_get(struct kvm_vcpu *kvm_vcpu, struct eh_vcpu **found, struct eh_refusal *refusal);
void eh_vcpu_gone(struct kvm_vcpu *kvm_vcpu);
void eh_vcpu_set_up(struct eh_vcpu *vcpu, bool set_up);
void eh_vm_reset(struct eh_vm *vm);
void eh_vm_end(struct eh_vm *vm);
void eh_vm_work_soon(struct eh_vm *vm);
void eh_vms_free(void);

/* ---- vmm.c */
struct eh_vmm *eh_vmm_get(struct mm_struct *mm);
struct eh_vmm *eh_vmm_of(struct mm_struct *mm);
struct eh_vmm *eh_vmm_find(struct mm_struct *mm);
void eh_vmm_put(struct eh_vmm *vmm);
u64 eh_vmm_charge(struct mm_struct *mm, u64 now, u64 cost, u64 burst);
void eh_vmm_leave(struct eh_vmm *vmm, struct eh_run *run);
void eh_vmm_unpin_unused(struct eh_vmm *vmm);
void eh_vmm_unpin_soon(struct eh_vmm *vmm);
void eh_vmm_failure_soon(struct eh_vmm *vmm);
void eh_vmm_exit(void);

/* ---- grant.c */
u32 eh_vmm_rights(struct eh_vmm *vmm);
u32 eh_grant_rights(struct mm_struct *mm);
bool eh_grant_find(struct eh_vmm *vmm, u32 right, const char *name, struct eh_terms *terms);
bool eh_grant_holds(struct eh_vmm *vmm, u32 id);
u64 eh_grant_max_pages(struct eh_vmm *vmm, u32 id);
u64 eh_grants_max_pages(struct eh_vmm *vmm, u32 right);
int eh_grant_add(struct elisa_host_grant *request);
int eh_grant_remove(u32 id);
void eh_grants_drop(struct eh_vmm *vmm);
void eh_grants_free(void);

/* ---- memory.c: guest memory, and the pinning of it */
int eh_guest_hva(struct kvm_vcpu *kvm_vcpu, u64 gpa, unsigned long *hva,
		 struct eh_refusal *refusal);
int eh_guest_pin(struct eh_vmm *vmm, u64 limit, struct kvm_vcpu *kvm_vcpu, const u64 *gpas,
		 u32 count, struct page **pages, struct eh_refusal *refusal);
void eh_guest_unpin(struct eh_vmm *vmm, struct page **pages, u32 count);
int eh_refuse_failed(struct page **pages, u32 count, const u64 *gpas, struct eh_refusal *refusal);

/* ---- failure.c: memory that fails */
int eh_failure_init(void);
void eh_failure_exit(void);
void eh_failure_look(struct eh_vmm *vmm);
bool eh_any_failed(struct page **pages, u32 count, u32 *which);

/* ---- table.c: EPT and APT pages; the pure part is in ept.h */

/* Pages for tables of at most ELISA_HC_MAP_PAGES pages of the object. */
struct eh_ready {
	u32 count;
	u64 *page[4]; /* two directories, two tables */
};

void eh_tables_init(void);
void eh_tables_exit(void);
u64 eh_root_limit(void);
int eh_slot_prepare(u32 slot);
bool eh_ready_tables(struct eh_export *export, u64 offset, u64 length, struct eh_ready *ready);
void eh_ready_free(struct eh_ready *ready);
bool eh_export_tables_make(struct eh_export *export, u64 offset, u64 length,
			   struct eh_ready *ready);
bool eh_export_tables_map(struct eh_export *export, u64 offset, u64 length);
bool eh_export_is_code(struct eh_export *export, u64 offset);
void eh_export_table_set(struct eh_export *export, u64 offset, u64 physical, u32 prot);
u64 eh_export_table_get(struct eh_export *export, u64 offset);
void eh_export_table_clear(struct eh_export *export, u64 offset);
void eh_export_tables_shut(struct eh_export *export, u64 offset, u64 length);
void eh_export_tables_free_shut(struct eh_export *export, u64 offset, u64 length);
void eh_export_table_free(struct eh_export *export);
int eh_attachment_build(struct eh_attachment *attachment, u64 entry);
void eh_attachment_tables_free(struct eh_attachment *attachment);
int eh_context_build(struct eh_context *context);
void eh_context_free(struct eh_context *context);
void eh_context_link_object(struct eh_context *context, struct eh_export *export, u32 gib);
u32 eh_context_pages(void);

/* ---- flush.c: what CPUs remember of the tables */
struct eh_kick {
	cpumask_var_t cpus;
	bool all; /* there was no memory for `cpus` */
};

void eh_kick_begin(struct eh_kick *kick);
void eh_kick_add(struct eh_kick *kick, struct eh_vcpu *vcpu);
void eh_kick_end(struct eh_kick *kick);
void eh_flush_export(struct eh_export *export);
void eh_forget(struct eh_vcpu *vcpu);

/* ---- directory.c: exports by number, name and ticket */
void eh_directory_init(void);
bool eh_ticket_is_set(const u8 *ticket);
struct eh_export *eh_export_look_up(const char *name, const u8 *ticket, u32 *place);
struct eh_export *eh_export_find(const char *name, const u8 *ticket, u32 *place);
struct eh_export *eh_export_of(struct eh_vm *vm, u32 id);
struct eh_export *eh_export_next(struct eh_vm *vm, struct eh_export *last);
int eh_export_enter(struct eh_export *export, struct eh_refusal *refusal);
bool eh_export_leave(struct eh_export *export);
int eh_place_set_ticket(struct eh_export *export, u32 place, const u8 *ticket,
			struct eh_refusal *refusal);

/* ---- export.c */
int eh_export_create(struct eh_vm *vm, struct elisa_hc_export *in, struct eh_refusal *refusal);
int eh_export_publish(struct eh_export *export, struct elisa_hc_publish *in,
		      struct eh_refusal *refusal);
void eh_export_destroy(struct eh_export *export);
void eh_export_put(struct eh_export *export);
int eh_check_range(u64 offset, u64 pages, struct eh_refusal *refusal);
struct eh_attachment *eh_attachment_next(struct eh_export *export, struct eh_attachment *last);
bool eh_export_end(struct eh_export *export);
void eh_export_let_go(struct eh_export *export);
void eh_export_kill(struct eh_export *export);
void eh_export_was_poisoned(struct eh_export *export);

/* ---- map.c */
struct eh_run *eh_run_new(u32 count);
void eh_run_free(struct eh_vmm *vmm, struct eh_run *run);
int eh_export_map(struct eh_export *export, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_map *in,
		  struct eh_refusal *refusal);
int eh_export_unmap(struct eh_export *export, struct elisa_hc_unmap *in,
		    struct eh_refusal *refusal);
bool eh_export_is_mapped(struct eh_export *export, u64 offset, u64 length);
bool eh_export_overlaps(struct eh_export *export, u64 offset, u64 length);

/* ---- places.c */
int eh_places_create(struct eh_export *export, struct elisa_hc_places *in,
		     struct eh_refusal *refusal);
int eh_place_ticket(struct eh_export *export, struct elisa_hc_ticket *in,
		    struct eh_refusal *refusal);
int eh_place_choose(struct eh_export *export, struct eh_vm *vm, u32 *place,
		    struct eh_refusal *refusal);
void eh_place_take(struct eh_export *export, struct eh_attachment *attachment);
void eh_place_leave(struct eh_export *export, struct eh_attachment *attachment);
void eh_places_free(struct eh_export *export);

/* ---- donate.c */
int eh_donate(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_donate *in,
	      struct eh_refusal *refusal);
void eh_donations_end(struct eh_export *export, struct eh_attachment *attachment, bool all_shut);

/* ---- doorbell.c */
int eh_doorbell_set(struct eh_vm *vm, struct elisa_hc_doorbell *in, struct eh_refusal *refusal);
void eh_ring_place(struct eh_export *export, u64 place);
void eh_bell_ring(struct eh_bell *bell);
struct eh_bell *eh_bell_new(struct kvm *kvm);
void eh_bell_get(struct eh_bell *bell);
void eh_bell_put(struct eh_bell *bell);
void eh_bell_silence(struct eh_bell *bell);
int eh_doorbell_init(void);
void eh_doorbell_stop(void);
void eh_doorbell_exit(void);

/* ---- attach.c */
int eh_attach(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_attach *in,
	      struct eh_refusal *refusal);

/* ---- revoke.c: the end of attachments */
struct eh_attachment *eh_attachment_in(struct eh_vm *vm, u32 slot);
struct eh_export *eh_attachment_export(struct eh_attachment *attachment);
bool eh_attachment_is_shut(struct eh_attachment *attachment);
void eh_attachment_put(struct eh_attachment *attachment);
void eh_attachment_shut(struct eh_attachment *attachment, struct eh_kick *kick);
void eh_attachment_finish(struct eh_attachment *attachment, bool all_shut);
void eh_attachment_revoke(struct eh_attachment *attachment);
void eh_attachment_free(struct eh_attachment *attachment);
void eh_vm_update_pcid(struct eh_vm *vm);
int eh_detach(struct eh_vm *vm, u32 slot, struct eh_refusal *refusal);
int eh_evict(struct eh_export *export, struct elisa_hc_evict *in, struct eh_refusal *refusal);

/* ---- sync.c: contexts of vCPUs */
int eh_vcpu_sync(struct eh_vcpu *vcpu, struct eh_refusal *refusal);
void eh_contexts_end(struct eh_attachment *attachment, struct list_head *gone);
void eh_contexts_free(struct list_head *gone);
void eh_vcpu_drop_contexts(struct eh_vcpu *vcpu, struct list_head *gone);
bool eh_vcpus_give_back(struct eh_vm *vm);
void eh_vcpu_idle(struct eh_vcpu *vcpu);

/* ---- event.c */
struct eh_events *eh_events_new(struct eh_bell *bell);
void eh_events_put(struct eh_events *events);
bool eh_event_put(struct eh_events *events, struct elisa_event event);
void eh_events_clear(struct eh_events *events);
u32 eh_events_take(struct eh_events *events, struct elisa_event *out, u32 room);

/* ---- untold.c */
struct eh_end *eh_end_new(void);
void eh_context_leaves(struct eh_context *c);
void eh_tell_end(struct eh_export *export, struct eh_attachment *attachment);
int eh_check_untold(struct eh_export *export, u32 grant_id, struct eh_refusal *refusal);
void eh_untold_free(struct eh_export *export);
u32 eh_untold_take(struct eh_vm *vm, struct elisa_event *out, u32 room);

/* ---- hypercall.c */
u64 eh_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long magic);
u64 eh_hypercall_debt(struct kvm_vcpu *kvm_vcpu);
void eh_hypercall_wait(u64 wait);

/* ---- descriptor.c */
int eh_descriptor_exit(struct kvm_vcpu *kvm_vcpu, u32 reason);

/* ---- list.c, call.c, exit.c, enter.c: the way in and out of a vCPU that is set up; what they
 * share among themselves is in switch.h */
void eh_list_reset(struct eh_vcpu *vcpu);
void eh_trap_return(struct eh_vcpu *vcpu);
void eh_stash_orphan(struct eh_vcpu *vcpu, struct eh_context *context);
void eh_vcpu_was_reset(struct eh_vcpu *vcpu);
void eh_vcpu_unsettle(struct eh_vcpu *vcpu);
void eh_vcpu_touched(struct eh_vcpu *vcpu);
bool eh_vm_exit(struct eh_vcpu *vcpu);
int eh_exit_handle(struct kvm_vcpu *kvm_vcpu);
void eh_vm_enter(struct eh_vcpu *vcpu);

/* ---- watch.c */
void eh_watch_init(struct eh_vcpu *vcpu);
void eh_watch_start(struct eh_vcpu *vcpu);
void eh_watch_end(struct eh_vcpu *vcpu);
bool eh_is_overdue(struct eh_vcpu *vcpu, struct eh_context *c);
u64 eh_held_before_hook(const struct eh_vcpu *vcpu, u64 now);

/* ---- predicate.c */
static inline bool eh_in_smm(struct kvm_vcpu *kvm_vcpu)
{
#ifdef HF_SMM_MASK
	return kvm_vcpu->arch.hflags & HF_SMM_MASK;
#else
	return false; /* a KVM without CONFIG_KVM_SMM */
#endif
}

enum elisa_why eh_predicate(struct kvm_vcpu *kvm_vcpu, bool allow_pcid);
u64 eh_watched_cr4(void);

/* ---- hook.c */
int eh_hooks_init(void);
void eh_hooks_exit(void);
int eh_kvm_exit_handled(struct kvm_vcpu *kvm_vcpu);
int eh_kvm_emulate(struct kvm_vcpu *kvm_vcpu, void *code, u32 size);
int eh_kvm_read(struct kvm_vcpu *kvm_vcpu, u64 gpa, void *to, u32 size);
u64 eh_kvm_translate_fetch(struct kvm_vcpu *kvm_vcpu, u64 address, bool user);
void eh_kvm_queue_ud(struct kvm_vcpu *kvm_vcpu);
void eh_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa);
bool eh_kvm_get(struct kvm *kvm);
void eh_kvm_put(struct kvm *kvm);
void eh_kvm_interrupt(struct kvm *kvm, u32 gsi);

/* ---- arm.c */
int eh_hooks_arm(void);
void eh_hooks_share(void);
void eh_hooks_disarm(void);
bool eh_hooks_armed(void);

/* ---- admin.c */
int eh_admin_init(void);
void eh_admin_exit(void);

/* ---- main.c */
extern unsigned int eh_default_limit_us, eh_max_limit_us, eh_default_max_pages;
extern unsigned int eh_default_suspend_us, eh_max_suspend_us;
extern unsigned int eh_calls_per_second;
extern bool eh_invept_context;
bool eh_cpu_leaks(void);
bool eh_cpu_override(void);
bool eh_cpu_has_tsx(void);

#endif
