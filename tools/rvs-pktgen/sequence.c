/* SPDX-License-Identifier: Apache-2.0 */
#include "sequence.h"

#include <string.h>

_Static_assert(SEQUENCE_SETS == 1 << (64 - 56), "a set by the highest bits of the hash");

/* Returns the record of this run. A new run takes the record that was silent for longest. */
static struct sequence_run *find(struct sequence *s, uint64_t run, uint64_t number)
{
	struct sequence_run *set = s->runs[run * 0x9e3779b97f4a7c15ull >> 56], *oldest = set;

	for (int i = 0; i < SEQUENCE_RUNS; i++) {
		if (set[i].run == run)
			return &set[i];
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	*oldest = (struct sequence_run){.run = run, .first = number, .highest = number};
	return oldest;
}

/* Marks a number. Returns whether it was marked before. */
static int mark(struct sequence_run *r, uint64_t number)
{
	uint64_t *word = &r->came[number % SEQUENCE_WINDOW / 64];
	const uint64_t bit = 1ull << number % 64;
	const int was = !!(*word & bit);

	*word |= bit;
	return was;
}

static void forget(struct sequence_run *r, uint64_t number)
{
	r->came[number % SEQUENCE_WINDOW / 64] &= ~(1ull << number % 64);
}

/* Notes a number that is higher than all before. The numbers between are lost, unless they still
 * come. */
static void advance(struct sequence *s, struct sequence_run *r, uint64_t number)
{
	s->lost += number - r->highest - 1;
	if (number - r->highest >= SEQUENCE_WINDOW)
		memset(r->came, 0, sizeof(r->came));
	else
		for (uint64_t n = r->highest + 1; n < number; n++)
			forget(r, n);
	forget(r, number);
	mark(r, number);
	r->highest = number;
}

void sequence_note(struct sequence *s, uint64_t run, uint64_t number)
{
	struct sequence_run *r = find(s, run, number);
	const int is_first = !r->used;

	r->used = ++s->frames;
	if (is_first) {
		mark(r, number);
		return;
	}
	if (number > r->highest) {
		advance(s, r, number);
		return;
	}
	/* this number may be late or come twice, which cannot be told any more; it was counted as
	 * lost, and stays so */
	if (r->highest - number >= SEQUENCE_WINDOW) {
		s->reordered++;
		return;
	}
	if (mark(r, number)) {
		s->duplicated++;
		return;
	}
	s->reordered++;
	if (number >= r->first)
		s->lost--;
}
