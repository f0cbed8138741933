/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints elisa:* show perf and BPF what the module does for a VM (docs/observing.md).
 *
 * A record names the VM, vCPU, slot and export by the numbers that elisactl lists. It has no
 * address of the host or of a guest: a place in a function is an offset in the object. An exit that
 * the module has nothing to do with passes no tracepoint (path/settled.h). A tracepoint that is off
 * costs the vCPU a no-op.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM elisa

#if !defined(ELISA_HOST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ELISA_HOST_TRACE_H

#include <linux/tracepoint.h>
#include <asm/vmx.h>

#include "base/objects.h"

#define EH_TRACE_ERROR(name, number, text) \
	,                                  \
	{                                  \
		number, #name              \
	}
#define EH_TRACE_CLOSED(name, number, word, text) \
	,                                         \
	{                                         \
		number, word                      \
	}

/* clang-format off */

/* ---- attachments. revoke: it left its export, for any reason; detach: its slot is free again */
DECLARE_EVENT_CLASS(elisa_attachment,
	TP_PROTO(const struct eh_attachment *a),
	TP_ARGS(a),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, slot)
		__field(u32, export)
		__field(u64, attachment)
		__array(char, name, ELISA_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->vm = a->vm->id;
		__entry->slot = a->slot;
		__entry->export = a->export_id;
		__entry->attachment = a->number;
		memcpy(__entry->name, a->name, ELISA_NAME_SIZE);
	),
	TP_printk("vm=%u slot=%u export=%u attachment=%llu name=%s", __entry->vm, __entry->slot,
		  __entry->export, __entry->attachment, __entry->name)
);

DEFINE_EVENT(elisa_attachment, elisa_attach,
	TP_PROTO(const struct eh_attachment *a), TP_ARGS(a));
DEFINE_EVENT(elisa_attachment, elisa_evict,
	TP_PROTO(const struct eh_attachment *a), TP_ARGS(a));
DEFINE_EVENT(elisa_attachment, elisa_revoke,
	TP_PROTO(const struct eh_attachment *a), TP_ARGS(a));
DEFINE_EVENT(elisa_attachment, elisa_detach,
	TP_PROTO(const struct eh_attachment *a), TP_ARGS(a));

/* ---- calls that the host acts on. The record of elisa_attach names the slot's attachment */
TRACE_EVENT(elisa_abort,
	TP_PROTO(const struct eh_context *c, int error, u64 offset),
	TP_ARGS(c, error, offset),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, vcpu)
		__field(u32, slot)
		__field(u32, export)
		__field(u64, attachment)
		__field(int, error)
		__field(u64, offset)
	),
	TP_fast_assign(
		__entry->vm = c->vcpu->vm->id;
		__entry->vcpu = c->self->vcpu;
		__entry->slot = c->attachment->slot;
		__entry->export = c->attachment->export_id;
		__entry->attachment = c->attachment->number;
		__entry->error = error;
		__entry->offset = offset;
	),
	TP_printk("vm=%u vcpu=%u slot=%u export=%u attachment=%llu reason=%s offset=%#llx",
		  __entry->vm, __entry->vcpu, __entry->slot, __entry->export, __entry->attachment,
		  __print_symbolic(__entry->error, {0, "OK"} ELISA_CALL_ERROR_LIST(EH_TRACE_ERROR)),
		  __entry->offset)
);

TRACE_EVENT(elisa_suspend,
	TP_PROTO(const struct eh_context *c, u32 exit, u64 offset),
	TP_ARGS(c, exit, offset),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, vcpu)
		__field(u32, slot)
		__field(u32, exit)
		__field(u64, offset)
	),
	TP_fast_assign(
		__entry->vm = c->vcpu->vm->id;
		__entry->vcpu = c->self->vcpu;
		__entry->slot = c->attachment->slot;
		__entry->exit = exit & 0xffff;
		__entry->offset = offset;
	),
	TP_printk("vm=%u vcpu=%u slot=%u exit=%s offset=%#llx", __entry->vm, __entry->vcpu,
		  __entry->slot, __print_symbolic(__entry->exit, VMX_EXIT_REASONS),
		  __entry->offset)
);

TRACE_EVENT(elisa_resume,
	TP_PROTO(const struct eh_context *c, u64 ns),
	TP_ARGS(c, ns),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, vcpu)
		__field(u32, slot)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = c->vcpu->vm->id;
		__entry->vcpu = c->self->vcpu;
		__entry->slot = c->attachment->slot;
		__entry->ns = ns;
	),
	TP_printk("vm=%u vcpu=%u slot=%u suspended_ns=%llu", __entry->vm, __entry->vcpu,
		  __entry->slot, __entry->ns)
);

TRACE_EVENT(elisa_return_trap,
	TP_PROTO(const struct eh_context *c),
	TP_ARGS(c),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, vcpu)
		__field(u32, slot)
	),
	TP_fast_assign(
		__entry->vm = c->vcpu->vm->id;
		__entry->vcpu = c->self->vcpu;
		__entry->slot = c->attachment->slot;
	),
	TP_printk("vm=%u vcpu=%u slot=%u", __entry->vm, __entry->vcpu, __entry->slot)
);

TRACE_EVENT(elisa_ring,
	TP_PROTO(const struct eh_context *c, u64 place),
	TP_ARGS(c, place),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, vcpu)
		__field(u32, slot)
		__field(u32, export)
		__field(u64, place)
	),
	TP_fast_assign(
		__entry->vm = c->vcpu->vm->id;
		__entry->vcpu = c->self->vcpu;
		__entry->slot = c->attachment->slot;
		__entry->export = c->attachment->export_id;
		__entry->place = place;
	),
	TP_printk("vm=%u vcpu=%u slot=%u export=%u place=%llu", __entry->vm, __entry->vcpu,
		  __entry->slot, __entry->export, __entry->place)
);

/* ---- why a vCPU cannot call: recorded once, until the vCPU can call or the reason changes */
TRACE_EVENT(elisa_closed,
	TP_PROTO(const struct eh_vcpu *vcpu, u32 closed),
	TP_ARGS(vcpu, closed),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, vcpu)
		__field(u32, closed)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->id;
		__entry->vcpu = vcpu->kvm_vcpu->vcpu_idx;
		__entry->closed = closed;
	),
	TP_printk("vm=%u vcpu=%u reason=%s", __entry->vm, __entry->vcpu,
		  __print_symbolic(__entry->closed, {0, "-"} ELISA_CLOSED_LIST(EH_TRACE_CLOSED)))
);

/* ---- a flush: the export's vCPUs drop cached translations of tables that were changed */
TRACE_EVENT(elisa_flush,
	TP_PROTO(const struct eh_export *export),
	TP_ARGS(export),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, export)
	),
	TP_fast_assign(
		__entry->vm = export->vm->id;
		__entry->export = export->id;
	),
	TP_printk("vm=%u export=%u", __entry->vm, __entry->export)
);

/* ---- the hooks on entries and exits: put in place, or not (error); removed */
DECLARE_EVENT_CLASS(elisa_hooks,
	TP_PROTO(int error),
	TP_ARGS(error),
	TP_STRUCT__entry(
		__field(int, error)
	),
	TP_fast_assign(
		__entry->error = error;
	),
	TP_printk("error=%d", __entry->error)
);

DEFINE_EVENT(elisa_hooks, elisa_arm, TP_PROTO(int error), TP_ARGS(error));
DEFINE_EVENT(elisa_hooks, elisa_disarm, TP_PROTO(int error), TP_ARGS(error));

/* clang-format on */

#endif

/* Kbuild's include path ends at host/ */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH base
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
