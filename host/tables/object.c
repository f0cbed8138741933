// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EPT tables of an export's object, which the sub contexts of all its attachments point to: a
 * page directory for each GiB, page tables below it, and leaves of 4 KiB, 2 MiB or 1 GiB. They name
 * pages that the manager and donors gave, which are pinned as long.
 *
 * All of it changes under export->lock. No memory is allocated under it: a request makes pages
 * ready first (struct eh_ready), and tries once more if they are not enough. The entry of a GiB is
 * in each context's own table. It changes in export->gib first, and control/show.c shows it to the
 * contexts later.
 *
 * A large leaf is split when a part of it goes. The entries that take its place map the same, so no
 * CPU has to forget anything for that. They are marked as parts, so that a page that is mapped in a
 * hole between them is not taken for one. An empty table is shut, and freed after a flush.
 */
#include <linux/mm.h>
#include <linux/string.h>

#include "base/base.h"
#include "tables/ept.h"
#include "tables/page.h"
#include "tables/tables.h"

#define OF_PT 0x200000ULL /* bytes that one page table maps */

static u64 *table_of(u64 entry)
{
	return entry ? __va(entry & EPT_ADDRESS) : NULL;
}

/*
 * The entry that maps @offset, or that would: the leaf, or the first one on the way down that leads
 * nowhere. A table that is shut is a table.
 */
static u64 *entry_of(struct eh_export *export, u64 offset, int *level)
{
	u64 *entry = &export->gib[offset / GIB];

	for (*level = 3; *level > 1 && *entry && !(*entry & EPT_LARGE); --*level)
		entry = &table_of(*entry)[level_index(offset, *level - 1)];
	return entry;
}

/* The entry of this level for @offset; the tables above it are in place. */
static u64 *entry_at(struct eh_export *export, u64 offset, int level)
{
	u64 *entry = &export->gib[offset / GIB];
	int at;

	for (at = 3; at > level; at--)
		entry = &table_of(*entry)[level_index(offset, at - 1)];
	return entry;
}

/* No table below leads to this entry: it is each context's own, and is shown to them later. */
static void write_entry(struct eh_export *export, u64 *entry, u64 value)
{
	WRITE_ONCE(*entry, value);
	if (entry >= export->gib && entry < export->gib + EH_OBJECT_GIB) {
		export->unshown |= BIT_ULL(entry - export->gib);
		export->changes++;
	}
}

/* Does the entry lead to a table that is this export's alone to change? Not the sink's. */
static bool has_table(struct eh_export *export, u64 entry)
{
	u64 *table = table_of(entry);

	return entry && !(entry & EPT_LARGE) && table != export->sink[1] &&
	       table != export->sink[2];
}

/*
 * Puts a table under an entry, if it has none. It maps what the entry has mapped, in smaller pages.
 * A table that was shut and is not freed yet is opened again. False: no page is ready for it.
 */
static bool make_table(struct eh_export *export, u64 *entry, int level, struct eh_ready *ready)
{
	unsigned int i;
	u64 *table;

	if (has_table(export, *entry)) {
		if (!(*entry & EPT_TABLE))
			WRITE_ONCE(*entry, *entry | EPT_TABLE);
		return true;
	}
	if (!ready->count)
		return false;
	table = ready->page[--ready->count];
	if (*entry & EPT_LARGE)
		for (i = 0; i < 512; i++)
			table[i] = ept_part(*entry, level, i);
	else if (*entry)
		memcpy(table, table_of(*entry), PAGE_SIZE);
	write_entry(export, entry, ept_table(__pa(table)));
	export->tables++;
	return true;
}

/* Of what is mapped at @offset: the first byte behind it. */
static u64 end_of(u64 offset, int level)
{
	return (offset | (level_size(level) - 1)) + 1;
}

/* How many pages the tables of a range lack; it may reach beyond the object's end. */
static u32 tables_lacking(struct eh_export *export, u64 offset, u64 length, u32 order)
{
	u64 at, gib = EH_OBJECT_GIB, end = min_t(u64, offset + length, ELISA_OBJECT_SIZE);
	bool has_pd;
	u32 count = 0;

	if (order == ELISA_ORDER_1G)
		return 0;
	for (at = offset & ~(OF_PT - 1); at < end; at += OF_PT) {
		has_pd = has_table(export, export->gib[at / GIB]);
		if (!has_pd && gib != at / GIB) {
			gib = at / GIB;
			count++;
		}
		if (order == ELISA_ORDER_4K)
			count += !has_pd || !has_table(export, *entry_at(export, at, 2));
	}
	return count;
}

static bool ready_pages(struct eh_ready *ready, u32 count)
{
	BUILD_BUG_ON(ELISA_HC_MAP_PAGES > 512 || ELISA_HC_DONATE_PAGES > 512);
	for (ready->count = 0; ready->count < count; ready->count++) {
		ready->page[ready->count] = page_new();
		if (!ready->page[ready->count]) {
			eh_ready_free(ready);
			return false;
		}
	}
	return true;
}

/*
 * Makes ready what the tables of a range lack now. The range is a guess, for the caller has no
 * spinlock. False: no memory.
 */
bool eh_ready_tables(struct eh_export *export, u64 offset, const struct eh_run *run,
		     struct eh_ready *ready)
{
	u32 count;

	spin_lock(&export->lock);
	count = tables_lacking(export, offset, eh_run_length(run), run->order);
	spin_unlock(&export->lock);
	return ready_pages(ready, count);
}

/* As many as eh_export_split() may need. False: no memory. */
bool eh_ready_split(struct eh_ready *ready)
{
	return ready_pages(ready, EH_READY_PAGES);
}

/* Those that were not used. */
void eh_ready_free(struct eh_ready *ready)
{
	while (ready->count)
		page_free(ready->page[--ready->count]);
}

/*
 * Puts the tables of a run in place. False: fewer pages are ready than it takes, for another
 * request has freed a table meanwhile.
 */
bool eh_export_tables_make(struct eh_export *export, const struct eh_run *run,
			   struct eh_ready *ready)
{
	u64 at, end = run->offset + eh_run_length(run);
	int level, last = level_of(run->order);

	lockdep_assert_held(&export->lock);
	if (tables_lacking(export, run->offset, eh_run_length(run), run->order) > ready->count)
		return false;
	for (at = run->offset & ~(OF_PT - 1); at < end; at += max(OF_PT, eh_run_step(run)))
		for (level = 3; level > last; level--)
			make_table(export, entry_at(export, at, level), level, ready);
	return true;
}

/*
 * Are the entries for a run's pages free of tables? Of a GiB the page directory stays, of 2 MiB a
 * table that a place has had; a large page does not take their place.
 */
bool eh_export_takes(struct eh_export *export, const struct eh_run *run, u64 *offset)
{
	int level, last = level_of(run->order);
	u64 end = run->offset + eh_run_length(run);

	lockdep_assert_held(&export->lock);
	for (*offset = run->offset; *offset < end; *offset += eh_run_step(run)) {
		u64 *entry = &export->gib[*offset / GIB];

		for (level = 3; level > last && has_table(export, *entry); level--)
			entry = &table_of(*entry)[level_index(*offset, level - 1)];
		if (level == last && last > 1 && has_table(export, *entry))
			return false;
	}
	return true;
}

/* Maps a run for all attachments at once. Its tables are in place. */
void eh_export_tables_set(struct eh_export *export, const struct eh_run *run)
{
	u64 large = run->order ? EPT_LARGE : 0;
	u32 i;

	lockdep_assert_held(&export->lock);
	for (i = 0; i < run->count; i++)
		write_entry(export,
			    entry_at(export, run->offset + i * eh_run_step(run),
				     level_of(run->order)),
			    ept_leaf(page_to_phys(run->pages[i]), ept_rights(run->prot)) | large);
}

/* The sink is where a donated run was. */
void eh_export_tables_sink(struct eh_export *export, const struct eh_run *run)
{
	int level = level_of(run->order);
	u64 entry = __pa(export->sink[level - 1]);
	u32 i;

	lockdep_assert_held(&export->lock);
	entry = level == 1 ? ept_leaf(entry, EPT_READ | EPT_WRITE) : ept_table(entry);
	for (i = 0; i < run->count; i++)
		write_entry(export, entry_at(export, run->offset + i * eh_run_step(run), level),
			    entry);
}

/* A page, a table of nothing but it, and a directory of nothing but that. False: no memory. */
bool eh_sink_make(u64 *sink[EH_SINK_PAGES])
{
	bool ok = true;
	int i;

	for (i = 0; i < EH_SINK_PAGES; i++)
		ok &= !!(sink[i] = page_new());
	for (i = 0; ok && i < 512; i++) {
		sink[1][i] = ept_leaf(__pa(sink[0]), EPT_READ | EPT_WRITE);
		sink[2][i] = ept_table(__pa(sink[1]));
	}
	return ok;
}

void eh_sink_free(u64 *sink[EH_SINK_PAGES])
{
	int i;

	for (i = 0; i < EH_SINK_PAGES; i++)
		page_free(sink[i]);
}

/* The EPT leaf of one page of the object, 0 if there is none. */
u64 eh_export_table_get(struct eh_export *export, u64 offset)
{
	int level;

	return *entry_of(export, offset, &level);
}

/* Is something mapped in the range? */
bool eh_export_tables_map(struct eh_export *export, u64 offset, u64 length)
{
	u64 at;
	int level;

	for (at = offset; at < offset + length; at = end_of(at, level))
		if (*entry_of(export, at, &level))
			return true;
	return false;
}

/* May an instruction of the object be at @offset? */
bool eh_export_is_code(struct eh_export *export, u64 offset)
{
	return offset < ELISA_OBJECT_SIZE && eh_export_table_get(export, offset) & EPT_EXEC;
}

/* Is it the leaf of a page of the run's size, or of a part of one? */
static bool is_of(const struct eh_run *run, u64 entry, int level)
{
	return entry && ept_mapped_level(entry, level) == level_of(run->order);
}

/* Which page of the run's is there? */
static u32 index_in(const struct eh_run *run, u64 offset)
{
	return (offset - run->offset) / eh_run_step(run);
}

/*
 * No large page of the run's reaches over @offset any more: it is split in smaller ones, which map
 * the same. Two tables at most. Another run's page that is there stays as it is: a donation's goes
 * as one. False: no pages are ready for the tables.
 */
bool eh_export_split(struct eh_export *export, const struct eh_run *run, u64 offset,
		     struct eh_ready *ready)
{
	u64 *entry;
	int level;

	lockdep_assert_held(&export->lock);
	if (offset >= run->offset + eh_run_length(run) || !run->pages[index_in(run, offset)])
		return true;
	while (offset % GIB) {
		entry = entry_of(export, offset, &level);
		if (!(*entry & EPT_LARGE) || !(offset % level_size(level)) ||
		    !is_of(run, *entry, level))
			break;
		if (!make_table(export, entry, level, ready))
			return false;
	}
	return true;
}

/*
 * Unmaps what a run maps from *@at on, to @end or to where the next 2 MiB begin, or the next page
 * if it is larger. A table that is empty then is shut: its entry has the address without rights,
 * which no CPU follows (SDM 29.3.2). The caller flushes before it lets a page go. Returns how many
 * pages of 4 KiB it was.
 */
u64 eh_export_tables_clear(struct eh_export *export, const struct eh_run *run, u64 *at, u64 end)
{
	u64 *entry, pages = 0, from = *at;
	int level;

	lockdep_assert_held(&export->lock);
	do {
		entry = entry_of(export, *at, &level);
		if (run->pages[index_in(run, *at)] && is_of(run, *entry, level)) {
			write_entry(export, entry, 0);
			pages += level_size(level) / PAGE_SIZE;
		}
		*at = end_of(*at, level);
	} while (*at < end && *at % OF_PT);
	if (has_table(export, export->gib[from / GIB])) {
		entry = entry_at(export, from, 2);
		if (has_table(export, *entry) && !memchr_inv(table_of(*entry), 0, PAGE_SIZE))
			WRITE_ONCE(*entry, *entry & EPT_ADDRESS);
	}
	return pages;
}

/* After a flush no CPU remembers a table that was shut. Unless it was opened again, it is freed. */
void eh_export_table_free_shut(struct eh_export *export, u64 offset)
{
	u64 *entry;

	lockdep_assert_held(&export->lock);
	if (!has_table(export, export->gib[offset / GIB]))
		return;
	entry = entry_at(export, offset, 2);
	if (!has_table(export, *entry) || *entry & EPT_TABLE)
		return;
	page_free(table_of(*entry));
	WRITE_ONCE(*entry, 0);
	export->tables--;
}

/*
 * Does the run still map something from *@at on, before @end? *@at: where the next look begins,
 * after 2 MiB at most, for a lock is held.
 */
bool eh_export_tables_have(struct eh_export *export, const struct eh_run *run, u64 *at, u64 end)
{
	u64 entry;
	int level;

	lockdep_assert_held(&export->lock);
	do {
		entry = *entry_of(export, *at, &level);
		if (is_of(run, entry, level))
			return true;
		*at = end_of(*at, level);
	} while (*at < end && *at % OF_PT);
	return false;
}

static void directory_free(struct eh_export *export, u64 *pd)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		if (has_table(export, pd[i]))
			page_free(table_of(pd[i]));
	page_free(pd);
}

/* No context shows them any more. A request may still look for them: it finds none. */
void eh_export_table_free(struct eh_export *export)
{
	unsigned int gib;
	u64 entry;

	for (gib = 0; gib < EH_OBJECT_GIB; gib++) {
		spin_lock(&export->lock);
		entry = export->gib[gib];
		export->gib[gib] = 0;
		spin_unlock(&export->lock);
		if (has_table(export, entry))
			directory_free(export, table_of(entry));
	}
}
