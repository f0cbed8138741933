// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory by guest-physical address: resolved through KVM's memory slots of the
 * calling VM alone, checked, pinned. It runs in a vCPU thread of that VM, so current->mm
 * is the VMM's; it must never be called with elisa_lock held, for a fault can take long.
 */
#include <linux/kvm_host.h>
#include <linux/hugetlb_inline.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "elisa.h"

static struct kvm_memory_slot *slot_of(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	return __gfn_to_memslot(kvm_memslots(kvm_vcpu->kvm), gpa >> PAGE_SHIFT);
}

/*
 * Host virtual address of a guest page that may be written: not of device or missing
 * memory nor of a read-only slot. The caller is in the vCPU's hypercall: KVM holds
 * kvm->srcu for reading.
 */
int elisa_guest_hva(struct kvm_vcpu *kvm_vcpu, u64 gpa, unsigned long *hva, u32 *why)
{
	struct kvm_memory_slot *slot = slot_of(kvm_vcpu, gpa);

	/* slots of KVM's own: the APIC access page, the real-mode TSS */
	if (!slot || (slot->flags & KVM_MEMSLOT_INVALID) || slot->id >= KVM_USER_MEM_SLOTS) {
		*why = ELISA_WHY_NOT_RAM;
		return -EFAULT;
	}
	if (slot->flags & KVM_MEM_READONLY) {
		*why = ELISA_WHY_READ_ONLY;
		return -EROFS;
	}
	*hva = __gfn_to_hva_memslot(slot, gpa >> PAGE_SHIFT);
	return 0;
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

static int pin_one(struct kvm_vcpu *kvm_vcpu, u64 gpa, struct page **page, u32 *why)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long hva;
	long n;
	int r;

	if (gpa & ~PAGE_MASK) {
		*why = ELISA_WHY_RANGE;
		return -EINVAL;
	}
	r = elisa_guest_hva(kvm_vcpu, gpa, &hva, why);
	if (r)
		return r;
	if (slot_of(kvm_vcpu, gpa)->flags & KVM_MEM_LOG_DIRTY_PAGES) {
		*why = ELISA_WHY_DIRTY_LOG;
		return -EBUSY;
	}
	r = mmap_read_lock_killable(mm);
	if (r)
		return r;
	vma = vma_lookup(mm, hva);
	if (!vma || !may_pin(vma)) {
		*why = vma ? ELISA_WHY_FILE_BACKED : ELISA_WHY_NOT_RAM;
		r = -EINVAL;
	} else {
		/* No FAULT_FLAG_ALLOW_RETRY here: a userfaultfd page fails, it cannot block us. */
		n = elisa_pin_page(hva, page);
		if (n != 1) {
			*why = ELISA_WHY_PIN;
			r = n < 0 ? n : -EFAULT;
		}
	}
	mmap_read_unlock(mm);
	return r;
}

/*
 * Pins @count guest pages for as long as the module maps them. All or nothing; on error
 * @value is the guest-physical address that was refused.
 */
int elisa_guest_pin(struct kvm_vcpu *kvm_vcpu, const u64 *gpas, u32 count, struct page **pages,
		    u32 *why, u64 *value)
{
	u32 i;
	int r;

	for (i = 0; i < count; i++) {
		r = fatal_signal_pending(current) ? -EINTR :
						    pin_one(kvm_vcpu, gpas[i], &pages[i], why);
		if (r) {
			*value = gpas[i];
			unpin_user_pages(pages, i);
			return r;
		}
	}
	atomic64_add(count, &current->mm->pinned_vm);
	return 0;
}

void elisa_guest_unpin(struct page **pages, u32 count, struct mm_struct *mm)
{
	unpin_user_pages_dirty_lock(pages, count, true);
	atomic64_sub(count, &mm->pinned_vm);
}
