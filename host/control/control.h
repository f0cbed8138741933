/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control plane: how VMs, grants, exports and attachments come, change and go. Its functions
 * run in a thread of the tenant's, or in a work of its, and may sleep. It calls all layers below
 * (base, kvm, tables, path), and none of them calls it.
 */
#ifndef ELISA_HOST_CONTROL_H
#define ELISA_HOST_CONTROL_H

#include "base/objects.h"

/* ---- vm.c */
enum eh_may {
	EH_MAY_NOT,
	EH_MAY_NOT_MORE, /* its VMM has as many VMs as it may */
	EH_MAY
};

enum eh_may eh_vm_may_speak(struct kvm *kvm);
struct eh_vm *eh_vm_find(struct kvm *kvm);
struct eh_vm *eh_vm_next(struct eh_vm *last);
struct eh_vm *eh_vmm_vm_after(struct eh_vmm *vmm, u64 sequence);
void eh_vm_get(struct eh_vm *vm);
void eh_vm_put(struct eh_vm *vm);
int eh_vcpu_get(struct kvm_vcpu *kvm_vcpu, struct eh_vcpu **found, struct eh_refusal *refusal);
void eh_vcpu_gone(struct kvm_vcpu *kvm_vcpu);
void eh_vcpu_set_up(struct eh_vcpu *vcpu, bool set_up);
void eh_vm_reset(struct eh_vm *vm);
void eh_vm_end(struct eh_vm *vm);
void eh_vms_stop(void);
void eh_vms_free(void);

/* ---- apicv.c */
int eh_apicv_init(void);
void eh_apicv_exit(void);
void eh_vm_apicv_init(struct eh_vm *vm);
bool eh_vm_inhibit_apicv(struct eh_vm *vm);
void eh_vm_allow_apicv_soon(struct eh_vm *vm);
void eh_vm_leave_apicv(struct eh_vm *vm);

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

/* ---- unknown.c: what administrators' files are told of VMs that may not */
void eh_unknown_init(void);
bool eh_unknown_tell(struct kvm *kvm, u32 right, const char *name);
void eh_refused_tell(struct eh_vm *vm, u32 call, const char *name,
		     const struct eh_refusal *refusal);

/* ---- logging.c: dirty logging of shared memory */
int eh_share(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, const u64 *gpas, u32 count,
	     struct eh_refusal *refusal);
void eh_slot_logged(struct kvm *kvm, const struct kvm_memory_slot *slot);

/* ---- failure.c: memory that fails */
int eh_failure_init(void);
void eh_failure_exit(void);
void eh_failure_look_at_givers(struct eh_vmm *vmm);
void eh_failure_look_at_objects(struct eh_vmm *vmm);

/* ---- flush.c: what CPUs remember of the tables */
struct eh_kick {
	cpumask_var_t cpus;
	bool all; /* there was no memory for `cpus` */
};

void eh_kick_begin(struct eh_kick *kick);
void eh_kick_add(struct eh_kick *kick, struct eh_vcpu *vcpu);
void eh_kick_end(struct eh_kick *kick);
void eh_mark_vcpus(struct eh_export *export, void (*mark)(struct eh_vcpu *vcpu, unsigned int slot));
void eh_flush_export(struct eh_export *export);

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
bool eh_name_is_good(const char *name);
int eh_check_range(u64 offset, u64 pages, u32 order, struct eh_refusal *refusal);
struct eh_attachment *eh_attachment_next(struct eh_export *export, struct eh_attachment *last);
bool eh_export_end(struct eh_export *export);
void eh_export_let_go(struct eh_export *export);
void eh_export_kill(struct eh_export *export);

/* ---- map.c */
int eh_export_map(struct eh_export *export, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_map *in,
		  struct eh_refusal *refusal);
bool eh_export_overlaps(struct eh_export *export, u64 offset, u64 length);

/* ---- unmap.c */
int eh_export_unmap(struct eh_export *export, struct elisa_hc_unmap *in,
		    struct eh_refusal *refusal);

/* ---- show.c */
void eh_export_show(struct eh_export *export);

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
void eh_doorbells_stop(void);

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
bool eh_vm_revoke(struct eh_vm *vm, u32 grant_id);
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

/* ---- untold.c */
struct eh_end *eh_end_new(void);
void eh_context_leaves(struct eh_context *c);
void eh_tell_end(struct eh_export *export, struct eh_attachment *attachment);
int eh_check_untold(struct eh_export *export, u32 grant_id, struct eh_refusal *refusal);
void eh_untold_free(struct eh_export *export);
u32 eh_untold_take(struct eh_vm *vm, struct elisa_event *out, u32 room);

#endif
