// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds, checks and pins guest memory by guest-physical address. A guest-physical address is looked
 * up in KVM's memory slots of the calling VM, and in no other VM's. The functions that pin run in a
 * vCPU thread of that VM, so current->mm is the VMM's. Their callers hold no lock, because a fault
 * can take long.
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

/* Returns the memory slot with this address, or NULL. Under kvm->srcu. */
static struct kvm_memory_slot *slot_of(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	return __gfn_to_memslot(kvm_memslots(kvm_vcpu->kvm), gpa >> PAGE_SHIFT);
}

/* Refuses a slot that is not memory which the guest may write: missing, KVM's own, read-only. */
static int check_slot(const struct kvm_memory_slot *slot, u64 gpa, struct eh_refusal *refusal)
{
	/* slots of KVM's own: the APIC access page, the real-mode TSS */
	if (!slot || (slot->flags & KVM_MEMSLOT_INVALID) || slot->id >= KVM_USER_MEM_SLOTS)
		return eh_refuse(refusal, -EFAULT, ELISA_WHY_NOT_RAM, gpa);
	/* the guest may see other memory than the VMM has mapped at the slot's address */
	if (slot->flags & EH_MEM_GUEST_MEMFD)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FILE_BACKED, gpa);
	if (slot->flags & KVM_MEM_READONLY)
		return eh_refuse(refusal, -EROFS, ELISA_WHY_READ_ONLY, gpa);
	return 0;
}

/*
 * Finds the host-virtual address of a guest page that the guest may write. The caller is in the
 * vCPU's hypercall, where KVM holds kvm->srcu for reading.
 */
int eh_guest_hva(struct kvm_vcpu *kvm_vcpu, u64 gpa, unsigned long *hva, struct eh_refusal *refusal)
{
	struct kvm_memory_slot *slot = slot_of(kvm_vcpu, gpa);
	int r = check_slot(slot, gpa, refusal);

	if (!r)
		*hva = __gfn_to_hva_memslot(slot, gpa >> PAGE_SHIFT);
	return r;
}

/*
 * Tells whether pages of this mapping may be pinned: anonymous, shmem (tmpfs, memfd) and hugetlb
 * memory. Such a page stays in its place while it is pinned. Under mmap_lock.
 */
static bool may_pin(struct vm_area_struct *vma)
{
	unsigned long magic;

	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return false;
	if (vma_is_anonymous(vma) || is_vm_hugetlb_page(vma))
		return true;
	if (!vma->vm_file)
		return false;
	/* a device node may be on a tmpfs, too: its pages belong to a driver */
	magic = file_inode(vma->vm_file)->i_sb->s_magic;
	return S_ISREG(file_inode(vma->vm_file)->i_mode) &&
	       (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC);
}

/* Refuses pages of a size that this CPU's EPT has no leaves for. */
int eh_check_order(u32 order, struct eh_refusal *refusal)
{
	if (order == ELISA_ORDER_4K || (order == ELISA_ORDER_2M && eh_ept_2m) ||
	    (order == ELISA_ORDER_1G && eh_ept_1g))
		return 0;
	return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, order);
}

/*
 * Tells whether the process maps @count pages from @hva on, writable and in order from @first on,
 * all of @folio. It makes no fault. A process may have lost a part of a folio, and that part may
 * belong to another process by now. Under mmap_lock. It may sleep.
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
 * Tells whether the pinned page begins a large page of this order. The large page must be aligned
 * in host-physical memory. It must lie in one folio, which the pin keeps as a whole. And the VMM
 * must map all of it. The VMM always maps a hugetlb page as a whole. Other large pages have 2 MiB
 * at most. Under mmap_lock. It may sleep.
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

/* Tells whether a page of this order at @gpa ends inside the slot. */
static bool slot_has(const struct kvm_memory_slot *slot, u64 gpa, u32 order)
{
	return slot->base_gfn + slot->npages - (gpa >> PAGE_SHIFT) >= 1UL << order;
}

/*
 * Pins one guest page of this order: of a large page, its first 4 KiB, which keep the folio. In the
 * vCPU's hypercall, without a lock.
 */
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
 * How pinned memory is counted.
 *
 * Pages held. A pin keeps the whole folio of its page, perhaps 2 MiB or 1 GiB. So a VMM's held
 * memory is the pages of all folios with a pinned page, each folio once. The grant's limit and
 * RLIMIT_MEMLOCK apply to this number.
 *
 * Pins. A page that is mapped at many places costs the host an entry for each place. So the pins
 * are counted, too, and the grant's limit applies to them. Page tables that a run's large pages
 * were split into count as pins, until the run is let go.
 *
 * Why the count is exact. A folio's size and first page are the same at its first pin and at its
 * last. The kernel cannot explain the references of a pin, and splits, joins or moves no folio with
 * such references (split_huge_page(), khugepaged, migration). The hugetlb pool splits free folios
 * only. A folio is counted after its first pin, and forgotten before its last pin ends. The count
 * must wait for the pin, which tells the folio's size. So each vCPU in a request may have one pin
 * that is not counted yet.
 */
/* Counts the pages of a folio with a first pin, if both limits allow it. Under vmm->lock. */
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

/* Counts a folio's pages no more. Under vmm->lock. */
static void forget_folio(struct eh_vmm *vmm, u64 pages)
{
	vmm->held -= pages;
	atomic64_sub(pages, &vmm->mm->pinned_vm);
}

/* Counts one more pin of @page, if the limits allow it. Under vmm->lock. */
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

/* Counts one pin of @page less. The pin still exists, so the folio is the same. Under vmm->lock. */
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

/* Pins one guest page and counts it, or does neither. In the vCPU's hypercall, without a lock. */
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

/* Allocates a run with no page yet, or returns NULL. It may sleep. */
struct eh_run *eh_run_new(u32 count, u32 order)
{
	struct eh_run *run = kvzalloc(struct_size(run, pages, count), GFP_KERNEL_ACCOUNT);

	if (run) {
		run->count = count;
		run->order = order;
	}
	return run;
}

/* Counts @count more tables for the run's large pages, if @limit allows it. Takes vmm->lock. */
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

/* Takes back @count of the counted tables, which were not made. Takes vmm->lock. */
void eh_run_forget_tables(struct eh_vmm *vmm, struct eh_run *run, u32 count)
{
	mutex_lock(&vmm->lock);
	vmm->tables -= count;
	run->tables -= count;
	mutex_unlock(&vmm->lock);
}

/*
 * Unpins a run's pages, and counts its pages and tables no more. The lock covers both steps, so no
 * other request sees room in the limit before the memory is free. Takes vmm->lock.
 */
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
 * Pins the guest pages of a run, all of them or none. The pins last as long as the module maps the
 * pages. @limit is the most that may be held of the VMM afterwards. A refusal's value is the
 * guest-physical address or the limit. In the vCPU's hypercall, without a lock.
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

/* Unpins the pages of a run that is in no list, and frees the run. Takes vmm->lock. */
void eh_run_free(struct eh_vmm *vmm, struct eh_run *run)
{
	unpin(vmm, run);
	kvfree(run);
}

/*
 * Tells whether this page may have failed, or another page of its folio. The kernel marks a failed
 * hugetlb folio at its first page. The flag for other folios has another meaning in hugetlb.
 */
static bool may_have_failed(struct page *page)
{
	struct folio *folio = page_folio(page);

	return is_page_hwpoison(page) || (folio_test_large(folio) && !folio_test_hugetlb(folio) &&
					  folio_test_has_hwpoisoned(folio));
}

/*
 * Tells whether memory of the run has failed, and at which of its bytes. The kernel marks hugetlb
 * memory by the folio. It marks other memory by the page, and marks the folio as one with such a
 * page. The run's pages stay pinned meanwhile.
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
 * Refuses a run with memory that has failed since it was pinned. failure.c looks for failed memory
 * in lists of runs, and cannot find a run before it is in one. So the thread that adds a run to a
 * list asks here first, under the list's lock.
 */
int eh_refuse_failed(const struct eh_run *run, const u64 *gpas, struct eh_refusal *refusal)
{
	u64 at;

	if (!eh_run_failed(run, &at))
		return 0;
	return eh_refuse(refusal, -EHWPOISON, ELISA_WHY_PIN,
			 gpas[at / eh_run_step(run)] + at % eh_run_step(run));
}
