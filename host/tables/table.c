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

static u64 *entry_of(struct eh_export *export, u64 offset)
{
	u64 *pd = export->pd[offset / GIB];

	return pd ? &pd[level_index(offset, 2)] : NULL;
}

/* The EPT page table that maps @offset of the object area, or NULL. */
static u64 *object_pt(struct eh_export *export, u64 offset)
{
	u64 *entry = entry_of(export, offset);

	return entry ? table_of(*entry) : NULL;
}

/* The invalidation path's other half: attachments that exist see the new directory. */
static void link_object(struct eh_export *export, u32 gib)
{
	struct eh_attachment *a;
	struct eh_context *c;

	list_for_each_entry(a, &export->attachments, node) {
		spin_lock(&a->vm->lock);
		if (!a->shut)
			list_for_each_entry(c, &a->contexts, node)
				eh_context_link_object(c, export, gib);
		spin_unlock(&a->vm->lock);
	}
}

/* How many pages the tables of a range lack; it may reach beyond the object's end. */
static u32 tables_lacking(struct eh_export *export, u64 offset, u64 length)
{
	u64 at, gib = EH_OBJECT_GIB, end = min_t(u64, offset + length, ELISA_OBJECT_SIZE);
	u32 count = 0;

	for (at = offset & ~(OF_PT - 1); at < end; at += OF_PT) {
		if (!export->pd[at / GIB] && gib != at / GIB) {
			gib = at / GIB;
			count++;
		}
		count += !object_pt(export, at);
	}
	return count;
}

/*
 * Makes ready what the tables of a range lack now. The range is a guess, for the caller has no
 * spinlock. False: no memory.
 */
bool eh_ready_tables(struct eh_export *export, u64 offset, u64 length, struct eh_ready *ready)
{
	u32 count;

	BUILD_BUG_ON(ELISA_HC_MAP_PAGES > 512 || ELISA_HC_DONATE_PAGES > 512);
	spin_lock(&export->lock);
	count = tables_lacking(export, offset, length);
	spin_unlock(&export->lock);
	for (ready->count = 0; ready->count < count; ready->count++) {
		ready->page[ready->count] = page_new();
		if (!ready->page[ready->count]) {
			eh_ready_free(ready);
			return false;
		}
	}
	return true;
}

/* Those that were not used. */
void eh_ready_free(struct eh_ready *ready)
{
	while (ready->count)
		page_free(ready->page[--ready->count]);
}

/*
 * Puts the tables of a range in place. False: fewer pages are ready than it takes, for another
 * request has freed a table meanwhile. A table that was shut and is not freed yet is opened again.
 */
bool eh_export_tables_make(struct eh_export *export, u64 offset, u64 length, struct eh_ready *ready)
{
	u64 at, *entry;

	lockdep_assert_held(&export->lock);
	if (tables_lacking(export, offset, length) > ready->count)
		return false;
	for (at = offset & ~(OF_PT - 1); at < offset + length; at += OF_PT) {
		if (!export->pd[at / GIB]) {
			export->pd[at / GIB] = ready->page[--ready->count];
			link_object(export, at / GIB);
		}
		entry = entry_of(export, at);
		if (!*entry)
			WRITE_ONCE(*entry, ept_table(__pa(ready->page[--ready->count])));
		else if (!(*entry & EPT_TABLE))
			WRITE_ONCE(*entry, *entry | EPT_TABLE);
	}
	return true;
}

/* Maps one page of the object for all attachments at once. Its table is in place. */
void eh_export_table_set(struct eh_export *export, u64 offset, u64 physical, u32 prot)
{
	u64 *pt = object_pt(export, offset);

	lockdep_assert_held(&export->lock);
	WRITE_ONCE(pt[level_index(offset, 1)], ept_leaf(physical, ept_rights(prot)));
}

/* The EPT entry of one page of the object, 0 if there is none. */
u64 eh_export_table_get(struct eh_export *export, u64 offset)
{
	u64 *pt = object_pt(export, offset);

	return pt ? pt[level_index(offset, 1)] : 0;
}

/* Is there a page in the range? */
bool eh_export_tables_map(struct eh_export *export, u64 offset, u64 length)
{
	u64 at;

	for (at = offset; at < offset + length; at += PAGE_SIZE)
		if (eh_export_table_get(export, at))
			return true;
	return false;
}

/* May an instruction of the object be at @offset? */
bool eh_export_is_code(struct eh_export *export, u64 offset)
{
	return offset < ELISA_OBJECT_SIZE && eh_export_table_get(export, offset) & EPT_EXEC;
}

/* Unmaps one; the caller flushes before the page may be used for anything else. */
void eh_export_table_clear(struct eh_export *export, u64 offset)
{
	u64 *pt = object_pt(export, offset);

	if (pt)
		WRITE_ONCE(pt[level_index(offset, 1)], 0);
}

/*
 * Page tables that map nothing any more in a range, or they would be as many as the places that
 * were ever mapped. One is shut first: its entry has the address without rights, which no CPU
 * follows (SDM 29.3.2). After a flush none remembers it, and it is freed, unless another request
 * has opened it again.
 */
void eh_export_tables_shut(struct eh_export *export, u64 offset, u64 length)
{
	u64 at, *pt, *entry;

	for (at = offset & ~(OF_PT - 1); at < offset + length; at += OF_PT) {
		pt = object_pt(export, at);
		if (!pt || memchr_inv(pt, 0, PAGE_SIZE))
			continue;
		entry = entry_of(export, at);
		WRITE_ONCE(*entry, *entry & EPT_ADDRESS);
	}
}

void eh_export_tables_free_shut(struct eh_export *export, u64 offset, u64 length)
{
	u64 at, *entry;

	for (at = offset & ~(OF_PT - 1); at < offset + length; at += OF_PT) {
		entry = entry_of(export, at);
		if (!entry || !*entry || (*entry & EPT_TABLE))
			continue;
		page_free(table_of(*entry));
		WRITE_ONCE(*entry, 0);
	}
}

static void directory_free(u64 *pd)
{
	unsigned int i;

	for (i = 0; pd && i < 512; i++)
		page_free(table_of(pd[i]));
	page_free(pd);
}

/* No context shows them any more. A request may still look for them: it finds none. */
void eh_export_table_free(struct eh_export *export)
{
	unsigned int gib;
	u64 *pd;

	for (gib = 0; gib < EH_OBJECT_GIB; gib++) {
		spin_lock(&export->lock);
		pd = export->pd[gib];
		export->pd[gib] = NULL;
		spin_unlock(&export->lock);
		directory_free(pd);
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

/* Shows the export's GiB @gib to a sub context. Under export->lock. */
void eh_context_link_object(struct eh_context *c, struct eh_export *export, u32 gib)
{
	unsigned int first = level_index(gpa_base, 3) + EH_GPA_OBJECT / GIB;

	if (export->pd[gib])
		WRITE_ONCE(c->pdpt[EH_IN_SUB][first + gib], ept_table(__pa(export->pd[gib])));
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
