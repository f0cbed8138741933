// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds the EPT of gate-in, gate-out and sub, and the APT that the three share. Each page belongs
 * to one slot, attachment or context. The pages of an export are in object.c. A page is freed only
 * when no CPU can walk it any more. control/flush.c says why no CPU can.
 *
 *   slot         gate code and the APT of the window: the same for all VMs, for the module's life
 *   export       page directories and tables of the object: all its attachments' sub point to them
 *   attachment   tables of its stub, of the root page (the process's CR3), of the exchange buffer
 *   context      of one vCPU: three roots, data page, stack, a page that names the caller, tables
 *
 * A table leads to pages of its own line and of lines above it. A slot's tables name no page of a
 * VM. An export's tables name pages of its manager and donors, which stay pinned as long. So the
 * end of an attachment frees no table that another attachment uses.
 *
 * The pages of an attachment or context are built before any other thread knows the object. So
 * building them needs no lock.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <gate/gate_page.h>
#include "base/base.h"
#include "kvm/vmx.h"
#include "tables/ept.h"
#include "tables/page.h"
#include "tables/tables.h"

/*
 * The pages of a slot for one number of levels, the same for every VM. They are built at first use,
 * never change afterwards, and are freed when the module is unloaded.
 */
struct slot_pages {
	u64 *apt[EH_APT_PAGES];
	u8 *code[2];	    /* gate-in, gate-out */
	u64 *pd[2], *pt[2]; /* EPT of `apt` and `code` */
};

static struct slot_pages *slots[2][ELISA_SLOTS]; /* written once, see eh_slot_prepare() */
static u64 gpa_base;

/* Computes where the contexts begin. Runs once, before any VM can attach. */
void eh_tables_init(void)
{
	/* EPTs of 4 levels translate 48 bits */
	gpa_base = eh_gpa_base(min_t(u32, boot_cpu_data.x86_phys_bits, 48));
}

/* Returns the guest-physical address below which a process's page-table root must lie. */
u64 eh_root_limit(void)
{
	return gpa_base;
}

static struct slot_pages **slot_of(u32 slot, u32 levels)
{
	return &slots[levels == 5][slot];
}

/* Frees a slot's pages, also half-made ones. No context leads to them. */
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

/* Frees the pages of all slots. No context exists any more. */
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

/* Writes the leaves of a context's first GiB: the APT pages below its root, and the code page. */
static void const_leaves(u64 *pt, u64 *const apt[], void *code, u64 code_rights)
{
	int i;

	for (i = EH_APT_PDPT; i < EH_APT_PAGES && apt[i]; i++)
		pt[level_index(EH_GPA_APT, 1) + i] = ept_leaf(__pa(apt[i]), EPT_READ);
	pt[level_index(EH_GPA_CODE, 1)] = ept_leaf(__pa(code), code_rights);
}

/*
 * Makes @slot's constant pages. Two threads may make the same pages at once. Then cmpxchg() lets
 * one thread win, and the other thread frees its pages, which no context knows. It may sleep.
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
	/* all VMs share these pages: the first VM is not charged for them */
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

/* Tells whether the process's root needs a PML4 entry of its own, beside the contexts' entry. */
static bool root_has_own_pml4_entry(u64 root)
{
	return level_index(root, 4) != level_index(gpa_base, 4);
}

/*
 * Builds the tables that the attachment's vCPUs share: for the process's root, the sub stub and the
 * exchange buffer. At the root's address the CPU finds the APT's root instead. On an error the
 * caller frees the finished part. It may sleep.
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

/* Frees the tables of an attachment, also half-made ones. No context leads to them any more. */
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

/* Copies the export's entry of GiB @gib to a sub context. Under export->lock. */
void eh_context_link_object(struct eh_context *c, struct eh_export *export, u32 gib)
{
	unsigned int first = level_index(gpa_base, 3) + EH_GPA_OBJECT / GIB;

	WRITE_ONCE(c->pdpt[EH_IN_SUB][first + gib], export->gib[gib]);
}

/*
 * Makes a sub context show nothing any more. Its vCPU is not in it, and does not enter it again.
 * One store is enough, which keeps the lock's time short: a VM may have many contexts. Under
 * vm->lock.
 */
void eh_context_hide_object(struct eh_context *c)
{
	WRITE_ONCE(c->pml4[EH_IN_SUB][level_index(gpa_base, 4)], 0);
}

/* Fills the tables of the vCPU's own pages, and the page that tells functions about the caller. */
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

/* Fills one EPT root: the entry for the process's page-table root, and the context's GiBs. */
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
 * Builds the context of an attachment on one vCPU. The object and the size of the donated memory
 * may change, so the caller adds them under their locks. On an error the caller frees the context.
 * In the vCPU's hypercall, where the vCPU's VMCS is the current one. It may sleep.
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

/* Returns the pages of host memory per attachment and vCPU, without the vCPU's one list page. */
u32 eh_context_pages(void)
{
	return 2 * EH_ROOTS + 4 + 2 + ELISA_STACK_PAGES;
}

/*
 * Returns the calls that the sub stub has counted, or 0 if the export does not count them. The
 * manager's code can write the counter, so the value is no more than the manager's word.
 */
u64 eh_context_calls(const struct eh_context *c)
{
	const u32 last = (ELISA_STACK_PAGES - 1) * PAGE_SIZE;

	if (!(c->attachment->export_flags & ELISA_EXPORT_COUNTED))
		return 0;
	return READ_ONCE(*(u64 *)(c->stack[ELISA_STACK_PAGES - 1] + ELISA_CALLS_OFFSET -
				  ELISA_STACK_OFFSET - last));
}

/* Frees a context, also a half-made one. No CPU can walk its tables any more. */
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
