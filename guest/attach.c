// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach a process to an export, and detach it. A slot that the host has given must be
 * usable on every vCPU or be given back; its exchange buffer stays pinned until the host
 * has let go of it.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/pgtable.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "gate_page.h"
#include "guest.h"
#include "trace.h"

/*
 * Which attachment has a slot, of all processes. The host gives a slot to one attachment at a time.
 * If the driver finds another one there, the host has forgotten it, as when this VM's state was
 * restored on another host. The older attachment must not end its successor. The lock is held while
 * the driver asks the host.
 */
static DEFINE_MUTEX(slots_lock);
static struct eg_attachment *slots[ELISA_SLOTS];

static void slot_take(struct eg_attachment *attachment)
{
	struct eg_attachment *before = slots[attachment->slot];

	lockdep_assert_held(&slots_lock);
	if (before)
		before->stale = true;
	slots[attachment->slot] = attachment;
}

static int host_detach(u32 slot, struct elisa_status *status)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_DETACH);
	int ret;

	page->detach.slot = slot;
	ret = eg_hypercall(page, status);
	eg_page_put(page);
	return ret;
}

/*
 * Makes the host let go of the slot. If it does not, what it goes on using stays for ever: the
 * pinned pages, which the caller must keep, and the mm, whose page-table root would become
 * another process's, which would then be the attached one.
 */
static bool host_lets_go(struct eg_process *process, struct eg_attachment *attachment)
{
	struct elisa_status status = {};
	u32 slot = attachment->slot;
	int ret = 0;

	mutex_lock(&slots_lock);
	if (!attachment->stale) {
		ret = host_detach(slot, &status);
		slots[slot] = NULL;
	}
	mutex_unlock(&slots_lock);
	if (!ret || status.why == ELISA_WHY_NO_ATTACHMENT || status.why == ELISA_WHY_NO_HOST)
		return true;
	mmgrab(process->mm);
	pr_warn("slot %u: the host keeps the attachment (error %d, reason %u)\n", slot, ret,
		status.why);
	return false;
}

/* Unpins the donated pages, or leaves them pinned. */
static void donations_end(struct eg_process *process, struct eg_attachment *attachment, bool unpin)
{
	struct eg_donation *donation, *next;

	list_for_each_entry_safe(donation, next, &attachment->donations, node) {
		if (unpin)
			eg_unpin(process->mm, donation->pages, donation->count);
		list_del(&donation->node);
		kvfree(donation);
	}
}

/* Cannot fail: memory that the host could not release stays pinned for ever. */
static void attachment_end(struct eg_process *process, struct eg_attachment *attachment)
{
	bool gone = host_lets_go(process, attachment);

	trace_elisa_guest_detach(attachment->slot);
	if (gone)
		eg_unpin(process->mm, attachment->pages, attachment->count);
	donations_end(process, attachment, gone);
	eg_vcpus_release();
	list_del(&attachment->node);
	kvfree(attachment);
}

/* Ends a process's attachments: those of a file, or all. */
void eg_detach_all(struct eg_process *process, struct eg_file *file)
{
	struct eg_attachment *attachment, *next;

	mutex_lock(&process->lock);
	list_for_each_entry_safe(attachment, next, &process->attachments, node)
		if (!file || attachment->file == file)
			attachment_end(process, attachment);
	mutex_unlock(&process->lock);
}

/* The oldest; or the one that the host knows. */
static struct eg_attachment *attachment_of(struct eg_process *process, struct eg_file *file,
					   u32 slot, bool known)
{
	struct eg_attachment *attachment;

	list_for_each_entry(attachment, &process->attachments, node)
		if (attachment->slot == slot && attachment->file == file &&
		    !(known && attachment->stale))
			return attachment;
	return NULL;
}

int eg_detach(struct eg_file *file, struct elisa_ioc_detach *arg)
{
	struct eg_process *process = READ_ONCE(file->process);
	struct eg_attachment *attachment;
	int ret = eg_refuse(&arg->status, -ENOENT, ELISA_WHY_NO_ATTACHMENT, arg->slot);

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	if (!process)
		return ret;
	mutex_lock(&process->lock);
	attachment = attachment_of(process, file, arg->slot, false);
	if (attachment) {
		attachment_end(process, attachment);
		ret = eg_refuse(&arg->status, 0, ELISA_OK, 0);
	}
	mutex_unlock(&process->lock);
	return ret;
}

static int attach_check(const struct elisa_ioc_attach *arg, struct elisa_status *status)
{
	unsigned long cr4 = native_read_cr4();

	/*
	 * The guarded stub needs both: without FSGSBASE ring 3 cannot undo what a manager's
	 * code does to its FS base, without XSAVE it cannot hide its vector registers.
	 */
	if (!(arg->flags & ELISA_ATTACH_TRUST_MANAGER) &&
	    (cr4 & (X86_CR4_FSGSBASE | X86_CR4_OSXSAVE)) != (X86_CR4_FSGSBASE | X86_CR4_OSXSAVE))
		return eg_refuse(status, -EOPNOTSUPP, ELISA_WHY_VCPU_STATE, cr4);
	if ((arg->flags & ~ELISA_ATTACH_FLAGS) || arg->pad)
		return eg_refuse(status, -EINVAL, ELISA_WHY_FIELD, arg->flags | arg->pad);
	if (!PAGE_ALIGNED(arg->exchange) || !arg->exchange != !arg->exchange_length)
		return eg_refuse(status, -EINVAL, ELISA_WHY_ADDRESS, arg->exchange);
	if (!PAGE_ALIGNED(arg->exchange_length) ||
	    arg->exchange_length > ELISA_EXCHANGE_MAX_PAGES * PAGE_SIZE)
		return eg_refuse(status, -EINVAL, ELISA_WHY_RANGE, arg->exchange_length);
	if (arg->exchange > TASK_SIZE_MAX - arg->exchange_length)
		return eg_refuse(status, -EFAULT, ELISA_WHY_ADDRESS, arg->exchange);
	return 0;
}

/* What CR3 points at while the process is in user mode. */
static u64 user_root(struct mm_struct *mm)
{
	u64 root = virt_to_phys(mm->pgd);

	return boot_cpu_has(X86_FEATURE_PTI) ? root + PAGE_SIZE : root;
}

static int host_attach(struct eg_attachment *attachment, struct mm_struct *mm,
		       struct elisa_ioc_attach *arg)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_ATTACH);
	u32 i;
	int ret;

	memcpy(page->attach.name, arg->name, sizeof(arg->name));
	memcpy(page->attach.ticket, arg->ticket, sizeof(arg->ticket));
	page->attach.root = user_root(mm);
	page->attach.user_cs = __USER_CS;
	page->attach.user_ss = __USER_DS;
	page->attach.exchange_pages = attachment->count;
	for (i = 0; i < attachment->count; i++)
		page->attach.exchange[i] = page_to_phys(attachment->pages[i]);
	mutex_lock(&slots_lock);
	ret = eg_ask(page, &arg->status, &slots_lock);
	attachment->slot = page->attach.slot;
	if (!ret && attachment->slot < ELISA_SLOTS)
		slot_take(attachment);
	mutex_unlock(&slots_lock);
	arg->slot = page->attach.slot;
	arg->mode = page->attach.mode;
	arg->export_flags = page->attach.export_flags;
	arg->place = page->attach.place;
	eg_page_put(page);
	if (!ret && WARN_ON_ONCE(attachment->slot >= ELISA_SLOTS))
		ret = -EPROTO;
	return ret;
}

static unsigned int stub_flags(const struct elisa_ioc_attach *arg)
{
	unsigned long cr4 = native_read_cr4();
	unsigned int flags = 0;

	if (arg->flags & ELISA_ATTACH_TRUST_MANAGER)
		flags |= ELISA_STUB_TRUSTING;
	if (!(arg->export_flags & ELISA_EXPORT_GENERAL_REGS))
		flags |= ELISA_STUB_FULL;
	if (cr4 & X86_CR4_FSGSBASE)
		flags |= ELISA_STUB_FSGSBASE;
	if (cr4 & X86_CR4_PKE)
		flags |= ELISA_STUB_PKU;
	if (cr4 & X86_CR4_OSXSAVE)
		flags |= ELISA_STUB_XSAVE;
	return flags;
}

/* Makes a slot that the host has given callable. Afterwards the process owns the attachment. */
static int attach_publish(struct eg_process *process, struct eg_attachment *attachment, void *stub,
			  struct elisa_ioc_attach *arg)
{
	u32 slot = attachment->slot;
	u64 base = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE;
	u32 entry;

	arg->call = base + ELISA_CODE_OFFSET +
		    elisa_guest_stub_build(stub, slot, arg->mode, stub_flags(arg));
	arg->exchange_in_sub = attachment->count ? base + ELISA_EXCHANGE_OFFSET : 0;
	entry = arg->mode == ELISA_MODE_STRICT ? ELISA_STRICT_ENTRY(slot) :
						 ELISA_TRUSTED_ENTRY(slot);

	mmap_read_lock(process->mm);
	mutex_lock(&process->lock);
	if (!process->window) { /* another thread has unmapped it meanwhile */
		mutex_unlock(&process->lock);
		mmap_read_unlock(process->mm);
		return eg_refuse(&arg->status, -EADDRINUSE, ELISA_WHY_WINDOW, ELISA_WINDOW_BASE);
	}
	eg_window_set_stub(process, slot, stub, entry);
	list_add_tail(&attachment->node, &process->attachments);
	mutex_unlock(&process->lock);
	mmap_read_unlock(process->mm);
	return 0;
}

static struct eg_attachment *attachment_new(struct eg_file *file, u32 count)
{
	struct eg_attachment *attachment;

	attachment = kvzalloc(struct_size(attachment, pages, count), GFP_KERNEL_ACCOUNT);
	if (attachment) {
		INIT_LIST_HEAD(&attachment->donations);
		attachment->file = file;
		attachment->count = count;
	}
	return attachment;
}

/* The file's process; the file belongs to current's mm already. */
static struct eg_process *file_process(struct eg_file *file)
{
	struct eg_process *process = READ_ONCE(file->process);

	if (process)
		return process;
	process = eg_process_get(file->mm);
	if (!IS_ERR(process) && cmpxchg(&file->process, NULL, process)) /* another thread did */
		eg_process_put(process);
	return process;
}

int eg_attach(struct eg_file *file, struct elisa_ioc_attach *arg)
{
	struct eg_attachment *attachment;
	struct eg_process *process;
	void *stub;
	int ret;

	ret = attach_check(arg, &arg->status);
	if (ret)
		return ret;
	process = file_process(file);
	if (IS_ERR(process))
		return PTR_ERR(process);
	if (mutex_lock_killable(&process->attach_lock))
		return -EINTR;
	ret = eg_window_open(process, &arg->status);
	if (ret)
		goto err_unlock;
	ret = -ENOMEM;
	stub = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!stub)
		goto err_unlock;
	attachment = attachment_new(file, arg->exchange_length >> PAGE_SHIFT);
	if (!attachment)
		goto err_stub;
	ret = eg_pin(process->mm, arg->exchange, attachment->count, attachment->pages,
		     &arg->status);
	if (ret)
		goto err_free;
	eg_doorbell_renew();
	ret = host_attach(attachment, process->mm, arg);
	if (ret)
		goto err_unpin;
	ret = eg_vcpus_sync(&arg->status);
	if (ret)
		goto err_detach;
	ret = attach_publish(process, attachment, stub, arg);
	if (ret)
		goto err_vcpus;
	trace_elisa_guest_attach(arg);
	mutex_unlock(&process->attach_lock);
	return 0;

err_vcpus:
	eg_vcpus_release();
err_detach:
	if (!host_lets_go(process, attachment))
		goto err_free;
err_unpin:
	eg_unpin(process->mm, attachment->pages, attachment->count);
err_free:
	kvfree(attachment);
err_stub:
	free_page((unsigned long)stub);
err_unlock:
	mutex_unlock(&process->attach_lock);
	return ret;
}

/*
 * One hypercall's worth of a range that is pinned. The attachment is looked for under the lock that
 * ends it, so that the slot cannot be another attachment's by then.
 */
static int donate_some(struct eg_process *process, struct eg_file *file, struct eg_range *range,
		       struct elisa_ioc_donate *arg)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_DONATE);
	struct eg_attachment *attachment;
	struct eg_donation *donation;
	u32 order, count, pages;
	int ret = -ENOMEM;

	count = eg_range_next(range, page->donate.gpa, ELISA_HC_DONATE_PAGES, &order);
	pages = count << order;
	donation = kvmalloc(struct_size(donation, pages, pages), GFP_KERNEL_ACCOUNT);
	if (!donation)
		goto out;
	donation->count = pages;
	memcpy(donation->pages, range->pages + range->done, pages * sizeof(*range->pages));
	page->donate.slot = arg->slot;
	page->donate.count = count;
	page->donate.order = order;
	mutex_lock(&process->lock);
	mutex_lock(&slots_lock);
	attachment = attachment_of(process, file, arg->slot, true);
	if (attachment)
		ret = eg_hypercall(page, &arg->status);
	else
		ret = eg_refuse(&arg->status, -ENOENT, ELISA_WHY_NO_ATTACHMENT, arg->slot);
	mutex_unlock(&slots_lock);
	if (!ret) {
		list_add_tail(&donation->node, &attachment->donations);
		range->done += pages;
		arg->donated = page->donate.donated << PAGE_SHIFT;
	}
	mutex_unlock(&process->lock);
	if (!ret)
		goto out;
	kvfree(donation);
	if (eg_range_shrink(range, page->donate.gpa, count, order, &arg->status))
		ret = 0;
out:
	eg_page_put(page);
	return ret;
}

/* Pinned first, for that may wait. What the host has not taken is let go. */
static int donate_chunk(struct eg_process *process, struct eg_file *file, u64 address, u32 count,
			struct elisa_ioc_donate *arg)
{
	/* what the place is aligned to only the host knows */
	struct eg_range range = {.offset = address, .count = count, .largest = ELISA_ORDER_1G};
	int ret;

	range.pages = kvmalloc_array(count, sizeof(*range.pages), GFP_KERNEL_ACCOUNT);
	if (!range.pages)
		return -ENOMEM;
	ret = eg_pin(process->mm, address, count, range.pages, &arg->status);
	if (!ret) {
		while (!ret && range.done < count) {
			ret = donate_some(process, file, &range, arg);
			if (!ret && fatal_signal_pending(current))
				ret = -EINTR;
			cond_resched();
		}
		eg_unpin(process->mm, range.pages + range.done, count - range.done);
	}
	kvfree(range.pages);
	return ret;
}

/* Memory that was donated before a failure stays donated, and the result says so. It goes with the
 * attachment. */
int eg_donate(struct eg_file *file, struct elisa_ioc_donate *arg)
{
	struct eg_process *process = READ_ONCE(file->process);
	u64 done = 0;
	int ret = 0;

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	if (!arg->length)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_NO_PAGES, 0);
	if (!PAGE_ALIGNED(arg->address))
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_ADDRESS, arg->address);
	if (!PAGE_ALIGNED(arg->length) || arg->length > ELISA_OBJECT_SIZE)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_RANGE, arg->length);
	if (arg->address > TASK_SIZE_MAX || arg->length > TASK_SIZE_MAX - arg->address)
		return eg_refuse(&arg->status, -EFAULT, ELISA_WHY_ADDRESS, arg->address);
	if (!process)
		return eg_refuse(&arg->status, -ENOENT, ELISA_WHY_NO_ATTACHMENT, arg->slot);
	while (!ret && done < arg->length) {
		u32 count = eg_chunk(arg->address + done, arg->length - done);

		ret = donate_chunk(process, file, arg->address + done, count, arg);
		done += (u64)count << PAGE_SHIFT;
	}
	return ret;
}
