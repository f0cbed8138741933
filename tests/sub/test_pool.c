/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks: none is lost or given twice, wherever a caller stops; each counts for its account. */
#include <stdlib.h>
#include <string.h>
#include "../../lib/sub/pool.h"
#include "sub.h"

enum {
	PUT,	  /* a block of a2 bytes into slot a1, in the place of what was there */
	DROP,	  /* slot a1 becomes empty */
	PUT_LONG, /* as PUT, filled in between two changes */
	RECLAIM,
	MISUSE,
	SLOTS = 8,
	SLAB = 12,
	SIZE = 9 * 4096,
	ACCOUNTS = 2,
	FILLED = 32,
};

static struct sub_callers callers;
static struct {
	struct elisa_change change;
	struct elisa_pool pool;
	uint64_t slot[SLOTS];
	uint64_t memory[SIZE / 8] __attribute__((aligned(64)));
} object;

/* The first bytes: each of them is an instruction to stop at. */
static void fill(elisa_ref block, long size)
{
	memset(elisa_pool_at(&object.pool, block), (int)size,
	       (size_t)(size < FILLED ? size : FILLED));
}

static long put(const struct elisa_caller *me, long slot, long size)
{
	elisa_ref block, old;
	int error = elisa_change_begin(&object.change, me);

	if (error)
		return error;
	error = elisa_pool_alloc(&object.pool, &object.change, elisa_self_place(), (uint32_t)size,
				 &block);
	if (error) {
		elisa_change_cancel(&object.change);
		return error;
	}
	fill(block, size);
	/* not before the change has begun: that ends what a dead caller had committed */
	old = (elisa_ref)object.slot[slot];
	elisa_change_set(&object.change, &object.slot[slot], block);
	if (old)
		elisa_pool_free(&object.pool, &object.change, old);
	return elisa_change_commit(&object.change);
}

static long hold(const struct elisa_caller *me, long size, elisa_ref *block)
{
	int error = elisa_change_begin(&object.change, me);

	if (error)
		return error;
	error = elisa_pool_alloc(&object.pool, &object.change, elisa_self_place(), (uint32_t)size,
				 block);
	if (!error)
		error = elisa_pool_hold(&object.pool, &object.change, me, *block);
	if (!error)
		return elisa_change_commit(&object.change);
	elisa_change_cancel(&object.change);
	return error;
}

static long put_long(const struct elisa_caller *me, long slot, long size)
{
	struct elisa_view view;
	elisa_ref block, same;
	long error = hold(me, size, &block);

	if (error)
		return error;
	if (!elisa_view_open(&object.pool, block, &view))
		return -EILSEQ; /* a reader would take it for whole */
	fill(block, size);
	error = elisa_change_begin(&object.change, me);
	if (error)
		return error;
	error = elisa_pool_filled(&object.pool, &object.change, me, &same);
	if (error || same != block) {
		elisa_change_cancel(&object.change);
		return -EILSEQ;
	}
	if (object.slot[slot])
		elisa_pool_free(&object.pool, &object.change, (elisa_ref)object.slot[slot]);
	elisa_change_set(&object.change, &object.slot[slot], block);
	return elisa_change_commit(&object.change);
}

static long drop(const struct elisa_caller *me, long slot)
{
	long error = elisa_change_begin(&object.change, me);

	if (error)
		return error;
	if (object.slot[slot])
		error = elisa_pool_free(&object.pool, &object.change, (elisa_ref)object.slot[slot]);
	elisa_change_set(&object.change, &object.slot[slot], 0);
	return elisa_change_commit(&object.change) ? -EILSEQ : error;
}

static long reclaim(const struct elisa_caller *me)
{
	long error, count = 0;
	int one;

	do {
		error = elisa_change_begin(&object.change, me);
		if (error)
			return error;
		one = elisa_pool_reclaim(&object.pool, &object.change, me);
		count += one;
		error = elisa_change_commit(&object.change);
	} while (one && !error);
	return error ? error : count;
}

/* What the pool refuses; the change is not committed. */
static long misuse(const struct elisa_caller *me)
{
	struct elisa_pool *pool = &object.pool;
	struct elisa_change *change = &object.change;
	elisa_ref a, b;
	long wrong = elisa_change_begin(change, me);

	wrong |= elisa_pool_alloc(pool, change, ACCOUNTS, 1, &a) != -EINVAL;
	wrong |= elisa_pool_alloc(pool, change, 0, (1 << SLAB) - 15, &a) != -EFBIG;
	wrong |= elisa_pool_alloc(pool, change, 0, UINT32_MAX, &a) != -EFBIG;
	wrong |= elisa_pool_free(pool, change, 0) != -EINVAL;
	wrong |= elisa_pool_free(pool, change, UINT32_MAX) != -EINVAL;
	wrong |= elisa_pool_filled(pool, change, me, &b) != -ENOENT;
	wrong |= elisa_pool_alloc(pool, change, 0, 100, &a) != 0;
	wrong |= elisa_pool_alloc(pool, change, 0, 100, &b) != 0 || a == b;
	wrong |= elisa_pool_free(pool, change, a) != 0;
	wrong |= elisa_pool_free(pool, change, a) != -EINVAL;
	/* it would be filled in while others still have it */
	wrong |= elisa_pool_alloc(pool, change, 0, 100, &b) != -EINVAL;
	elisa_change_cancel(change);
	return wrong;
}

static long function(long op, long a1, long a2, long a3, long a4, long a5)
{
	struct elisa_caller me;
	const int error = elisa_enter(&callers.table, &me);

	(void)a3, (void)a4, (void)a5;
	if (error)
		return error;
	switch (op) {
	case PUT:
		return put(&me, a1, a2);
	case DROP:
		return drop(&me, a1);
	case PUT_LONG:
		return put_long(&me, a1, a2);
	case RECLAIM:
		return reclaim(&me);
	}
	return misuse(&me);
}

static int start(void **state)
{
	(void)state;
	memset(&object, 0, sizeof(object));
	sub_start(&callers, function, &object, sizeof(object));
	assert_int_equal(elisa_pool_init(&object.pool, object.memory, SIZE, SLAB, ACCOUNTS,
					 &callers.table),
			 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sub_end();
	return 0;
}

/* What a block's account pays for it. */
static uint64_t price(uint64_t block)
{
	const uint32_t size = elisa_pool_size(&object.pool, (elisa_ref)block);

	return pool_class_size(pool_class_for(size + (uint32_t)sizeof(struct elisa_block)));
}

/* What slots lead to is whole; nothing else is in use, but what callers hold. */
static void whole(void)
{
	const struct elisa_held *held =
		(const struct elisa_held *)(uintptr_t)((uintptr_t)&object.pool +
						       (uintptr_t)object.pool.held);
	uint64_t used = elisa_pool_used(&object.pool, 0) + elisa_pool_used(&object.pool, 1);
	const char *wrong = elisa_pool_check(&object.pool);
	uint64_t paid = 0;
	uint32_t torn = 0;

	if (wrong)
		fail_msg("%s", wrong);
	for (int i = 0; i < SLOTS; i++) {
		struct elisa_view view;

		if (!object.slot[i])
			continue;
		paid += price(object.slot[i]);
		assert_int_equal(elisa_view_open(&object.pool, (elisa_ref)object.slot[i], &view),
				 0);
		for (uint32_t at = 0; at < view.size && at < FILLED; at++)
			torn += ((const uint8_t *)view.data)[at] != (uint8_t)view.size;
		for (int j = 0; j < i; j++)
			assert_int_not_equal(object.slot[i], object.slot[j]);
	}
	for (int i = 0; i < RECORDS; i++)
		paid += held[i].block ? price(held[i].block) : 0;
	assert_int_equal(torn, 0);
	assert_int_equal(used, paid);
}

static void put_abandoned(void **state)
{
	(void)state;
	for (long slot = 0; slot < SLOTS; slot++)
		assert_int_equal(sub_call(slot & 1, PUT, slot, 40 + slot * 200), 0);
	whole();
	/* of a class that has room, of a new one, of one that is larger */
	assert_true(sub_abandon((struct sub_call){PUT, 1, 240}, (struct sub_call){PUT, 1, 250},
				whole) > 200);
	sub_abandon((struct sub_call){PUT, 2, 2000}, (struct sub_call){DROP, 2, 0}, whole);
	sub_abandon((struct sub_call){PUT, 3, 4000}, (struct sub_call){PUT, 4, 4000}, whole);
}

static void drop_abandoned(void **state)
{
	(void)state;
	for (long slot = 0; slot < 4; slot++)
		assert_int_equal(sub_call(0, PUT, slot, 1900), 0); /* two of a slab */
	sub_abandon((struct sub_call){DROP, 0, 0}, (struct sub_call){PUT, 5, 1900}, whole);
	sub_abandon((struct sub_call){DROP, 1, 0}, (struct sub_call){DROP, 1, 0}, whole);
	sub_abandon((struct sub_call){DROP, 2, 0}, (struct sub_call){PUT, 2, 1900}, whole);
}

static void all_reclaimed(void)
{
	const struct elisa_held *held =
		(const struct elisa_held *)(uintptr_t)((uintptr_t)&object.pool +
						       (uintptr_t)object.pool.held);

	whole();
	for (int i = 0; i < RECORDS; i++)
		assert_int_equal(held[i].block, 0);
}

static void hold_abandoned(void **state)
{
	(void)state;
	assert_int_equal(sub_call(1, PUT, 3, 300), 0);
	sub_abandon((struct sub_call){PUT_LONG, 3, 310}, (struct sub_call){PUT_LONG, 3, 330},
		    whole);
	sub_abandon((struct sub_call){PUT_LONG, 3, 500}, (struct sub_call){RECLAIM, 0, 0},
		    all_reclaimed);
}

static void accounts_have_limits(void **state)
{
	(void)state;
	elisa_pool_limit(&object.pool, 0, 200);
	assert_int_equal(sub_call(0, PUT, 0, 80), 0);
	assert_int_equal(elisa_pool_used(&object.pool, 0), 96);
	assert_int_equal(sub_call(0, PUT, 1, 88), -EDQUOT);
	assert_int_equal(sub_call(0, PUT, 1, 80), 0);
	assert_int_equal(sub_call(1, PUT, 2, 1000), 0); /* the other guest has its own */
	assert_int_equal(elisa_pool_used(&object.pool, 0), 192);
	assert_int_equal(sub_call(1, DROP, 1, 0), 0); /* whichever guest frees it */
	assert_int_equal(elisa_pool_used(&object.pool, 0), 96);
	whole();
}

static void refused(void **state)
{
	struct elisa_pool *pool = &object.pool;
	struct elisa_view view;

	(void)state;
	assert_int_equal(sub_call(0, MISUSE, 0, 0), 0);
	whole();
	assert_int_equal(elisa_pool_init(pool, object.memory, SIZE, 11, 1, NULL), -EINVAL);
	assert_int_equal(elisa_pool_init(pool, object.memory, SIZE, 22, 1, NULL), -EINVAL);
	assert_int_equal(elisa_pool_init(pool, object.memory, SIZE, 12, 0, NULL), -EINVAL);
	assert_int_equal(elisa_pool_init(pool, object.memory, SIZE, 12, 65537, NULL), -EINVAL);
	assert_int_equal(elisa_pool_init(pool, object.memory + 1, SIZE - 8, 12, 1, NULL), -EINVAL);
	assert_int_equal(elisa_pool_init(pool, object.memory, 4096, 12, 1, NULL), -ENOSPC);
	assert_int_equal(elisa_pool_init(pool, object.memory, 2 * 4096, 12, 1, NULL), 0);
	assert_int_equal(pool->slab_count, 1);
	assert_int_equal(elisa_view_open(pool, 0, &view), -EAGAIN);
	assert_int_equal(elisa_view_open(pool, UINT32_MAX, &view), -EAGAIN);
	assert_int_equal(elisa_view_open(pool, 1, &view), -EAGAIN);
}

/* A header that a guest wrote: what it leads to stays inside. */
static void views_stay_inside(void **state)
{
	struct elisa_view view;
	struct elisa_block *header;

	(void)state;
	header = elisa_pool_header(&object.pool, 100);
	header->version = 2;
	header->word = 1ull << 63 | UINT32_MAX;
	assert_int_equal(elisa_view_open(&object.pool, 100, &view), -EAGAIN);
	header->word = 1ull << 63 | ((object.pool.slab_count << SLAB) - 1600);
	assert_int_equal(elisa_view_open(&object.pool, 100, &view), 0);
	assert_true((uintptr_t)view.data + view.size <= (uintptr_t)object.memory + SIZE);
	header->word++;
	assert_int_equal(elisa_view_open(&object.pool, 100, &view), -EAGAIN);
	header->version = 3;
	header->word--;
	assert_int_equal(elisa_view_open(&object.pool, 100, &view), -EAGAIN);
}

/* Any order of sizes; at the end all is given back. */
static void at_random(void **state)
{
	uint32_t full = 0, put_ = 0;

	(void)state;
	srandom(7);
	for (int i = 0; i < 5000; i++) {
		const long slot = random() % SLOTS, size = random() % (random() % 4 ? 300 : 4080);
		const long result = random() % 3 ? sub_call(random() & 1, PUT, slot, size) :
						   sub_call(random() & 1, DROP, slot, 0);

		full += result == -ENOSPC;
		put_ += result == 0;
		assert_true(result == 0 || result == -ENOSPC);
		if (i % 16 == 0)
			whole();
	}
	assert_true(put_ > 2000);
	for (long slot = 0; slot < SLOTS; slot++)
		sub_call(0, DROP, slot, 0);
	whole();
	assert_int_equal(elisa_pool_used(&object.pool, 0), 0);
	assert_int_equal(elisa_pool_used(&object.pool, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(put_abandoned, start, end),
		cmocka_unit_test_setup_teardown(drop_abandoned, start, end),
		cmocka_unit_test_setup_teardown(hold_abandoned, start, end),
		cmocka_unit_test_setup_teardown(accounts_have_limits, start, end),
		cmocka_unit_test_setup_teardown(refused, start, end),
		cmocka_unit_test_setup_teardown(views_stay_inside, start, end),
		cmocka_unit_test_setup_teardown(at_random, start, end),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
