/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, elisa:elisa_guest_*: what the driver does for this VM's processes
 * (docs/observing.md). Calls do not come through the driver. A record has no address.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM elisa

#if !defined(ELISA_GUEST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ELISA_GUEST_TRACE_H

#include <linux/tracepoint.h>

#include <elisa/guest_ioctl.h>

#define EG_TRACE_EVENT(name, number, word, text) \
	,                                        \
	{                                        \
		number, word                     \
	}

/* clang-format off */

TRACE_EVENT(elisa_guest_attach,
	TP_PROTO(const struct elisa_ioc_attach *attach),
	TP_ARGS(attach),
	TP_STRUCT__entry(
		__field(u32, slot)
		__field(u32, mode)
		__field(int, place)
		__array(char, name, ELISA_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->slot = attach->slot;
		__entry->mode = attach->mode;
		__entry->place = attach->place;
		memcpy(__entry->name, attach->name, ELISA_NAME_SIZE);
	),
	TP_printk("slot=%u mode=%s place=%d name=%s", __entry->slot,
		  __print_symbolic(__entry->mode, {ELISA_MODE_STRICT, "strict"},
				   {ELISA_MODE_TRUSTED, "trusted"}),
		  __entry->place, __entry->name)
);
TRACE_DEFINE_ENUM(ELISA_MODE_STRICT);
TRACE_DEFINE_ENUM(ELISA_MODE_TRUSTED);

TRACE_EVENT(elisa_guest_detach,
	TP_PROTO(u32 slot),
	TP_ARGS(slot),
	TP_STRUCT__entry(
		__field(u32, slot)
	),
	TP_fast_assign(
		__entry->slot = slot;
	),
	TP_printk("slot=%u", __entry->slot)
);

/* The host has been asked to set up the vCPU that this runs on. */
TRACE_EVENT(elisa_guest_sync,
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

/* The doorbell's interrupt. */
TRACE_EVENT(elisa_guest_doorbell,
	TP_PROTO(int irq),
	TP_ARGS(irq),
	TP_STRUCT__entry(
		__field(int, irq)
	),
	TP_fast_assign(
		__entry->irq = irq;
	),
	TP_printk("irq=%d", __entry->irq)
);

/* The host has told it of one of this VM's exports. */
TRACE_EVENT(elisa_guest_event,
	TP_PROTO(const struct elisa_event *event),
	TP_ARGS(event),
	TP_STRUCT__entry(
		__field(u32, type)
		__field(u32, export)
		__field(u32, vcpu)
		__field(u64, attachment)
		__field(s64, value)
	),
	TP_fast_assign(
		__entry->type = event->type;
		__entry->export = event->export_id;
		__entry->vcpu = event->vcpu;
		__entry->attachment = event->attachment;
		/* a fault has an offset there, which the manager alone has use for */
		__entry->value = event->type == ELISA_EVENT_FAULT ? 0 : event->value;
	),
	TP_printk("type=%s export=%u attachment=%llu vcpu=%u value=%lld",
		  __print_symbolic(__entry->type, {0, "none"} ELISA_EVENT_LIST(EG_TRACE_EVENT)),
		  __entry->export, __entry->attachment, __entry->vcpu, __entry->value)
);

/* clang-format on */

#endif

/* Kbuild's include path has the root of this tree */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH guest
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
