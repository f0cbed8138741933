/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of callers; <elisa/sub/caller.h> has the story.
 *
 * A number gets a new owner in three writes. The first one writes the name of the next owner with
 * CHANGING in it, which ends the old owner's last life. The second one writes the attachment. The
 * third one writes the name without CHANGING. A caller that stops in between holds nothing yet, and
 * its next call begins again.
 *
 * elisa_callers_event() reads the name before the attachment, and does nothing if the name has
 * CHANGING. So if it finds the old attachment, then the name that it has read is the old owner's.
 * Its compare-and-swap fails if the name has changed since, so it cannot end a life of the new
 * owner.
 */
#include <elisa/sub/caller.h>

#define OWNER_ONE (1ull << ELISA_NAME_OWNER)
#define OWNERS	  ((1ull << ELISA_NAME_NUMBER) - OWNER_ONE)
#define CHANGING  1ull

static uint64_t with_aborts(uint64_t name, uint64_t aborts)
{
	return (name & ~(ELISA_NAME_ABORTS | CHANGING)) | (aborts << 1 & ELISA_NAME_ABORTS);
}

static uint64_t next_owner(uint64_t name, uint64_t aborts)
{
	const uint64_t owner = (name + OWNER_ONE) & OWNERS;

	return with_aborts((name & ~OWNERS) | owner, aborts);
}

static int replace(uint64_t *name, uint64_t *was, uint64_t is)
{
	return __atomic_compare_exchange_n(name, was, is, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int elisa_callers_init(struct elisa_callers *callers, struct elisa_caller_record *record,
		       uint32_t places, uint32_t vcpus)
{
	const uint64_t count = (uint64_t)places * vcpus;

	if (!count || count > ELISA_CALLERS_MAX)
		return -EINVAL;
	callers->records = (int64_t)((uintptr_t)record - (uintptr_t)callers);
	callers->places = places;
	callers->vcpus = vcpus;
	for (uint64_t i = 0; i <= count; i++) {
		struct elisa_caller_record empty = {0};

		empty.name = (i + 1) << ELISA_NAME_NUMBER;
		record[i] = empty;
	}
	return 0;
}

uint64_t elisa_caller_begin(struct elisa_caller_record *record, const struct elisa_self *self)
{
	uint64_t name = __atomic_load_n(&record->name, __ATOMIC_ACQUIRE);

	if (record->attachment == self->attachment && !(name & CHANGING)) {
		while (!replace(&record->name, &name, with_aborts(name, self->aborts)))
			;
		return with_aborts(name, self->aborts);
	}
	while (!replace(&record->name, &name, next_owner(name, self->aborts) | CHANGING))
		;
	name = next_owner(name, self->aborts);
	__atomic_store_n(&record->attachment, self->attachment, __ATOMIC_SEQ_CST);
	__atomic_store_n(&record->name, name, __ATOMIC_SEQ_CST);
	return name;
}

void elisa_enter_manager(struct elisa_callers *callers, struct elisa_caller *me)
{
	const uint64_t number = (uint64_t)callers->places * callers->vcpus + 1;

	me->callers = callers;
	me->name = elisa_caller_record(callers, number)->name;
}

int elisa_caller_dead(struct elisa_callers *callers, uint64_t name)
{
	const uint64_t number = name >> ELISA_NAME_NUMBER;

	if (!number || number > ELISA_CALLER_RECORDS((uint64_t)callers->places, callers->vcpus))
		return 0;
	return __atomic_load_n(&elisa_caller_record(callers, number)->name, __ATOMIC_ACQUIRE) !=
	       (name & ~1ull);
}

static int owned_by(const struct elisa_caller_record *record, uint64_t name, uint64_t attachment)
{
	return !(name & CHANGING) &&
	       __atomic_load_n(&record->attachment, __ATOMIC_SEQ_CST) == attachment;
}

/* Ends the last life of the number's owner, if this attachment owns the number. The attachment has
 * ended. */
static void end_owner(struct elisa_caller_record *record, uint64_t attachment)
{
	uint64_t name = __atomic_load_n(&record->name, __ATOMIC_SEQ_CST);

	if (owned_by(record, name, attachment))
		replace(&record->name, &name, next_owner(name, 0));
}

/* Ends the life that the event names, unless the record already has a newer one. */
static void end_life(struct elisa_caller_record *record, const struct elisa_event *event)
{
	uint64_t name = __atomic_load_n(&record->name, __ATOMIC_SEQ_CST);

	while (owned_by(record, name, event->attachment)) {
		const uint64_t ahead = ((event->aborts << 1) - name) & ELISA_NAME_ABORTS;

		if (!ahead || ahead > ELISA_NAME_ABORTS / 2 ||
		    replace(&record->name, &name, with_aborts(name, event->aborts)))
			return;
	}
}

/* Handles the begin of an attachment at a place: the attachment before it is gone, even if the
 * event of its end was lost. */
static void place_begins(struct elisa_callers *callers, const struct elisa_event *event)
{
	if (event->value < 0 || event->value >= callers->places)
		return;
	for (uint32_t vcpu = 0; vcpu < callers->vcpus; vcpu++) {
		struct elisa_caller_record *record = elisa_caller_record(
			callers, (uint64_t)event->value * callers->vcpus + vcpu + 1);
		const uint64_t owner = __atomic_load_n(&record->attachment, __ATOMIC_SEQ_CST);

		if (owner && owner < event->attachment)
			end_owner(record, owner);
	}
}

void elisa_callers_event(struct elisa_callers *callers, const struct elisa_event *event)
{
	const uint64_t count = (uint64_t)callers->places * callers->vcpus;

	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		place_begins(callers, event);
		return;
	case ELISA_EVENT_DETACH:
		for (uint64_t number = 1; number <= count; number++)
			end_owner(elisa_caller_record(callers, number), event->attachment);
		return;
	case ELISA_EVENT_ABORT:
		if (event->vcpu >= callers->vcpus)
			return;
		for (uint64_t number = event->vcpu + 1; number <= count; number += callers->vcpus)
			end_life(elisa_caller_record(callers, number), event);
		return;
	}
}
