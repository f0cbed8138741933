/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which caller this is, and whether it still lives. The locks of this kit are built on it.
 *
 * A caller is one vCPU of one attachment. The host lets it be in one call at a time, and counts the
 * calls that it aborted (struct elisa_self, `aborts`). So a caller has lives: a life ends with each
 * abort, and with the attachment. The name of a caller in its present life is one 64-bit word,
 * never 0:
 *
 *     number in the table (12 bits) | owner of the number, counted (24) | aborts (27) | 0
 *
 * A lock word holds the name of its holder. The caller's record holds its present name. If the two
 * differ, the holder is dead and executes no further instruction. Two events change the record, and
 * the host ends the holder's call before either can happen:
 *
 * - The same vCPU calls again. elisa_enter() compares the host's numbers with the record.
 * - The manager reads the host's event, and gives it to elisa_callers_event().
 *
 * Both write the name by compare-and-swap, and make it from the host's numbers alone. So it does
 * not matter which of them comes first, or whether one of them stops in the middle.
 *
 * The number is place * vcpus + vCPU. An attachment has its place for itself until no CPU can run
 * in it. So an export that uses callers needs places (elisa_export_places()), as many as there may
 * be attachments. No guest can take another's number.
 */
#ifndef ELISA_SUB_CALLER_H
#define ELISA_SUB_CALLER_H

#include <stdint.h>
#include <errno.h>
#include <elisa/function.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_CALLERS_MAX  4093 /* places * vcpus */
#define ELISA_NAME_NUMBER  52	/* shift */
#define ELISA_NAME_OWNER   28	/* shift */
#define ELISA_NAME_ABORTS  0xffffffeull
#define ELISA_CALLER_READS 2 /* locks that a caller may hold for reading at a time */

/* Of a lock that the caller holds for reading; see rwlock.h. */
struct elisa_caller_read {
	uint64_t lock; /* its distance from the table, 0: none */
	uint64_t name;
};

/* One cache line for each caller. */
struct elisa_caller_record {
	uint64_t name;
	uint64_t attachment; /* the number's owner */
	struct elisa_caller_read read[ELISA_CALLER_READS];
	uint64_t unused[2];
};

struct elisa_callers {
	int64_t records; /* distance from here to record 1 */
	uint32_t places;
	uint32_t vcpus;
};

/* Records of a table for so many places and vCPUs of each; the last one is the manager's own. */
#define ELISA_CALLER_RECORDS(places, vcpus) ((places) * (vcpus) + 1)

/* The caller, for the time of one call. It lies on the stack. */
struct elisa_caller {
	struct elisa_callers *callers;
	uint64_t name;
};

/*
 * Prepares a table. Manager, once, before it publishes. record: an array of
 * ELISA_CALLER_RECORDS(places, vcpus), aligned to 64 bytes. vcpus: how many of each guest's may
 * call; they are counted from 0. Errors: -EINVAL (more than ELISA_CALLERS_MAX, or none).
 */
int elisa_callers_init(struct elisa_callers *callers, struct elisa_caller_record *record,
		       uint32_t places, uint32_t vcpus);

/*
 * Tells the table what the host said: an abort, an eviction, the end or the begin of an attachment;
 * others are ignored. Manager, with each event of elisa_events_read(). Thread-safe.
 */
void elisa_callers_event(struct elisa_callers *callers, const struct elisa_event *event);

/* The manager's own process as a caller, one thread at a time. */
void elisa_enter_manager(struct elisa_callers *callers, struct elisa_caller *me);

/* Number 1 and up. */
static inline struct elisa_caller_record *elisa_caller_record(struct elisa_callers *callers,
							      uint64_t number)
{
	return (struct elisa_caller_record *)((uintptr_t)callers + (uintptr_t)callers->records) +
	       (number - 1);
}

/* caller.c: the caller's first call, or its first after an abort. Returns its name. */
uint64_t elisa_caller_begin(struct elisa_caller_record *record, const struct elisa_self *self);

/* elisa_enter(), for a caller that the host describes so. */
static inline int elisa_enter_as(struct elisa_callers *callers, const struct elisa_self *self,
				 struct elisa_caller *me)
{
	const uint32_t place = self->place, vcpu = self->vcpu;
	struct elisa_caller_record *record;
	uint64_t name;

	if (place >= callers->places)
		return -ENOENT;
	if (vcpu >= callers->vcpus)
		return -ERANGE;
	record = elisa_caller_record(callers, (uint64_t)place * callers->vcpus + vcpu + 1);
	name = __atomic_load_n(&record->name, __ATOMIC_ACQUIRE);
	if (__builtin_expect(record->attachment != self->attachment ||
				     ((name ^ self->aborts << 1) & (ELISA_NAME_ABORTS | 1)),
			     0))
		name = elisa_caller_begin(record, self);
	me->callers = callers;
	me->name = name;
	return 0;
}

/*
 * Function, first of all: fills in *me. Errors: -ENOENT (the export has no places, or more than the
 * table), -ERANGE (a vCPU beyond those that may call).
 */
static inline int elisa_enter(struct elisa_callers *callers, struct elisa_caller *me)
{
	return elisa_enter_as(callers, elisa_self(), me);
}

/* From 0, below ELISA_CALLER_RECORDS: an index of what the application keeps for each caller. */
static inline uint32_t elisa_caller_index(const struct elisa_caller *me)
{
	return (uint32_t)(me->name >> ELISA_NAME_NUMBER) - 1;
}

/* Is it certain that this caller runs no other instruction? name: of the table's, or anything. */
int elisa_caller_dead(struct elisa_callers *callers, uint64_t name);

/* The caller by the host's word: its place, its attachment, its vCPU. */
static inline uint32_t elisa_self_place(void)
{
	return elisa_self()->place;
}

static inline uint64_t elisa_self_attachment(void)
{
	return elisa_self()->attachment;
}

static inline uint32_t elisa_self_vcpu(void)
{
	return elisa_self()->vcpu;
}

#ifdef __cplusplus
}
#endif

#endif
