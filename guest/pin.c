// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is shared with other VMs is pinned: it may not move while they use it.
 * Only the process's own RAM is taken; a page of a file on a disk, which others change
 * and the kernel writes back, must never get out of here.
 */
#include <linux/capability.h>
#include <linux/hugetlb_inline.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "guest.h"

/* The page decides, not the mapping: another thread may change mappings at any time. */
static bool page_is_own_ram(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_anon(folio) || folio_test_swapbacked(folio) || PageHuge(page);
}

/* Newer kernels refuse the pin of such a page with EFAULT: say what it is all the same. */
static bool mapping_is_of_a_file(struct mm_struct *mm, unsigned long address)
{
	struct vm_area_struct *vma;
	bool ret;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, address);
	ret = vma && vma->vm_file && vma->vm_flags & VM_WRITE && !is_vm_hugetlb_page(vma) &&
	      !(vma->vm_flags & (VM_IO | VM_PFNMAP)) &&
	      file_inode(vma->vm_file)->i_sb->s_magic != TMPFS_MAGIC;
	mmap_read_unlock(mm);
	return ret;
}

/* Pinned pages count against RLIMIT_MEMLOCK, as with VFIO and RDMA. */
static int account(struct mm_struct *mm, u32 count, struct elisa_status *status)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(count, &mm->pinned_vm) > limit && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(count, &mm->pinned_vm);
		return eg_refuse(status, -ENOMEM, ELISA_WHY_QUOTA, limit);
	}
	return 0;
}

/*
 * Pins all of them or none. mm is the caller's; it has to outlive the pin. May wait for
 * the process's user-space page faults: no lock that others need may be held.
 */
int eg_pin(struct mm_struct *mm, u64 address, u32 count, struct page **pages,
	   struct elisa_status *status)
{
	u32 done = 0;
	u32 i;
	int ret;

	if (!count)
		return 0;
	ret = account(mm, count, status);
	if (ret)
		return ret;
	while (done < count) {
		u64 at = address + (u64)done * PAGE_SIZE;

		ret = pin_user_pages_fast(at, count - done, FOLL_WRITE | FOLL_LONGTERM,
					  pages + done);
		if (ret <= 0) {
			if (fatal_signal_pending(current))
				ret = -EINTR;
			else if (ret == -EFAULT && mapping_is_of_a_file(mm, at))
				ret = eg_refuse(status, -EINVAL, ELISA_WHY_FILE_BACKED, at);
			else if (ret == -EFAULT || !ret)
				ret = eg_refuse(status, -EFAULT, ELISA_WHY_ADDRESS, at);
			else
				eg_refuse(status, ret, ELISA_WHY_PIN, at);
			goto err;
		}
		done += ret;
	}
	for (i = 0; i < count; i++) {
		if (!page_is_own_ram(pages[i])) {
			ret = eg_refuse(status, -EINVAL, ELISA_WHY_FILE_BACKED,
					address + (u64)i * PAGE_SIZE);
			goto err;
		}
	}
	return 0;

err:
	unpin_user_pages(pages, done);
	atomic64_sub(count, &mm->pinned_vm);
	return ret;
}

void eg_unpin(struct mm_struct *mm, struct page **pages, u32 count)
{
	unpin_user_pages_dirty_lock(pages, count, true);
	atomic64_sub(count, &mm->pinned_vm);
}
