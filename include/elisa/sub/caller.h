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
 * The number is place * vcpus + vCPU + 1. An attachment has its place for itself until no CPU can
 * run in it. So an export that uses callers needs places (elisa_export_places()), as many as there
 * may be attachments. No guest can take the number of another guest's caller.
 */
#ifndef ELISA_SUB_CALLER_H
#define ELISA_SUB_CALLER_H

#include <stdint.h>
#include <errno.h>
#include <elisa/function.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_CALLERS_MAX  4093 /* limit of places * vcpus */
#define ELISA_NAME_NUMBER  52	/* shift */
#define ELISA_NAME_OWNER   28	/* shift */
#define ELISA_NAME_ABORTS  0xffffffeull
#define ELISA_CALLER_READS 2 /* locks that a caller may hold for reading at a time */

/* A lock that the caller holds for reading; see rwlock.h. */
struct elisa_caller_read {
	uint64_t lock; /* its distance from the table; 0: none */
	uint64_t name;
};

/* The record of a caller: one cache line. */
struct elisa_caller_record {
	uint64_t name;
	uint64_t attachment; /* the owner of the number */
	struct elisa_caller_read read[ELISA_CALLER_READS];
	uint64_t unused[2];
};

struct elisa_callers {
	int64_t records; /* distance from here to record 1 */
	uint32_t places;
	uint32_t vcpus;
};

/* The number of records in a table for so many places, and so many vCPUs at each. The last record
 * is the manager's own. */
#define ELISA_CALLER_RECORDS(places, vcpus) ((places) * (vcpus) + 1)

/* The caller, for the time of one call. It lies on the function's stack. */
struct elisa_caller {
	struct elisa_callers *callers;
	uint64_t name;
};

/*
 * Prepares a table. The manager calls it once, before it publishes the export.
 * - record: an array of ELISA_CALLER_RECORDS(places, vcpus), aligned to 64 bytes.
 * - vcpus: how many vCPUs of each guest may call. They are counted from 0.
 *
 * Errors: -EINVAL (more than ELISA_CALLERS_MAX, or none).
 */
int elisa_callers_init(struct elisa_callers *callers, struct elisa_caller_record *record,
		       uint32_t places, uint32_t vcpus);

/*
 * Tells the table what the host said: an abort, an eviction, the end or the begin of an attachment.
 * Other events are ignored. The manager calls it with each event of elisa_events_read().
 * Thread-safe.
 */
void elisa_callers_event(struct elisa_callers *callers, const struct elisa_event *event);

/* Makes the manager's own process a caller. Only one thread of it may be that caller at a time. */
void elisa_enter_manager(struct elisa_callers *callers, struct elisa_caller *me);

/* Returns the record of a number. Numbers begin at 1. */
static inline struct elisa_caller_record *elisa_caller_record(struct elisa_callers *callers,
							      uint64_t number)
{
	return (struct elisa_caller_record *)((uintptr_t)callers + (uintptr_t)callers->records) +
	       (number - 1);
}

/* Gives the caller a new life, at its first call or at its first call after an abort. Returns its
 * name. In caller.c; for elisa_enter_as(). */
uint64_t elisa_caller_begin(struct elisa_caller_record *record, const struct elisa_self *self);

/* Works as elisa_enter(), for a caller that the host describes by *self. */
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
 * Fills in *me. A function calls it first. Errors: -ENOENT (the export has no places, or more than
 * the table), -ERANGE (the vCPU is beyond those that may call).
 */
static inline int elisa_enter(struct elisa_callers *callers, struct elisa_caller *me)
{
	return elisa_enter_as(callers, elisa_self(), me);
}

/* Returns an index for what the application keeps for each caller: from 0, below
 * ELISA_CALLER_RECORDS. */
static inline uint32_t elisa_caller_index(const struct elisa_caller *me)
{
	return (uint32_t)(me->name >> ELISA_NAME_NUMBER) - 1;
}

/* Tells whether it is certain that the caller of this name runs no further instruction. @name may
 * be any word; the result is 0 if its number is not in the table. */
int elisa_caller_dead(struct elisa_callers *callers, uint64_t name);

/* What the host says about the caller: its place, its attachment, its vCPU. */
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
