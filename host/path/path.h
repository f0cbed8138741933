/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The path of an entry and an exit: the hooks' work for a vCPU that is set up, with its events and
 * doorbells. No hook sleeps under vcpu->lock. The path calls the layers below it: base, kvm,
 * tables. switch.h has the functions that only its own files share.
 */
#ifndef ELISA_HOST_PATH_H
#define ELISA_HOST_PATH_H

#include <linux/wait.h>

#include "base/objects.h"

/* ---- list.c, call.c, exit.c, enter.c: a vCPU's way in and out */
void eh_list_reset(struct eh_vcpu *vcpu);
void eh_list_keep(struct eh_vcpu *vcpu, struct eh_context *c, u64 in, u64 sub);
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
void eh_watch_move(struct eh_vcpu *vcpu);
void eh_watch_end(struct eh_vcpu *vcpu);

/* ---- predicate.c */
static inline bool eh_in_smm(struct kvm_vcpu *kvm_vcpu)
{
#ifdef HF_SMM_MASK
	return kvm_vcpu->arch.hflags & HF_SMM_MASK;
#else
	return false; /* a KVM without CONFIG_KVM_SMM */
#endif
}

u32 eh_levels(struct kvm_vcpu *kvm_vcpu);
enum elisa_closed eh_predicate(struct kvm_vcpu *kvm_vcpu, bool allow_pcid, u32 levels);

/* ---- event.c */
struct eh_events *eh_events_new(struct eh_bell *bell);
void eh_events_put(struct eh_events *events);
bool eh_event_put(struct eh_events *events, struct elisa_event event);
void eh_events_clear(struct eh_events *events);
u32 eh_events_take(struct eh_events *events, struct elisa_event *out, u32 room);

/* ---- stream.c: events for administrators' files */
struct eh_reader;
extern u32 eh_stream_wanted;
bool eh_stream_tell(struct elisa_host_event event);
bool eh_stream_answers(void);
struct eh_reader *eh_stream_open(u32 kinds, bool answers);
void eh_stream_close(struct eh_reader *reader);
void eh_stream_lose(struct eh_reader *reader, u32 count);
u32 eh_stream_take(struct eh_reader *reader, struct elisa_host_event *out, u32 room);
bool eh_stream_has(struct eh_reader *reader);
wait_queue_head_t *eh_stream_wait(struct eh_reader *reader);

void eh_attachment_tell(enum elisa_host_event_kind kind, const struct eh_attachment *a, s64 value);

/* Tells whether a reader wants this kind of event. Without a reader an event costs only this. */
static inline bool eh_stream_wants(enum elisa_host_event_kind kind)
{
	return READ_ONCE(eh_stream_wanted) & 1u << kind;
}

/* ---- bell.c */
void eh_ring_place(struct eh_export *export, u64 place);
void eh_bell_ring(struct eh_bell *bell);
struct eh_bell *eh_bell_new(struct kvm *kvm);
void eh_bell_get(struct eh_bell *bell);
void eh_bell_put(struct eh_bell *bell);
void eh_bell_silence(struct eh_bell *bell);
bool eh_bell_set(struct eh_bell *bell, u32 gsi);
int eh_bells_init(void);
void eh_bells_flush(void);
void eh_bells_exit(void);

/* ---- later.c: works of the control plane that the path starts */
void eh_vm_work_soon(struct eh_vm *vm);
void eh_export_poisoned(struct eh_export *export);

#endif
