// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names a range of memory to the host in pages as large as the host takes. A large page needs
 * guest-physical memory in one piece, aligned like its place in the object. Only the host knows
 * whether the memory is one page on the host, too. It names a page that is not. The driver then
 * names that memory in smaller pages, and continues with large ones.
 */
#include <linux/io.h>

#include "guest.h"

static const u32 orders[] = {ELISA_ORDER_1G, ELISA_ORDER_2M, ELISA_ORDER_4K};

/* ELISA_HELLO_TAKES_*, of the last HELLO. */
static u32 taken;

void eg_orders_set(u32 hello_flags)
{
	WRITE_ONCE(taken, hello_flags);
}

static bool host_takes(u32 order)
{
	u32 flags = READ_ONCE(taken);

	return order == ELISA_ORDER_4K ||
	       (order == ELISA_ORDER_2M && flags & ELISA_HELLO_TAKES_2M) ||
	       (order == ELISA_ORDER_1G && flags & ELISA_HELLO_TAKES_1G);
}

static u64 gpa_of(const struct eg_range *range, u64 i)
{
	return range->pages ? page_to_phys(range->pages[i]) : range->address + (i << PAGE_SHIFT);
}

/* Is the memory from page @at on one page of this order? */
static bool fits(const struct eg_range *range, u64 at, u32 order)
{
	u64 i, count = 1ULL << order, gpa = gpa_of(range, at);

	if (order > range->order || !host_takes(order) || range->count - at < count ||
	    !IS_ALIGNED(gpa, count << PAGE_SHIFT) ||
	    !IS_ALIGNED(range->offset + (at << PAGE_SHIFT), count << PAGE_SHIFT))
		return false;
	for (i = 1; range->pages && i < count; i++)
		if (gpa_of(range, at + i) != gpa + (i << PAGE_SHIFT))
			return false;
	return true;
}

static u32 order_at(const struct eg_range *range, u64 at)
{
	int i = 0;

	while (!fits(range, at, orders[i]))
		i++;
	return orders[i];
}

/* Writes what the next request is about: pages of *@order, @max at most. Returns how many. */
u32 eg_range_next(struct eg_range *range, u64 *gpas, u32 max, u32 *order)
{
	u64 at = range->done;
	u32 n = 0;

	if (at >= range->small_until)
		range->order = range->largest;
	*order = order_at(range, at);
	do {
		gpas[n++] = gpa_of(range, at);
		at += 1ULL << *order;
	} while (n < max && n != range->fewer && at < range->count &&
		 (at < range->small_until || range->order == range->largest) &&
		 order_at(range, at) == *order);
	range->fewer = 0;
	return n;
}

/*
 * The host has refused a request. True: it takes smaller pages, or fewer. What it names is a page
 * that is not large on the host, or the place in the object, which stays as it is.
 */
bool eg_range_shrink(struct eg_range *range, const u64 *gpas, u32 count, u32 order,
		     const struct elisa_status *status)
{
	u32 i;

	if (status->why != ELISA_WHY_ORDER || !order)
		return false;
	for (i = 0; i < count && gpas[i] != status->value; i++)
		;
	range->fewer = i < count ? i : 0;
	if (range->fewer)
		return true;
	range->order = order - ELISA_ORDER_2M;
	range->small_until = i < count ? range->done + (1ULL << order) : range->count;
	return true;
}

/* As many pages of a range as are pinned at once: up to where a page of 1 GiB may begin. */
u32 eg_chunk(u64 address, u64 length)
{
	u64 whole = PAGE_SIZE << ELISA_ORDER_1G;

	return min_t(u64, length, whole - (address & (whole - 1))) >> PAGE_SHIFT;
}
