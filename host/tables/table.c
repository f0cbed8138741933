// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds the EPT of gate-in, gate-out and sub, and the APT they share. Every page here belongs to
 * one slot, export, attachment or context. A page is freed only after no CPU can walk it any more
 * (control/flush.c says why none can).
 *
 *   slot         gate code and the APT of the window: the same for all VMs, for the module's life
 *   export       page directories and tables of the object: all its attachments' sub point to them
 *   attachment   tables of its stub, of the root page (the process's CR3), of the exchange buffer
 *   context      of one vCPU: three roots, data page, stack, a page that names the caller, tables
 *
 * A table points to its own line and to lines above it. The slots' pages name no page of a VM. The
 * export's name pages that its manager and donors gave, which are pinned as long. So the end of an
 * attachment takes no table away that another attachment uses.
 *
 * What belongs to an attachment or context is built before any other thread knows it, without
 * a lock. The object's tables change under export->lock.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <gate/gate_page.h>
#include "base/base.h"
#include "kvm/vmx.h"
#include "tables/ept.h"
#include "tables/tables.h"

/*
 * Per slot and number of levels, the same for every VM: built at first use, never changed, freed at
 * unload.
 */
struct slot_pages {
	u64 *apt[EH_APT_PAGES];
	u8 *code[2];	    /* gate-in, gate-out */
	u64 *pd[2], *pt[2]; /* EPT of `apt` and `code` */
};

static struct slot_pages *slots[2][ELISA_SLOTS]; /* written once, see eh_slot_prepare() */
static u64 gpa_base;

static void *page_new(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static void page_free(void *page)
{
	free_page((unsigned long)page);
}

void eh_tables_init(void)
{
	/* EPTs of 4 levels translate 48 bits */
	gpa_base = eh_gpa_base(min_t(u32, boot_cpu_data.x86_phys_bits, 48));
}

u64 eh_root_limit(void)
{
	return gpa_base;
}

static struct slot_pages **slot_of(u32 slot, u32 levels)
{
	return &slots[levels == 5][slot];
}

static void slot_free(struct slot_pages *slot)
{
	int i;

	for (i = 0; i < EH_APT_PAGES; i++)
		page_free(slot->apt[i]);
	for (i = 0; i < 2; i++) {
		page_free(slot->code[i]);
		page_free(slot->pd[i]);
		page_free(slot->pt[i]);
	}
	kfree(slot);
}

void eh_tables_exit(void)
{
	int i;

	for (i = 0; i < ELISA_SLOTS; i++) {
		if (slots[0][i])
			slot_free(slots[0][i]);
		if (slots[1][i])
			slot_free(slots[1][i]);
	}
}

/* The leaves of a context's first GiB: the inner APT pages, and its code page. */
static void const_leaves(u64 *pt, u64 *const apt[], void *code, u64 code_rights)
{
	int i;

	for (i = EH_APT_PDPT; i < EH_APT_PAGES && apt[i]; i++)
		pt[level_index(EH_GPA_APT, 1) + i] = ept_leaf(__pa(apt[i]), EPT_READ);
	pt[level_index(EH_GPA_CODE, 1)] = ept_leaf(__pa(code), code_rights);
}

/*
 * Makes @slot's constant pages. Two threads may make the same at once: the second one's are freed.
 */
int eh_slot_prepare(u32 slot, u32 levels)
{
	struct slot_pages *s;
	bool ok = true;
	int i;

	if (READ_ONCE(*slot_of(slot, levels)))
		return 0;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	/* shared by all VMs: not charged to the one that comes first */
	for (i = 0; i < eh_apt_pages(levels); i++)
		ok &= !!(s->apt[i] = (u64 *)get_zeroed_page(GFP_KERNEL));
	for (i = 0; i < 2; i++) {
		ok &= !!(s->code[i] = (u8 *)get_zeroed_page(GFP_KERNEL));
		ok &= !!(s->pd[i] = (u64 *)get_zeroed_page(GFP_KERNEL));
		ok &= !!(s->pt[i] = (u64 *)get_zeroed_page(GFP_KERNEL));
	}
	if (!ok) {
		slot_free(s);
		return -ENOMEM;
	}
	apt_fill(s->apt, levels, slot, gpa_base);
	elisa_gate_in_build(s->code[0], slot);
	elisa_gate_out_build(s->code[1], slot);
	for (i = 0; i < 2; i++) {
		const_leaves(s->pt[i], s->apt, s->code[i], EPT_EXEC);
		s->pd[i][0] = ept_table(__pa(s->pt[i]));
	}
	if (cmpxchg(slot_of(slot, levels), NULL, s))
		slot_free(s);
	return 0;
}

#define OF_PT 0x200000ULL /* bytes that one page table maps */

static u64 *table_of(u64 entry)
{
	return entry ? __va(entry & EPT_ADDRESS) : NULL;
}

/* ---- the object's tables: all under export->lock */

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
	for (at = run->offset & ~(OF_PT - 1); at < end; at += OF_PT)
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

/*
 * No large page reaches over @offset any more: it is split in smaller ones, which map the same. Two
 * tables at most. False: no pages are ready for them.
 */
bool eh_export_split(struct eh_export *export, u64 offset, struct eh_ready *ready)
{
	u64 *entry;
	int level;

	lockdep_assert_held(&export->lock);
	while (offset % GIB) {
		entry = entry_of(export, offset, &level);
		if (!(*entry & EPT_LARGE) || !(offset % level_size(level)))
			break;
		if (!make_table(export, entry, level, ready))
			return false;
	}
	return true;
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

static bool root_has_own_pml4_entry(u64 root)
{
	return level_index(root, 4) != level_index(gpa_base, 4);
}

/*
 * The attachment's tables that its vCPUs share: the root's answer, the sub stub and the
 * exchange buffer. On error the caller frees what was built.
 */
int eh_attachment_build(struct eh_attachment *a, u64 entry)
{
	struct slot_pages *s = *slot_of(a->slot, a->levels);
	u32 i;

	a->root_pd = page_new();
	a->root_pt = page_new();
	a->sub_pd = page_new();
	a->sub_pt = page_new();
	a->sub_stub = page_new();
	if (!a->root_pd || !a->root_pt || !a->sub_pd || !a->sub_pt || !a->sub_stub)
		return -ENOMEM;
	a->root_pt[level_index(a->root, 1)] = ept_leaf(__pa(s->apt[EH_APT_ROOT]), EPT_READ);
	a->root_pd[level_index(a->root, 2)] = ept_table(__pa(a->root_pt));
	if (root_has_own_pml4_entry(a->root)) {
		a->root_pdpt = page_new();
		if (!a->root_pdpt)
			return -ENOMEM;
		a->root_pdpt[level_index(a->root, 3)] = ept_table(__pa(a->root_pd));
	}
	elisa_sub_stub_build(a->sub_stub, a->slot, a->mode, a->export_flags, entry);
	const_leaves(a->sub_pt, s->apt, a->sub_stub, EPT_READ | EPT_EXEC);
	a->sub_pd[0] = ept_table(__pa(a->sub_pt));
	if (a->exchange_pages) {
		a->exchange_pd = page_new();
		a->exchange_pt = page_new();
		if (!a->exchange_pd || !a->exchange_pt)
			return -ENOMEM;
		for (i = 0; i < a->exchange_pages; i++)
			a->exchange_pt[level_index(EH_GPA_EXCHANGE_LEAF, 1) + i] =
				ept_leaf(page_to_phys(a->exchange->pages[i]), EPT_READ | EPT_WRITE);
		a->exchange_pd[level_index(EH_GPA_EXCHANGE_LEAF, 2)] =
			ept_table(__pa(a->exchange_pt));
	}
	return 0;
}

void eh_attachment_tables_free(struct eh_attachment *a)
{
	page_free(a->root_pdpt);
	page_free(a->root_pd);
	page_free(a->root_pt);
	page_free(a->sub_pd);
	page_free(a->sub_pt);
	page_free(a->sub_stub);
	page_free(a->exchange_pd);
	page_free(a->exchange_pt);
}

/* Shows what the export's GiB @gib is now to a sub context. Under export->lock. */
void eh_context_link_object(struct eh_context *c, struct eh_export *export, u32 gib)
{
	unsigned int first = level_index(gpa_base, 3) + EH_GPA_OBJECT / GIB;

	WRITE_ONCE(c->pdpt[EH_IN_SUB][first + gib], export->gib[gib]);
}

/* The sub context shows nothing any more. No CPU runs it. One store: a VM may have many of them. */
void eh_context_hide_object(struct eh_context *c)
{
	WRITE_ONCE(c->pml4[EH_IN_SUB][level_index(gpa_base, 4)], 0);
}

static void context_private(struct eh_context *c)
{
	bool trusted = c->attachment->mode == ELISA_MODE_TRUSTED;
	int i;

	c->gate_pt[level_index(EH_GPA_LIST, 1)] = ept_leaf(__pa(c->list), EPT_READ | EPT_WRITE);
	c->gate_pt[level_index(EH_GPA_DATA, 1)] = ept_leaf(__pa(c->data), EPT_READ | EPT_WRITE);
	c->gate_pd[level_index(EH_GPA_LIST, 2)] = ept_table(__pa(c->gate_pt));
	for (i = 0; i < ELISA_STACK_PAGES; i++)
		c->sub_pt[level_index(EH_GPA_STACK, 1) + i] =
			ept_leaf(__pa(c->stack[i]), EPT_READ | EPT_WRITE);
	/* the administrator's choice, see docs/security.md: sub may write the list page */
	if (trusted)
		c->sub_pt[level_index(EH_GPA_LIST, 1)] =
			ept_leaf(__pa(c->list), EPT_READ | EPT_WRITE);
	c->sub_pd[level_index(EH_GPA_STACK, 2)] = ept_table(__pa(c->sub_pt));
	c->sub_pt[level_index(EH_GPA_SELF, 1)] = ept_leaf(__pa(c->self), EPT_READ);
	c->self->attachment = c->attachment->number;
	c->self->place = c->attachment->place;
	c->self->vcpu = c->vcpu->kvm_vcpu->vcpu_idx;
	if (c->attachment->exchange_pages)
		c->self->exchange = ELISA_WINDOW_BASE + c->attachment->slot * ELISA_SLOT_SIZE +
				    ELISA_EXCHANGE_OFFSET;
	c->self->exchange_size = (u64)c->attachment->exchange_pages * PAGE_SIZE;
}

/* One root: the process's page-table root, and the GiBs of this context. */
static void context_root(struct eh_context *c, enum eh_where where, bool by_mode)
{
	struct eh_attachment *a = c->attachment;
	struct slot_pages *s = *slot_of(a->slot, a->levels);
	u64 *pml4 = c->pml4[where], *pdpt = c->pdpt[where];
	unsigned int gib = level_index(gpa_base, 3);

	pml4[level_index(gpa_base, 4)] = ept_root_entry(__pa(pdpt), by_mode);
	if (a->root_pdpt)
		pml4[level_index(a->root, 4)] = ept_root_entry(__pa(a->root_pdpt), by_mode);
	else
		pdpt[level_index(a->root, 3)] = ept_table(__pa(a->root_pd));
	if (where == EH_IN_SUB) {
		pdpt[gib] = ept_table(__pa(a->sub_pd));
		pdpt[gib + EH_GPA_PRIVATE / GIB] = ept_table(__pa(c->sub_pd));
		if (a->exchange_pd)
			pdpt[gib + EH_GPA_EXCHANGE / GIB] = ept_table(__pa(a->exchange_pd));
	} else {
		pdpt[gib] = ept_table(__pa(s->pd[where == EH_IN_GATE_OUT]));
		pdpt[gib + EH_GPA_PRIVATE / GIB] = ept_table(__pa(c->gate_pd));
	}
	c->eptp[where] = __pa(pml4) | ELISA_EPTP_ARMED;
}

/*
 * All of an attachment on one vCPU but the object and how much is donated, which change: the
 * caller adds them under their locks. On error it frees the context. In the vCPU's hypercall, so
 * that its VMCS is the current one.
 */
int eh_context_build(struct eh_context *c)
{
	/* a parameter of kvm_intel: it stays as it is while the vCPU lives */
	bool by_mode = vmcs_get(SECONDARY_VM_EXEC_CONTROL) & SECONDARY_EXEC_MODE_BASED_EPT_EXEC;
	bool ok = true;
	int i;

	for (i = 0; i < EH_ROOTS; i++) {
		ok &= !!(c->pml4[i] = page_new());
		ok &= !!(c->pdpt[i] = page_new());
	}
	ok &= !!(c->gate_pd = page_new());
	ok &= !!(c->gate_pt = page_new());
	ok &= !!(c->sub_pd = page_new());
	ok &= !!(c->sub_pt = page_new());
	ok &= !!(c->self = page_new());
	ok &= !!(c->data = page_new());
	for (i = 0; i < ELISA_STACK_PAGES; i++)
		ok &= !!(c->stack[i] = page_new());
	if (!ok)
		return -ENOMEM;
	context_private(c);
	for (i = 0; i < EH_ROOTS; i++)
		context_root(c, i, by_mode);
	return 0;
}

/* Pages of host memory per attachment and vCPU, without the vCPU's one list page. */
u32 eh_context_pages(void)
{
	return 2 * EH_ROOTS + 4 + 2 + ELISA_STACK_PAGES;
}

/* What the sub stub has counted, or the manager's code has left in its place. 0: not counted. */
u64 eh_context_calls(const struct eh_context *c)
{
	const u32 last = (ELISA_STACK_PAGES - 1) * PAGE_SIZE;

	if (!(c->attachment->export_flags & ELISA_EXPORT_COUNTED))
		return 0;
	return READ_ONCE(*(u64 *)(c->stack[ELISA_STACK_PAGES - 1] + ELISA_CALLS_OFFSET -
				  ELISA_STACK_OFFSET - last));
}

void eh_context_free(struct eh_context *c)
{
	int i;

	for (i = 0; i < EH_ROOTS; i++) {
		page_free(c->pml4[i]);
		page_free(c->pdpt[i]);
	}
	page_free(c->gate_pd);
	page_free(c->gate_pt);
	page_free(c->sub_pd);
	page_free(c->sub_pt);
	page_free(c->self);
	page_free(c->data);
	for (i = 0; i < ELISA_STACK_PAGES; i++)
		page_free(c->stack[i]);
	kfree(c);
}
