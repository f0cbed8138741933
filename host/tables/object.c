// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EPT tables of an export's object. The sub contexts of all its attachments point to them. Each
 * GiB has a page directory with page tables below it, or is one leaf. Leaves have 4 KiB, 2 MiB or
 * 1 GiB. They name pages of the manager and of donors, which stay pinned as long.
 *
 * Changes. All tables change under export->lock. A spinlock's holder allocates no memory, so a
 * request makes pages ready before it takes the lock (struct eh_ready). Another request may free a
 * table meanwhile, and then the pages are too few. The request lets the lock go and begins again.
 *
 * The entry of a GiB. Each context has this entry in a table of its own. A request changes it in
 * export->gib, and control/show.c copies it to the contexts later.
 *
 * Splits. A large leaf is split before a part of it is unmapped. The new table maps the same memory
 * as the leaf did. So a CPU may use the old translation or the new one, and no flush is needed. The
 * parts are marked (EPT_PART). So a small page that is mapped in a hole between them is not taken
 * for a part of the large page.
 *
 * Empty tables. A CPU may still walk a table when its last entry is gone. So the table is shut
 * first: the entry that leads to it loses its rights, and keeps its address. After a flush no CPU
 * remembers the table, and it is freed. If a request maps something there before, it opens the
 * table again.
 */
#include <linux/mm.h>
#include <linux/string.h>

#include "base/base.h"
#include "tables/ept.h"
#include "tables/page.h"
#include "tables/tables.h"

#define OF_PT 0x200000ULL /* bytes that one page table maps */

/* Returns the table that an entry leads to, shut or not, or NULL for an entry of zero. */
static u64 *table_of(u64 entry)
{
	return entry ? __va(entry & EPT_ADDRESS) : NULL;
}

/*
 * Finds the entry that maps @offset, and its level. Without a leaf there, it is the first entry on
 * the way down that leads nowhere. A shut table counts as a table. Under export->lock.
 */
static u64 *entry_of(struct eh_export *export, u64 offset, int *level)
{
	u64 *entry = &export->gib[offset / GIB];

	for (*level = 3; *level > 1 && *entry && !(*entry & EPT_LARGE); --*level)
		entry = &table_of(*entry)[level_index(offset, *level - 1)];
	return entry;
}

/* Finds the entry of this level for @offset. The tables above it exist. Under export->lock. */
static u64 *entry_at(struct eh_export *export, u64 offset, int level)
{
	u64 *entry = &export->gib[offset / GIB];
	int at;

	for (at = 3; at > level; at--)
		entry = &table_of(*entry)[level_index(offset, at - 1)];
	return entry;
}

/*
 * Writes an entry. A GiB's entry is only the original of the contexts' entries, so it is noted for
 * control/show.c, which copies it to them. Under export->lock.
 */
static void write_entry(struct eh_export *export, u64 *entry, u64 value)
{
	WRITE_ONCE(*entry, value);
	if (entry >= export->gib && entry < export->gib + EH_OBJECT_GIB) {
		export->unshown |= BIT_ULL(entry - export->gib);
		export->changes++;
	}
}

/*
 * Tells whether the entry leads to a table that may be changed. A table of the sink may not be
 * changed: all places of the export share it.
 */
static bool has_table(struct eh_export *export, u64 entry)
{
	u64 *table = table_of(entry);

	return entry && !(entry & EPT_LARGE) && table != export->sink[1] &&
	       table != export->sink[2];
}

/*
 * Puts a table under an entry that has none. The table maps the same memory as the entry did, in
 * smaller pages. A table that is shut and not freed yet is opened again. Returns false if no page
 * is ready. Under export->lock.
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

/* Returns the first byte behind the entry of this level that maps @offset. */
static u64 end_of(u64 offset, int level)
{
	return (offset | (level_size(level) - 1)) + 1;
}

/*
 * Counts the pages that the tables of a range lack. The range may reach beyond the object's end.
 * Under export->lock.
 */
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

/* Makes @count pages ready, or none and returns false. It may sleep. */
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
 * Makes pages ready for the tables that the run lacks at @offset now. The offset may be a guess,
 * since another request may change it before the caller has export->lock. Returns false without
 * memory. Takes export->lock, and may sleep.
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

/* Makes as many pages ready as two splits may need. Returns false without memory. It may sleep. */
bool eh_ready_split(struct eh_ready *ready)
{
	return ready_pages(ready, EH_READY_PAGES);
}

/* Frees the pages that were not used. */
void eh_ready_free(struct eh_ready *ready)
{
	while (ready->count)
		page_free(ready->page[--ready->count]);
}

/*
 * Puts the tables of a run in place. Returns false, and has changed nothing, if too few pages are
 * ready: another request may have freed a table meanwhile. Under export->lock.
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
 * Tells whether large pages can be mapped where the run is. A GiB keeps its page directory, and
 * 2 MiB of a place keep their page table, even when they map no page. A large leaf cannot replace
 * such a table. *@offset is then where it is. Under export->lock.
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

/* Maps a run for all attachments at once. Its tables are in place. Under export->lock. */
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

/*
 * Puts the sink in the place of a donated run. Calls that still use the place reach a page of the
 * host's, and do not fault. Under export->lock.
 */
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

/*
 * Makes a sink: a page, a table that leads to this page only, and a directory that leads to this
 * table only. Returns false without memory. The caller frees it with eh_sink_free() in either case.
 */
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

/* Frees a sink, also a half-made one. No CPU may walk it any more. */
void eh_sink_free(u64 *sink[EH_SINK_PAGES])
{
	int i;

	for (i = 0; i < EH_SINK_PAGES; i++)
		page_free(sink[i]);
}

/* Returns the EPT leaf that maps @offset, or 0. Under export->lock. */
u64 eh_export_table_get(struct eh_export *export, u64 offset)
{
	int level;

	return *entry_of(export, offset, &level);
}

/* Tells whether anything is mapped in the range. Under export->lock. */
bool eh_export_tables_map(struct eh_export *export, u64 offset, u64 length)
{
	u64 at;
	int level;

	for (at = offset; at < offset + length; at = end_of(at, level))
		if (*entry_of(export, at, &level))
			return true;
	return false;
}

/* Tells whether the object has an executable page at @offset. Under export->lock. */
bool eh_export_is_code(struct eh_export *export, u64 offset)
{
	return offset < ELISA_OBJECT_SIZE && eh_export_table_get(export, offset) & EPT_EXEC;
}

/* Tells whether the entry maps a page of the run's order, or a part of such a page. */
static bool is_of(const struct eh_run *run, u64 entry, int level)
{
	return entry && ept_mapped_level(entry, level) == level_of(run->order);
}

/* Returns the index of the run's page at @offset. */
static u32 index_in(const struct eh_run *run, u64 offset)
{
	return (offset - run->offset) / eh_run_step(run);
}

/*
 * Splits a large page of the run that reaches across @offset, until a page begins at @offset. The
 * parts map the same memory. It takes two tables at most. A page of another run at @offset stays
 * whole: donations are unmapped as a whole only. Returns false if too few pages are ready for the
 * tables. Under export->lock.
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
 * Unmaps the run's pages from *@at on, and moves *@at forward. It stops at @end, or at the next
 * 2 MiB, or behind a larger page. A table that is empty then is shut: its entry keeps the address
 * and has no rights, so no CPU follows it (SDM 29.3.2). The caller must flush before it lets a page
 * go. Returns how many pages of 4 KiB were unmapped. Under export->lock.
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

/*
 * Frees the table for @offset if it still is shut. The caller has flushed since it was shut, so no
 * CPU remembers it. Under export->lock.
 */
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
 * Tells whether the run still maps a page from *@at on. It looks at 2 MiB or one larger page at
 * most, because the caller holds a spinlock. *@at moves to where the next look begins, up to @end.
 * Under export->lock.
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

/* Frees a page directory and its tables. No CPU walks them any more, and no request finds them. */
static void directory_free(struct eh_export *export, u64 *pd)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		if (has_table(export, pd[i]))
			page_free(table_of(pd[i]));
	page_free(pd);
}

/*
 * Frees all tables of an object. No context shows them any more, and no CPU has translations from
 * them. A request may still look for a table, so each GiB's entry is cleared under export->lock
 * first. Takes export->lock.
 */
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
