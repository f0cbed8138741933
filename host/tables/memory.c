// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory by guest-physical address: resolved through KVM's memory slots of the
 * calling VM alone, checked, pinned. It runs in a vCPU thread of that VM, so current->mm
 * is the VMM's; it must never be called with a lock held, for a fault can take long.
 */
#include <linux/kvm_host.h>
#include <linux/capability.h>
#include <linux/hugetlb_inline.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>

#include "base/base.h"
#include "kvm/compat.h"
#include "kvm/kvm.h"
#include "tables/tables.h"

static struct kvm_memory_slot *slot_of(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	return __gfn_to_memslot(kvm_memslots(kvm_vcpu->kvm), gpa >> PAGE_SHIFT);
}

/* Of memory that the guest may write: not of device or missing memory, nor read-only. */
static int check_slot(const struct kvm_memory_slot *slot, u64 gpa, struct eh_refusal *refusal)
{
	/* slots of KVM's own: the APIC access page, the real-mode TSS */
	if (!slot || (slot->flags & KVM_MEMSLOT_INVALID) || slot->id >= KVM_USER_MEM_SLOTS)
		return eh_refuse(refusal, -EFAULT, ELISA_WHY_NOT_RAM, gpa);
	/* the guest may see other memory than what is mapped at the slot's address */
	if (slot->flags & EH_MEM_GUEST_MEMFD)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FILE_BACKED, gpa);
	if (slot->flags & KVM_MEM_READONLY)
		return eh_refuse(refusal, -EROFS, ELISA_WHY_READ_ONLY, gpa);
	return 0;
}

/*
 * Host virtual address of a guest page that may be written. The caller is in the vCPU's hypercall:
 * KVM holds kvm->srcu for reading.
 */
int eh_guest_hva(struct kvm_vcpu *kvm_vcpu, u64 gpa, unsigned long *hva, struct eh_refusal *refusal)
{
	struct kvm_memory_slot *slot = slot_of(kvm_vcpu, gpa);
	int r = check_slot(slot, gpa, refusal);

	if (!r)
		*hva = __gfn_to_hva_memslot(slot, gpa >> PAGE_SHIFT);
	return r;
}

/* Anonymous, shmem (tmpfs, memfd) and hugetlb memory stay what they are while pinned. */
static bool may_pin(struct vm_area_struct *vma)
{
	unsigned long magic;

	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return false;
	if (vma_is_anonymous(vma) || is_vm_hugetlb_page(vma))
		return true;
	if (!vma->vm_file)
		return false;
	/* devices have nodes on a tmpfs, too: their pages are the drivers' */
	magic = file_inode(vma->vm_file)->i_sb->s_magic;
	return S_ISREG(file_inode(vma->vm_file)->i_mode) &&
	       (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC);
}

/* Can pages of this size be mapped here? */
int eh_check_order(u32 order, struct eh_refusal *refusal)
{
	if (order == ELISA_ORDER_4K || (order == ELISA_ORDER_2M && eh_ept_2m) ||
	    (order == ELISA_ORDER_1G && eh_ept_1g))
		return 0;
	return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, order);
}

/*
 * Does the process map so many pages from @hva on, in order, with the right to write, and are they
 * all @folio's? No fault is made. The part of a folio that a process has lost may be another's.
 */
static bool maps_all(unsigned long hva, struct folio *folio, struct page *first, int count)
{
	struct page **pages = (struct page **)__get_free_page(GFP_KERNEL_ACCOUNT);
	bool same;
	int i, n;

	BUILD_BUG_ON(sizeof(*pages) << ELISA_ORDER_2M > PAGE_SIZE);
	if (!pages)
		return false;
	n = get_user_pages_fast_only(hva, count, FOLL_WRITE, pages);
	same = n == count;
	for (i = 0; i < n; i++) {
		same = same && page_folio(pages[i]) == folio && pages[i] == first + i;
		put_page(pages[i]);
	}
	free_page((unsigned long)pages);
	return same;
}

/*
 * Is the page that was pinned the first one of a page of this size? It has to be one in
 * host-physical memory, in one folio, which the pin keeps as a whole, and in the VMM's page tables.
 * There a hugetlb page is whole always. Others are 2 MiB at most.
 */
static bool is_large(struct vm_area_struct *vma, unsigned long hva, struct page *page, u32 order)
{
	struct folio *folio = page_folio(page);
	unsigned long count = 1UL << order;

	if (!IS_ALIGNED(page_to_pfn(page), count) || folio_nr_pages(folio) < count ||
	    vma->vm_end - hva < count << PAGE_SHIFT)
		return false;
	return is_vm_hugetlb_page(vma) ||
	       (order == ELISA_ORDER_2M && maps_all(hva, folio, page, count));
}

static bool slot_has(const struct kvm_memory_slot *slot, u64 gpa, u32 order)
{
	return slot->base_gfn + slot->npages - (gpa >> PAGE_SHIFT) >= 1UL << order;
}

static int pin_one(struct kvm_vcpu *kvm_vcpu, u64 gpa, u32 order, struct page **page,
		   struct eh_refusal *refusal)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct kvm_memory_slot *slot = slot_of(kvm_vcpu, gpa);
	unsigned long hva;
	long n;
	int r;

	if (!IS_ALIGNED(gpa, (u64)PAGE_SIZE << order))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_RANGE, gpa);
	r = check_slot(slot, gpa, refusal);
	if (r)
		return r;
	if (!slot_has(slot, gpa, order))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_ORDER, gpa);
	hva = __gfn_to_hva_memslot(slot, gpa >> PAGE_SHIFT);
	r = mmap_read_lock_killable(mm);
	if (r)
		return r;
	vma = vma_lookup(mm, hva);
	if (!vma || !may_pin(vma)) {
		r = eh_refuse(refusal, -EINVAL, vma ? ELISA_WHY_FILE_BACKED : ELISA_WHY_NOT_RAM,
			      gpa);
	} else {
		n = eh_pin_page(vma, hva, page);
		if (n != 1)
			r = eh_refuse(refusal, n < 0 ? n : -EFAULT, ELISA_WHY_PIN, gpa);
		else if (order && !is_large(vma, hva, *page, order)) {
			unpin_user_pages(page, 1);
			r = eh_refuse(refusal, -EINVAL, ELISA_WHY_ORDER, gpa);
		}
	}
	mmap_read_unlock(mm);
	return r;
}

/*
 * What is counted. A pin keeps the whole folio of its page: of 2 MiB, of 1 GiB. So what is held of
 * a VMM is the pages of all folios of which a page is pinned, each folio once. Its grant's limit
 * and RLIMIT_MEMLOCK are about that number. The pins are counted as well and have the same limit: a
 * page that is mapped at many places costs the host an entry for each. With them are counted the
 * tables that a run's large pages were split into, until the run is let go.
 *
 * The number is exact, for a folio's size and first page are the same at its first pin and its
 * last: the kernel splits, joins or moves no folio that has references which it cannot find, as
 * pins are (split_huge_page(), khugepaged, migration; the hugetlb pool splits free ones only). It
 * is counted after its first pin and forgotten before its last one ends. Its size is known only
 * with the pin: for that moment each vCPU in a request may have one that is not counted yet.
 */
static int count_new_folio(struct eh_vmm *vmm, u64 pages, u64 limit, struct eh_refusal *refusal)
{
	u64 memlock = rlimit(RLIMIT_MEMLOCK) / PAGE_SIZE;

	if (vmm->held + pages > limit)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, limit);
	if (atomic64_add_return(pages, &vmm->mm->pinned_vm) > memlock && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(pages, &vmm->mm->pinned_vm);
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_MEMLOCK, memlock);
	}
	vmm->held += pages;
	return 0;
}

static void forget_folio(struct eh_vmm *vmm, u64 pages)
{
	vmm->held -= pages;
	atomic64_sub(pages, &vmm->mm->pinned_vm);
}

/* Counts one more pin, of @page. Under vmm->lock. */
static int count_pin(struct eh_vmm *vmm, struct page *page, u64 limit, struct eh_refusal *refusal)
{
	struct folio *folio = page_folio(page);
	unsigned long pins = xa_to_value(xa_load(&vmm->folios, folio_pfn(folio)));
	int r;

	if (vmm->pins + vmm->tables >= limit)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, limit);
	r = pins ? 0 : count_new_folio(vmm, folio_nr_pages(folio), limit, refusal);
	if (r)
		return r;
	r = xa_err(xa_store(&vmm->folios, folio_pfn(folio), xa_mk_value(pins + 1),
			    GFP_KERNEL_ACCOUNT));
	if (r) {
		/* an entry that is there already needs no memory */
		forget_folio(vmm, folio_nr_pages(folio));
		return eh_refuse(refusal, r, ELISA_WHY_NO_MEMORY, 0);
	}
	vmm->pins++;
	return 0;
}

/* The opposite, while the pin still is there. Under vmm->lock. */
static void forget_pin(struct eh_vmm *vmm, struct page *page)
{
	struct folio *folio = page_folio(page);
	unsigned long pins = xa_to_value(xa_load(&vmm->folios, folio_pfn(folio)));

	vmm->pins--;
	if (pins > 1) {
		xa_store(&vmm->folios, folio_pfn(folio), xa_mk_value(pins - 1), GFP_KERNEL_ACCOUNT);
		return;
	}
	xa_erase(&vmm->folios, folio_pfn(folio));
	forget_folio(vmm, folio_nr_pages(folio));
}

static int pin_and_count(struct eh_vmm *vmm, u64 limit, struct kvm_vcpu *kvm_vcpu, u64 gpa,
			 u32 order, struct page **page, struct eh_refusal *refusal)
{
	int r;

	if (fatal_signal_pending(current))
		return -EINTR;
	r = pin_one(kvm_vcpu, gpa, order, page, refusal);
	if (r)
		return r;
	mutex_lock(&vmm->lock);
	r = count_pin(vmm, *page, limit, refusal);
	if (r)
		unpin_user_pages(page, 1);
	mutex_unlock(&vmm->lock);
	return r;
}

struct eh_run *eh_run_new(u32 count, u32 order)
{
	struct eh_run *run = kvzalloc(struct_size(run, pages, count), GFP_KERNEL_ACCOUNT);

	if (run) {
		run->count = count;
		run->order = order;
	}
	return run;
}

/* So many tables more are to be made for the run's pages, if the limit allows it. */
int eh_run_count_tables(struct eh_vmm *vmm, u64 limit, struct eh_run *run, u32 count,
			struct eh_refusal *refusal)
{
	int r = 0;

	mutex_lock(&vmm->lock);
	if (vmm->pins + vmm->tables + count > limit) {
		r = eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, limit);
	} else {
		vmm->tables += count;
		run->tables += count;
	}
	mutex_unlock(&vmm->lock);
	return r;
}

/* So many of those were not made. */
void eh_run_forget_tables(struct eh_vmm *vmm, struct eh_run *run, u32 count)
{
	mutex_lock(&vmm->lock);
	vmm->tables -= count;
	run->tables -= count;
	mutex_unlock(&vmm->lock);
}

/* Nothing is counted less before it is let go: the lock is held over both. */
static void unpin(struct eh_vmm *vmm, struct eh_run *run)
{
	u32 i;

	mutex_lock(&vmm->lock);
	for (i = 0; i < run->count; i++)
		if (run->pages[i]) {
			forget_pin(vmm, run->pages[i]);
			unpin_user_pages_dirty_lock(&run->pages[i], 1, true);
			run->pages[i] = NULL;
		}
	vmm->tables -= run->tables;
	run->tables = 0;
	mutex_unlock(&vmm->lock);
}

/*
 * Pins the guest pages of a run for as long as the module maps them, if no more than @limit are
 * held of the VMM then. All or nothing; a refusal's value is the guest-physical address,
 * or the limit.
 */
int eh_run_pin(struct eh_vmm *vmm, u64 limit, struct kvm_vcpu *kvm_vcpu, const u64 *gpas,
	       struct eh_run *run, struct eh_refusal *refusal)
{
	int r = 0;
	u32 i;

	for (i = 0; !r && i < run->count; i++) {
		r = pin_and_count(vmm, limit, kvm_vcpu, gpas[i], run->order, &run->pages[i],
				  refusal);
		if (r)
			run->pages[i] = NULL;
	}
	if (r)
		unpin(vmm, run);
	return r;
}

/* Unpins the pages of a run that is in no list. */
void eh_run_free(struct eh_vmm *vmm, struct eh_run *run)
{
	unpin(vmm, run);
	kvfree(run);
}

/*
 * Has this page failed, or one of its folio's? Of hugetlb the kernel marks the folio itself, and
 * uses the flag that says so of others for something else.
 */
static bool may_have_failed(struct page *page)
{
	struct folio *folio = page_folio(page);

	return is_page_hwpoison(page) || (folio_test_large(folio) && !folio_test_hugetlb(folio) &&
					  folio_test_has_hwpoisoned(folio));
}

/*
 * Has memory of the run failed, and at which byte of it? Of hugetlb the kernel marks the folio, of
 * others the page, and the folio as one that has such a page.
 */
bool eh_run_failed(const struct eh_run *run, u64 *at)
{
	struct page *page;
	unsigned long n;
	u32 i;

	for (i = 0; i < run->count; i++) {
		page = run->pages[i];
		if (!page || !may_have_failed(page))
			continue;
		for (n = 0; n < 1UL << run->order; n++)
			if (is_page_hwpoison(page + n)) {
				*at = i * eh_run_step(run) + n * PAGE_SIZE;
				return true;
			}
	}
	return false;
}

/*
 * Memory may fail between its pin and its place in a list, where failure.c looks for it. Under the
 * list's lock, when it is put there.
 */
int eh_refuse_failed(const struct eh_run *run, const u64 *gpas, struct eh_refusal *refusal)
{
	u64 at;

	if (!eh_run_failed(run, &at))
		return 0;
	return eh_refuse(refusal, -EHWPOISON, ELISA_WHY_PIN,
			 gpas[at / eh_run_step(run)] + at % eh_run_step(run));
}
