// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window in a process: one mapping of all its 512 GiB, so that nothing else can lie
 * there. Only the stub pages can be read; the rest is SIGBUS. User space may unmap all of
 * it, which ends the attachments, but never a part, and may never change or inherit it.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include "guest.h"

static void window_unmapped(struct vm_area_struct *vma)
{
	struct eg_process *process = vma->vm_private_data;
	bool ours;

	/* mremap() makes a copy before it is refused. */
	mutex_lock(&process->lock);
	ours = process->window == vma;
	if (ours)
		process->window = NULL;
	mutex_unlock(&process->lock);
	if (ours)
		eg_detach_all(process, NULL);
}

static int window_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int window_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int window_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			   unsigned long flags)
{
	return -EACCES;
}

static vm_fault_t window_fault(struct vm_fault *vmf)
{
	struct eg_process *process = vmf->vma->vm_private_data;
	u64 offset = vmf->address - ELISA_WINDOW_BASE;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	void *stub;

	if (offset >= ELISA_SLOTS * ELISA_SLOT_SIZE ||
	    ((offset % ELISA_SLOT_SIZE) & PAGE_MASK) != ELISA_CODE_OFFSET) {
		/*
		 * A manager's code left its context by a VMFUNC of its own, with a stack and
		 * registers of its choice: no signal handler may run on them.
		 */
		if (vmf->flags & FAULT_FLAG_INSTRUCTION)
			send_sig(SIGKILL, current, 1);
		return VM_FAULT_SIGBUS;
	}
	/* Under the lock, so that a stub that is replaced cannot be mapped afterwards. */
	mutex_lock(&process->lock);
	stub = process->stub[offset / ELISA_SLOT_SIZE];
	if (stub)
		ret = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK,
				     virt_to_phys(stub) >> PAGE_SHIFT);
	mutex_unlock(&process->lock);
	return ret;
}

/*
 * Maps nothing; but without it a kernel with locks of single mappings tries a fault twice, and
 * goes back to user space in between if a signal is pending: before window_fault() has its say.
 */
static vm_fault_t window_map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	return 0;
}

static const struct vm_operations_struct window_vm_ops = {
	.close = window_unmapped,
	.may_split = window_may_split,
	.mremap = window_mremap,
	.mprotect = window_mprotect,
	.fault = window_fault,
	.map_pages = window_map_pages,
};

/*
 * mmap() of the device is refused; this is reached from window_map() alone. The mapping is
 * made executable here, since /dev may be mounted noexec. VM_IO keeps MADV_DOFORK and
 * MADV_DODUMP away, and all that would pin the pages.
 */
static int window_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct eg_process *process = filp->private_data;

	if (vma->vm_mm != process->mm || vma->vm_start != ELISA_WINDOW_BASE ||
	    vma->vm_end != ELISA_WINDOW_BASE + ELISA_WINDOW_SIZE)
		return -EINVAL;
	eg_vma_flags_set(vma, VM_READ | VM_MAYREAD | VM_EXEC | VM_MAYEXEC | VM_IO | VM_PFNMAP |
				      VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_private_data = process;
	vma->vm_ops = &window_vm_ops;
	mutex_lock(&process->lock);
	process->window = vma;
	mutex_unlock(&process->lock);
	return 0;
}

static int window_file_release(struct inode *inode, struct file *filp)
{
	eg_process_put(filp->private_data);
	return 0;
}

static const struct file_operations window_fops = {
	.owner = THIS_MODULE,
	.mmap = window_mmap,
	.release = window_file_release,
};

/* What is in the way, for the message. */
static u64 window_taken_at(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	u64 at = 0;

	mmap_read_lock(mm);
	vma = find_vma_intersection(mm, ELISA_WINDOW_BASE, ELISA_WINDOW_BASE + ELISA_WINDOW_SIZE);
	if (vma)
		at = vma->vm_start;
	mmap_read_unlock(mm);
	return at;
}

static int window_map(struct eg_process *process, struct elisa_status *status)
{
	struct eg_process *reference;
	unsigned long address;
	struct file *filp;

	/* The mapping holds the file, the file holds the process. */
	reference = eg_process_get(process->mm);
	if (IS_ERR(reference))
		return PTR_ERR(reference);
	filp = anon_inode_getfile("[elisa-window]", &window_fops, reference, O_RDONLY);
	if (IS_ERR(filp)) {
		eg_process_put(reference);
		return PTR_ERR(filp);
	}
	address = vm_mmap(filp, ELISA_WINDOW_BASE, ELISA_WINDOW_SIZE, PROT_NONE,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, 0);
	fput(filp);
	if (!IS_ERR_VALUE(address))
		return 0;
	if (address == -EEXIST)
		return eg_refuse(status, -EADDRINUSE, ELISA_WHY_WINDOW,
				 window_taken_at(process->mm));
	return eg_refuse(status, address, ELISA_WHY_WINDOW, ELISA_WINDOW_BASE);
}

/* Reserves the window, unless it is. The process is current's; attach_lock is held. */
int eg_window_open(struct eg_process *process, struct elisa_status *status)
{
	bool open;

	lockdep_assert_held(&process->attach_lock);
	mutex_lock(&process->lock);
	open = process->window;
	mutex_unlock(&process->lock);
	return open ? 0 : window_map(process, status);
}

/*
 * Puts a stub into a slot; frees it if the slot has the same already. A thread may still
 * be in the slot's old stub: that page is unmapped before it is freed. Under mmap_lock (at
 * least for reading) and process->lock, with the window open.
 */
void eg_window_set_stub(struct eg_process *process, u32 slot, void *stub, u32 entry)
{
	void *old = process->stub[slot];

	lockdep_assert_held(&process->lock);
	if (old && !memcmp(old, stub, PAGE_SIZE)) {
		free_page((unsigned long)stub);
		return;
	}
	process->stub[slot] = stub;
	WRITE_ONCE(process->entry[slot], entry);
	if (old) {
		eg_zap(process->window,
		       ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + ELISA_CODE_OFFSET, PAGE_SIZE);
		free_page((unsigned long)old);
	}
}
