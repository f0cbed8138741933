/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says in words what a function did that ended its call. The words come from the host's event, the
 * symbols of the loaded objects, and the places of the library's stacks.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

/* ------------------------------------------------------------------- names of addresses */

ELISA_PUBLIC void elisa_names_add(struct elisa_export *export_, struct elisa_names *names)
{
	struct elisa *handle = export_->handle;

	pthread_mutex_lock(&handle->lock);
	names->export_ = export_;
	names->next = export_->names;
	export_->names = names;
	pthread_mutex_unlock(&handle->lock);
}

ELISA_PUBLIC void elisa_names_remove(struct elisa_names *names)
{
	struct elisa_export *export_ = names->export_;
	struct elisa_names **at;

	if (!export_)
		return;
	pthread_mutex_lock(&export_->handle->lock);
	for (at = &export_->names; *at; at = &(*at)->next)
		if (*at == names) {
			*at = names->next;
			break;
		}
	pthread_mutex_unlock(&export_->handle->lock);
	names->export_ = NULL;
}

/* Forgets the names of an export, which ends before its objects are unloaded. */
void elisa_names_forget(struct elisa_export *export_)
{
	pthread_mutex_lock(&export_->handle->lock);
	for (struct elisa_names *names = export_->names; names; names = names->next)
		names->export_ = NULL;
	export_->names = NULL;
	pthread_mutex_unlock(&export_->handle->lock);
}

/* ------------------------------------------------------------------------------- words */

struct text {
	char *to;
	size_t size, length; /* the length may be beyond the size, as with snprintf() */
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	const size_t used = text->length < text->size ? text->length : text->size;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(used < text->size ? text->to + used : NULL, text->size - used, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		text->length += (size_t)length;
}

static void add_place(struct text *text, struct elisa_export *export_, uint64_t instruction)
{
	const struct elisa_names *names;
	const char *name = NULL;
	uint64_t from = 0;

	if (instruction == ELISA_ELSEWHERE) {
		add(text, ", at an instruction outside of the object area");
		return;
	}
	add(text, ", at %#llx of the object area", (unsigned long long)instruction);
	pthread_mutex_lock(&export_->handle->lock);
	for (names = export_->names; names && !name; names = names->next)
		name = names->at(names, instruction, &from);
	if (name)
		add(text, " (%s+%#llx)", name, (unsigned long long)(instruction - from));
	pthread_mutex_unlock(&export_->handle->lock);
}

static const char *access_word(uint8_t access)
{
	if (access & ELISA_PROT_EXEC)
		return "executed";
	return access & ELISA_PROT_WRITE ? "wrote" : "read";
}

static void add_address(struct text *text, const struct elisa_export *export_,
			const struct elisa_event *event)
{
	if (event->address == ELISA_ELSEWHERE)
		add(text, "the function %s what is not in the object area",
		    access_word(event->fault.access));
	else if (elisa_stacks_below(export_->stacks, event->address))
		add(text, "the function needs a larger stack than the export's");
	else
		add(text, "the function %s %#llx of the object area, which is not mapped for that",
		    access_word(event->fault.access), (unsigned long long)event->address);
}

/* Names an exception (SDM vol. 3 table 6-1) that KVM intercepts. */
static const char *exception_word(uint8_t vector)
{
	switch (vector) {
	case 1:
		return "#DB";
	case 6:
		return "#UD";
	case 13:
		return "#GP";
	case 14:
		return "#PF";
	case 17:
		return "#AC";
	case 18:
		return "#MC";
	}
	return "exception";
}

/* Names the reason of a VM exit that a function is likely to cause: SDM vol. 3 appendix C. */
static const char *exit_word(uint8_t reason)
{
	switch (reason) {
	case 10:
		return "CPUID";
	case 18:
		return "VMCALL";
	case 59:
		return "VMFUNC";
	}
	return "it";
}

ELISA_PUBLIC int elisa_fault_text(struct elisa_export *export_, const struct elisa_event *event,
				  char *to, size_t size)
{
	struct text text = {.to = to, .size = size};

	if (!export_ || !event || (size && !to) || event->type != ELISA_EVENT_FAULT)
		return elisa_fail_text(export_ ? export_->handle : NULL, EINVAL,
				       "fault: give an export, an event of type ELISA_EVENT_FAULT, "
				       "and room for the text");
	if (size)
		*to = 0;
	switch (event->fault.about) {
	case ELISA_FAULT_ADDRESS:
		add_address(&text, export_, event);
		break;
	case ELISA_FAULT_STACK:
		add(&text, "the function needs a larger stack than the host's %u bytes",
		    ELISA_STACK_PAGES * ELISA_PAGE_SIZE);
		break;
	case ELISA_FAULT_TRIPLE:
		add(&text, "the function raised an exception (an address outside of the object "
			   "area, a division by 0, a privileged instruction, ..)");
		break;
	case ELISA_FAULT_EXCEPTION:
		add(&text, "the function raised %s (vector %u)",
		    exception_word(event->fault.vector), event->fault.vector);
		break;
	case ELISA_FAULT_FORBIDDEN:
		add(&text,
		    "the function executed an instruction that its context forbids: %s "
		    "(exit reason %u)",
		    exit_word(event->fault.exit), event->fault.exit);
		break;
	default:
		add(&text, "a fault of a kind that this library does not know (%u)",
		    event->fault.about);
	}
	add_place(&text, export_, event->instruction);
	return (int)text.length;
}
