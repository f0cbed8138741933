// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds the EPT of gate-in, gate-out and sub, and the APT they share. Every page here
 * belongs to exactly one slot, export, attachment or context; a page is freed only after
 * no CPU can still walk it. The end of the file says why none can.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <gate/gate_page.h>
#include "ept.h"
#include "elisa.h"
#include "vmx.h"

/* Per slot, the same for every VM: built at first use, never changed, freed at unload. */
struct slot_pages {
	u64 *apt[ELISA_APT_PAGES];
	u8 *code[2];	    /* gate-in, gate-out */
	u64 *pd[2], *pt[2]; /* EPT of `apt` and `code` */
};

static struct slot_pages *slots[ELISA_SLOTS]; /* elisa_lock */
static u64 gpa_base;

static void *page_new(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static void page_free(void *page)
{
	free_page((unsigned long)page);
}

int elisa_tables_init(void)
{
	/* EPTs of 4 levels translate 48 bits */
	gpa_base = elisa_gpa_base(min_t(u32, boot_cpu_data.x86_phys_bits, 48));
	return 0;
}

u64 elisa_root_limit(void)
{
	return gpa_base;
}

static void slot_free(struct slot_pages *slot)
{
	int i;

	for (i = 0; i < ELISA_APT_PAGES; i++)
		page_free(slot->apt[i]);
	for (i = 0; i < 2; i++) {
		page_free(slot->code[i]);
		page_free(slot->pd[i]);
		page_free(slot->pt[i]);
	}
	kfree(slot);
}

void elisa_tables_exit(void)
{
	int i;

	for (i = 0; i < ELISA_SLOTS; i++)
		if (slots[i])
			slot_free(slots[i]);
}

/* The leaves of a context's first GiB: the inner APT pages, and its code page. */
static void const_leaves(u64 *pt, u64 *const apt[], void *code, u64 code_rights)
{
	int i;

	for (i = ELISA_APT_PDPT; i < ELISA_APT_PAGES; i++)
		pt[level_index(ELISA_GPA_APT, 1) + i] = ept_leaf(__pa(apt[i]), EPT_READ);
	pt[level_index(ELISA_GPA_CODE, 1)] = ept_leaf(__pa(code), code_rights);
}

/* Makes @slot's constant pages. Under elisa_lock. */
int elisa_slot_prepare(u32 slot)
{
	struct slot_pages *s;
	bool ok = true;
	int i;

	lockdep_assert_held(&elisa_lock);
	if (slots[slot])
		return 0;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	/* shared by all VMs: not charged to the one that comes first */
	for (i = 0; i < ELISA_APT_PAGES; i++)
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
	apt_fill(s->apt, slot, gpa_base);
	elisa_gate_in_build(s->code[0], slot);
	elisa_gate_out_build(s->code[1], slot);
	for (i = 0; i < 2; i++) {
		const_leaves(s->pt[i], s->apt, s->code[i], EPT_EXEC);
		s->pd[i][0] = ept_table(__pa(s->pt[i]));
	}
	slots[slot] = s;
	return 0;
}

#define OF_PT 0x200000ULL /* bytes that one page table maps */

static u64 *table_of(u64 entry)
{
	return entry ? __va(entry & EPT_ADDRESS) : NULL;
}

/* The EPT page table that maps @offset of the object area, made if @make. */
static u64 *object_pt(struct elisa_export *export, u64 offset, bool make)
{
	u32 gib = offset / GIB;
	u64 *pd = export->pd[gib], *pt;
	struct elisa_attachment *attachment;
	struct elisa_context *context;

	if (!pd) {
		if (!make)
			return NULL;
		pd = page_new();
		if (!pd)
			return NULL;
		export->pd[gib] = pd;
		/* the invalidation path's other half: attachments that exist see it too */
		list_for_each_entry(attachment, &export->attachments, node)
			list_for_each_entry(context, &attachment->contexts, node)
				elisa_context_link_object(context, gib);
	}
	pt = table_of(pd[level_index(offset, 2)]);
	if (!pt && make) {
		pt = page_new();
		if (pt)
			WRITE_ONCE(pd[level_index(offset, 2)], ept_table(__pa(pt)));
	}
	return pt;
}

/* Maps one page of the object for all attachments at once. Under elisa_lock. */
int elisa_export_table_set(struct elisa_export *export, u64 offset, u64 physical, u32 prot)
{
	u64 *pt = object_pt(export, offset, true);

	if (!pt)
		return -ENOMEM;
	WRITE_ONCE(pt[level_index(offset, 1)], ept_leaf(physical, ept_rights(prot)));
	return 0;
}

/* The EPT entry of one page of the object, 0 if there is none. Under elisa_lock. */
u64 elisa_export_table_get(struct elisa_export *export, u64 offset)
{
	u64 *pt = object_pt(export, offset, false);

	return pt ? pt[level_index(offset, 1)] : 0;
}

/* Unmaps one; the caller flushes before the page may be used for anything else. */
void elisa_export_table_clear(struct elisa_export *export, u64 offset)
{
	u64 *pt = object_pt(export, offset, false);

	if (pt)
		WRITE_ONCE(pt[level_index(offset, 1)], 0);
}

/*
 * Page tables that map nothing any more in a range, or they would be as many as the places that
 * were ever mapped. One is shut first: its entry has the address without rights, which no CPU
 * follows (SDM 29.3.2). After a flush none remembers it, and it is freed. Under elisa_lock for
 * both.
 */
void elisa_export_tables_shut(struct elisa_export *export, u64 offset, u64 length)
{
	u64 at, *pt, *entry;

	for (at = offset & ~(OF_PT - 1); at < offset + length; at += OF_PT) {
		pt = object_pt(export, at, false);
		if (!pt || memchr_inv(pt, 0, PAGE_SIZE))
			continue;
		entry = &export->pd[at / GIB][level_index(at, 2)];
		WRITE_ONCE(*entry, *entry & EPT_ADDRESS);
	}
}

void elisa_export_tables_free_shut(struct elisa_export *export, u64 offset, u64 length)
{
	u64 at, *entry;

	for (at = offset & ~(OF_PT - 1); at < offset + length; at += OF_PT) {
		entry = export->pd[at / GIB] ? &export->pd[at / GIB][level_index(at, 2)] : NULL;
		if (!entry || !*entry || (*entry & EPT_TABLE))
			continue;
		page_free(table_of(*entry));
		WRITE_ONCE(*entry, 0);
	}
}

void elisa_export_table_free(struct elisa_export *export)
{
	unsigned int gib, i;

	for (gib = 0; gib < ELISA_OBJECT_GIB; gib++) {
		if (!export->pd[gib])
			continue;
		for (i = 0; i < 512; i++)
			page_free(table_of(export->pd[gib][i]));
		page_free(export->pd[gib]);
		export->pd[gib] = NULL;
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
int elisa_attachment_build(struct elisa_attachment *a, u64 entry)
{
	struct slot_pages *s = slots[a->slot];
	u32 i;

	a->root_pd = page_new();
	a->root_pt = page_new();
	a->sub_pd = page_new();
	a->sub_pt = page_new();
	a->sub_stub = page_new();
	if (!a->root_pd || !a->root_pt || !a->sub_pd || !a->sub_pt || !a->sub_stub)
		return -ENOMEM;
	a->root_pt[level_index(a->root, 1)] = ept_leaf(__pa(s->apt[ELISA_APT_PML4]), EPT_READ);
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
			a->exchange_pt[level_index(ELISA_GPA_EXCHANGE_LEAF, 1) + i] =
				ept_leaf(page_to_phys(a->exchange[i]), EPT_READ | EPT_WRITE);
		a->exchange_pd[level_index(ELISA_GPA_EXCHANGE_LEAF, 2)] =
			ept_table(__pa(a->exchange_pt));
	}
	return 0;
}

void elisa_attachment_tables_free(struct elisa_attachment *a)
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

/* Shows the export's GiB @gib to a sub context that was built before it existed. */
void elisa_context_link_object(struct elisa_context *c, u32 gib)
{
	struct elisa_export *export = c->attachment->export;
	unsigned int first = level_index(gpa_base, 3) + ELISA_GPA_OBJECT / GIB;

	if (export && export->pd[gib])
		WRITE_ONCE(c->pdpt[ELISA_IN_SUB][first + gib], ept_table(__pa(export->pd[gib])));
}

static void context_private(struct elisa_context *c)
{
	bool trusted = c->attachment->mode == ELISA_MODE_TRUSTED;
	int i;

	c->gate_pt[level_index(ELISA_GPA_LIST, 1)] =
		ept_leaf(__pa(c->vcpu->list), EPT_READ | EPT_WRITE);
	c->gate_pt[level_index(ELISA_GPA_DATA, 1)] = ept_leaf(__pa(c->data), EPT_READ | EPT_WRITE);
	c->gate_pd[level_index(ELISA_GPA_LIST, 2)] = ept_table(__pa(c->gate_pt));
	for (i = 0; i < ELISA_STACK_PAGES; i++)
		c->sub_pt[level_index(ELISA_GPA_STACK, 1) + i] =
			ept_leaf(__pa(c->stack[i]), EPT_READ | EPT_WRITE);
	/* the administrator's choice, see docs/security.md: sub may write the list page */
	if (trusted)
		c->sub_pt[level_index(ELISA_GPA_LIST, 1)] =
			ept_leaf(__pa(c->vcpu->list), EPT_READ | EPT_WRITE);
	c->sub_pd[level_index(ELISA_GPA_STACK, 2)] = ept_table(__pa(c->sub_pt));
	c->sub_pt[level_index(ELISA_GPA_SELF, 1)] = ept_leaf(__pa(c->self), EPT_READ);
	c->self->attachment = c->attachment->number;
	c->self->donated = c->attachment->donated;
	c->self->place = c->attachment->place;
	c->self->vcpu = c->vcpu->kvm_vcpu->vcpu_idx;
	if (c->attachment->exchange_pages)
		c->self->exchange = ELISA_WINDOW_BASE + c->attachment->slot * ELISA_SLOT_SIZE +
				    ELISA_EXCHANGE_OFFSET;
	c->self->exchange_size = (u64)c->attachment->exchange_pages * PAGE_SIZE;
}

/* One root: the process's page-table root, and the GiBs of this context. */
static void context_root(struct elisa_context *c, enum elisa_where where)
{
	struct elisa_attachment *a = c->attachment;
	struct slot_pages *s = slots[a->slot];
	u64 *pml4 = c->pml4[where], *pdpt = c->pdpt[where];
	unsigned int gib = level_index(gpa_base, 3);
	u32 i;

	pml4[level_index(gpa_base, 4)] = ept_table(__pa(pdpt));
	if (a->root_pdpt)
		pml4[level_index(a->root, 4)] = ept_table(__pa(a->root_pdpt));
	else
		pdpt[level_index(a->root, 3)] = ept_table(__pa(a->root_pd));
	if (where == ELISA_IN_SUB) {
		pdpt[gib] = ept_table(__pa(a->sub_pd));
		pdpt[gib + ELISA_GPA_PRIVATE / GIB] = ept_table(__pa(c->sub_pd));
		if (a->exchange_pd)
			pdpt[gib + ELISA_GPA_EXCHANGE / GIB] = ept_table(__pa(a->exchange_pd));
		for (i = 0; i < ELISA_OBJECT_GIB; i++)
			elisa_context_link_object(c, i);
	} else {
		pdpt[gib] = ept_table(__pa(s->pd[where == ELISA_IN_GATE_OUT]));
		pdpt[gib + ELISA_GPA_PRIVATE / GIB] = ept_table(__pa(c->gate_pd));
	}
	c->eptp[where] = __pa(pml4) | ELISA_EPTP_ARMED;
}

/* All of an attachment on one vCPU. On error the caller frees the context. */
int elisa_context_build(struct elisa_context *c)
{
	bool ok = true;
	int i;

	for (i = 0; i < ELISA_ROOTS; i++) {
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
	for (i = 0; i < ELISA_ROOTS; i++)
		context_root(c, i);
	return 0;
}

/* Pages of host memory per attachment and vCPU, without the vCPU's one list page. */
u32 elisa_context_pages(void)
{
	return 2 * ELISA_ROOTS + 4 + 2 + ELISA_STACK_PAGES;
}

void elisa_context_free(struct elisa_context *c)
{
	int i;

	for (i = 0; i < ELISA_ROOTS; i++) {
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

/*
 * From here on: what CPUs remember of these tables. A CPU caches translations and entries of paging
 * structures, tagged with the root they came from (SDM vol. 3, "Caching Translation Information";
 * EP4TA). What was in a page that is unmapped must not be reached through them by a vCPU. No other
 * tenant pays for that: an IPI goes only to CPUs that run a vCPU of this VM or export, and INVEPT
 * runs in the vCPU's own thread.
 *
 * 1. A root belongs to one context, and that to one vCPU: no other vCPU's EPTP list has it. So
 *    what is tagged with the root is used by this vCPU only, in guest mode.
 * 2. The vCPU enters guest mode through its entry hook only, as long as it has contexts. The
 *    hook calls elisa_forget() under vcpu->lock and with IRQs off until the entry.
 * 3. The thread that changed a table takes vcpu->lock afterwards, sets `forget`, and looks at
 *    `inside` and `cpu`.
 *    - If the hook had the lock later, it sees `forget`, and INVEPT comes before the entry. Walks
 *      after INVEPT, which is serializing, find the changed table.
 *    - If it had the lock earlier, `inside` is set, and `cpu` is where it enters. The IPI makes
 *      that CPU leave guest mode, at once or right after the entry, for IRQs are off between. The
 *      sender waits for it. The next entry is the case above.
 * 4. A vCPU that comes to another CPU may find there what it left long ago: everything goes. KVM
 *    does the same at that time (vmx_vcpu_load_vmcs(), vmx_flush_tlb_all()), so that others lose
 *    nothing by it.
 * 5. A root's page is freed without INVEPT. The next user of a page as a root has to clear what
 *    CPUs remember under it: new contexts are in `forget`, and KVM does it in kvm_mmu_load().
 *
 * So the CPUs in question are those of the vCPUs that are inside: a CPU that a vCPU has left is not
 * among them. A revoked context is never entered again (elisa_attachment_shut()), and needs the IPI
 * only.
 */

/*
 * More contexts than these go by one INVEPT of all. These take 24, with IRQs off: what others lose
 * is worth that much, and not 192. The number has not been measured on a processor.
 */
#define FORGET_SINGLY 8

static struct cpumask running; /* elisa_lock */

static void note_cpu(struct elisa_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->inside))
		cpumask_set_cpu(vcpu->cpu, &running);
}

static void was_interrupted(void *unused)
{
}

/* An IPI is an exit. Returns when all CPUs in `running` have taken it. */
static void kick_running(void)
{
	on_each_cpu_mask(&running, was_interrupted, NULL, true);
}

/* All vCPUs of @vm that are in guest mode leave it once. Under elisa_lock. */
void elisa_kick_vm(struct elisa_vm *vm)
{
	struct elisa_vcpu *vcpu;
	unsigned long flags;

	lockdep_assert_held(&elisa_lock);
	cpumask_clear(&running);
	list_for_each_entry(vcpu, &vm->vcpus, node) {
		raw_spin_lock_irqsave(&vcpu->lock, flags);
		note_cpu(vcpu);
		raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	}
	kick_running();
}

static void kick_export(struct elisa_export *export, bool forget)
{
	struct elisa_attachment *attachment;
	struct elisa_context *c;
	unsigned long flags;

	lockdep_assert_held(&elisa_lock);
	cpumask_clear(&running);
	list_for_each_entry(attachment, &export->attachments, node)
		list_for_each_entry(c, &attachment->contexts, node) {
			raw_spin_lock_irqsave(&c->vcpu->lock, flags);
			if (forget)
				set_bit(attachment->slot, c->vcpu->forget);
			note_cpu(c->vcpu);
			raw_spin_unlock_irqrestore(&c->vcpu->lock, flags);
		}
	kick_running();
}

/* The same for all vCPUs that have a context of @export. */
void elisa_kick_export(struct elisa_export *export)
{
	kick_export(export, false);
}

/* After this no vCPU uses what it remembers of @export's tables. */
void elisa_flush_export(struct elisa_export *export)
{
	kick_export(export, true);
}

/* Before an entry, under vcpu->lock, IRQs off. */
void elisa_forget(struct elisa_vcpu *vcpu)
{
	int cpu = raw_smp_processor_id(), slot, i;

	if (vcpu->cpu == cpu && bitmap_empty(vcpu->forget, ELISA_SLOTS))
		return;
	if (vcpu->cpu != cpu || !elisa_invept_context ||
	    bitmap_weight(vcpu->forget, ELISA_SLOTS) > FORGET_SINGLY)
		invept_all();
	else
		for_each_set_bit(slot, vcpu->forget, ELISA_SLOTS)
			for (i = 0; i < ELISA_ROOTS; i++)
				invept_context(vcpu->slots[slot]->eptp[i]);
	vcpu->cpu = cpu;
	bitmap_zero(vcpu->forget, ELISA_SLOTS);
}
