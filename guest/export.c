// SPDX-License-Identifier: GPL-2.0-only
/*
 * A manager's exports. They belong to the open file that made them and end with it. A
 * page may be unpinned only after the host has let go of it.
 */
#include <linux/capability.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "guest.h"

/* A stale export's id is another's now; it waits for the file to be closed. */
static struct eg_export *export_find(struct eg_file *file, u32 id)
{
	struct eg_export *export;

	lockdep_assert_held(&file->lock);
	list_for_each_entry(export, &file->exports, node)
		if (export->id == id && !READ_ONCE(export->stale))
			return export;
	return NULL;
}

static int host_unmap(struct eg_export *export, u64 offset, u64 count, struct elisa_status *status)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_EXPORT_UNMAP);
	int ret;

	page->unmap.id = export->id;
	page->unmap.offset = offset;
	page->unmap.count = count;
	ret = eg_hypercall(page, status);
	eg_page_put(page);
	return ret;
}

/* Unpins what the run has in [offset, end). */
static void run_drop(struct eg_export *export, struct eg_run *run, u64 offset, u64 end)
{
	u32 i;

	for (i = 0; i < run->count; i++) {
		u64 at = run->offset + (u64)i * PAGE_SIZE;

		if (at < offset || at >= end || !run->pages[i])
			continue;
		eg_unpin(export->file->mm, &run->pages[i], 1);
		run->pages[i] = NULL;
		run->live--;
	}
	if (!run->live) {
		list_del(&run->node);
		kvfree(run);
	}
}

static void runs_drop(struct eg_export *export, u64 offset, u64 end)
{
	struct eg_run *run, *next;

	list_for_each_entry_safe(run, next, &export->runs, node)
		run_drop(export, run, offset, end);
}

/* Forgets the pages without unpinning them: the host may still map them. */
static void runs_leak(struct eg_export *export)
{
	struct eg_run *run, *next;

	list_for_each_entry_safe(run, next, &export->runs, node) {
		list_del(&run->node);
		kvfree(run);
	}
}

int eg_export_create(struct eg_file *file, struct elisa_ioc_export *arg)
{
	struct eg_export *export;
	struct elisa_hc_page *page;
	int ret;

	export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return -ENOMEM;
	INIT_LIST_HEAD(&export->runs);
	export->file = file;

	eg_doorbell_renew();
	page = eg_page_get(ELISA_HC_EXPORT_CREATE);
	memcpy(page->export_.name, arg->name, sizeof(arg->name));
	memcpy(page->export_.ticket, arg->ticket, sizeof(arg->ticket));
	page->export_.flags = arg->flags;
	page->export_.limit_us = arg->limit_us;
	page->export_.suspend_us = arg->suspend_us;
	if (mutex_lock_killable(&file->lock)) {
		ret = -EINTR;
		goto err_page;
	}
	ret = eg_ask(page, &arg->status, NULL);
	if (ret)
		goto err;
	export->id = page->export_.id;
	ret = eg_events_add_export(export);
	if (ret)
		goto err_destroy;
	arg->id = export->id;
	list_add_tail(&export->node, &file->exports);
	mutex_unlock(&file->lock);
	eg_page_put(page);
	return 0;

err_destroy:
	page->call = ELISA_HC_EXPORT_DESTROY;
	page->destroy.id = export->id;
	page->destroy.pad = 0;
	eg_hypercall(page, &arg->status);
	eg_refuse(&arg->status, ret, ELISA_OK, 0);
err:
	mutex_unlock(&file->lock);
err_page:
	eg_page_put(page);
	kfree(export);
	return ret;
}

static int map_check(const struct elisa_ioc_map *arg, u64 limit, struct elisa_status *status)
{
	if (!arg->length)
		return eg_refuse(status, -EINVAL, ELISA_WHY_NO_PAGES, 0);
	if (!PAGE_ALIGNED(arg->address))
		return eg_refuse(status, -EINVAL, ELISA_WHY_ADDRESS, arg->address);
	if (!PAGE_ALIGNED(arg->length) || arg->length > ELISA_OBJECT_SIZE)
		return eg_refuse(status, -EINVAL, ELISA_WHY_RANGE, arg->length);
	if (!PAGE_ALIGNED(arg->offset) || arg->offset > ELISA_OBJECT_SIZE - arg->length)
		return eg_refuse(status, -EINVAL, ELISA_WHY_RANGE, arg->offset);
	if (arg->prot != ELISA_PROT_READ && arg->prot != (ELISA_PROT_READ | ELISA_PROT_WRITE) &&
	    arg->prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
		return eg_refuse(status, -EINVAL, ELISA_WHY_PROT, arg->prot);
	if (arg->address > limit || arg->length > limit - arg->address)
		return eg_refuse(status, -EFAULT, ELISA_WHY_ADDRESS, arg->address);
	return 0;
}

/* Guest-physical memory that this kernel does not manage: memory behind a PCI BAR, say. */
static int physical_check(const struct elisa_ioc_map *arg, struct elisa_status *status)
{
	if (!capable(CAP_SYS_RAWIO))
		return eg_refuse(status, -EPERM, ELISA_WHY_CAPABILITY, CAP_SYS_RAWIO);
	if (region_intersects(arg->address, arg->length, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT)
		return eg_refuse(status, -EINVAL, ELISA_WHY_SYSTEM_RAM, arg->address);
	return 0;
}

/* Makes the host map the range. If a request fails, range->done is what the host has mapped. */
static int map_range(struct eg_export *export, struct eg_range *range, u32 prot,
		     struct elisa_status *status)
{
	struct elisa_hc_page *page;
	int ret = 0;

	while (!ret && range->done < range->count) {
		if (signal_pending(current))
			return -EINTR;
		page = eg_page_get(ELISA_HC_EXPORT_MAP);
		page->map.id = export->id;
		page->map.prot = prot;
		page->map.offset = range->offset + (range->done << PAGE_SHIFT);
		page->map.count =
			eg_range_next(range, page->map.gpa, ELISA_HC_MAP_PAGES, &page->map.order);
		ret = eg_hypercall(page, status);
		if (!ret)
			range->done += (u64)page->map.count << page->map.order;
		else if (eg_range_shrink(range, page->map.gpa, page->map.count, page->map.order,
					 status))
			ret = 0;
		eg_page_put(page);
		cond_resched();
	}
	return ret;
}

/* Pins what the range is of. It stays pinned until runs_drop(). */
static int pin_range(struct eg_export *export, struct eg_range *range, u64 address,
		     struct elisa_status *status)
{
	struct eg_run *run;
	int ret;

	run = kvmalloc(struct_size(run, pages, range->count), GFP_KERNEL_ACCOUNT);
	if (!run)
		return -ENOMEM;
	ret = eg_pin(export->file->mm, address, range->count, run->pages, status);
	if (ret) {
		kvfree(run);
		return ret;
	}
	run->offset = range->offset;
	run->count = range->count;
	run->live = range->count;
	list_add_tail(&run->node, &export->runs);
	range->pages = run->pages;
	return 0;
}

/* After a failure in the middle nothing of the request stays mapped. */
static void map_undo(struct eg_export *export, u64 offset, u64 mapped, u64 pinned)
{
	struct elisa_status status;

	if (mapped && host_unmap(export, offset, mapped >> PAGE_SHIFT, &status))
		pr_warn("export %u: cannot unmap %#llx bytes at %#llx after a failure, reason %u\n",
			export->id, mapped, offset, status.why);
	else
		runs_drop(export, offset, offset + pinned);
}

/* Of physical memory nothing is pinned: no kernel of this VM moves it. */
static int map_chunks(struct eg_export *export, struct elisa_ioc_map *arg, bool physical)
{
	u64 done = 0, chunk;
	int ret;

	do {
		struct eg_range range = {
			.address = arg->address + done,
			.offset = arg->offset + done,
			.count = eg_chunk(arg->address + done, arg->length - done),
			.largest = arg->prot & ELISA_PROT_EXEC ? ELISA_ORDER_4K : ELISA_ORDER_1G,
		};

		chunk = range.count << PAGE_SHIFT;
		ret = physical ? 0 : pin_range(export, &range, range.address, &arg->status);
		if (ret)
			chunk = 0;
		else
			ret = map_range(export, &range, arg->prot, &arg->status);
		if (ret) {
			map_undo(export, arg->offset, done + (range.done << PAGE_SHIFT),
				 done + chunk);
			return ret;
		}
		done += chunk;
	} while (done < arg->length);
	return 0;
}

static int map(struct eg_file *file, struct elisa_ioc_map *arg, bool physical)
{
	struct eg_export *export;
	int ret;

	if (mutex_lock_killable(&file->lock))
		return -EINTR;
	export = export_find(file, arg->id);
	if (export)
		ret = map_chunks(export, arg, physical);
	else
		ret = eg_refuse(&arg->status, -ENOENT, ELISA_WHY_NO_EXPORT, arg->id);
	mutex_unlock(&file->lock);
	return ret;
}

int eg_export_map(struct eg_file *file, struct elisa_ioc_map *arg)
{
	int ret = map_check(arg, TASK_SIZE_MAX, &arg->status);

	return ret ? ret : map(file, arg, false);
}

int eg_export_map_physical(struct eg_file *file, struct elisa_ioc_map *arg)
{
	int ret = map_check(arg, 1ULL << boot_cpu_data.x86_phys_bits, &arg->status);

	if (!ret)
		ret = physical_check(arg, &arg->status);
	return ret ? ret : map(file, arg, true);
}

int eg_export_unmap(struct eg_file *file, struct elisa_ioc_unmap *arg)
{
	struct eg_export *export;
	int ret;

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	if (!arg->length)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_NO_PAGES, 0);
	if (!PAGE_ALIGNED(arg->length) || arg->length > ELISA_OBJECT_SIZE)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_RANGE, arg->length);
	if (!PAGE_ALIGNED(arg->offset) || arg->offset > ELISA_OBJECT_SIZE - arg->length)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_RANGE, arg->offset);
	if (mutex_lock_killable(&file->lock))
		return -EINTR;
	export = export_find(file, arg->id);
	if (!export) {
		ret = eg_refuse(&arg->status, -ENOENT, ELISA_WHY_NO_EXPORT, arg->id);
		goto out;
	}
	ret = host_unmap(export, arg->offset, arg->length >> PAGE_SHIFT, &arg->status);
	if (!ret)
		runs_drop(export, arg->offset, arg->offset + arg->length);
out:
	mutex_unlock(&file->lock);
	return ret;
}

/* Begins a request about an export of the file. Returns the page with
 * file->lock held, or an error. */
static struct elisa_hc_page *request_begin(struct eg_file *file, enum elisa_hc call, u32 id,
					   struct elisa_status *status)
{
	if (mutex_lock_killable(&file->lock))
		return ERR_PTR(-EINTR);
	if (export_find(file, id))
		return eg_page_get(call);
	mutex_unlock(&file->lock);
	return ERR_PTR(eg_refuse(status, -ENOENT, ELISA_WHY_NO_EXPORT, id));
}

/* Asks the host, and lets go of page and file->lock. */
static int request_end(struct eg_file *file, struct elisa_hc_page *page,
		       struct elisa_status *status)
{
	int ret = eg_hypercall(page, status);

	eg_page_put(page);
	mutex_unlock(&file->lock);
	return ret;
}

int eg_export_publish(struct eg_file *file, struct elisa_ioc_publish *arg)
{
	struct elisa_hc_page *page;

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	page = request_begin(file, ELISA_HC_EXPORT_PUBLISH, arg->id, &arg->status);
	if (IS_ERR(page))
		return PTR_ERR(page);
	page->publish.id = arg->id;
	page->publish.entry = arg->entry;
	return request_end(file, page, &arg->status);
}

int eg_export_places(struct eg_file *file, struct elisa_ioc_places *arg)
{
	struct elisa_hc_page *page;

	if (!PAGE_ALIGNED(arg->size))
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_RANGE, arg->size);
	page = request_begin(file, ELISA_HC_EXPORT_PLACES, arg->id, &arg->status);
	if (IS_ERR(page))
		return PTR_ERR(page);
	page->places.id = arg->id;
	page->places.count = arg->count;
	page->places.offset = arg->offset;
	page->places.size = arg->size >> PAGE_SHIFT;
	page->places.per_vmm = arg->per_vmm;
	return request_end(file, page, &arg->status);
}

int eg_export_ticket(struct eg_file *file, struct elisa_ioc_ticket *arg)
{
	struct elisa_hc_page *page;

	page = request_begin(file, ELISA_HC_EXPORT_TICKET, arg->id, &arg->status);
	if (IS_ERR(page))
		return PTR_ERR(page);
	page->ticket.id = arg->id;
	page->ticket.place = arg->place;
	memcpy(page->ticket.ticket, arg->ticket, sizeof(arg->ticket));
	return request_end(file, page, &arg->status);
}

int eg_export_evict(struct eg_file *file, struct elisa_ioc_evict *arg)
{
	struct elisa_hc_page *page;

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	page = request_begin(file, ELISA_HC_EVICT, arg->id, &arg->status);
	if (IS_ERR(page))
		return PTR_ERR(page);
	page->evict.id = arg->id;
	page->evict.attachment = arg->attachment;
	return request_end(file, page, &arg->status);
}

/*
 * Cannot fail. An export that the host does not know has no pages there. If the host could not
 * release the pages, they stay pinned for ever.
 */
static void export_free(struct eg_export *export)
{
	bool stale = eg_events_remove_export(export);
	struct elisa_status status = {};
	struct elisa_hc_page *page;
	int ret = 0;

	if (!stale) {
		page = eg_page_get(ELISA_HC_EXPORT_DESTROY);
		page->destroy.id = export->id;
		ret = eg_hypercall(page, &status);
		eg_page_put(page);
	}
	if (!ret || status.why == ELISA_WHY_NO_EXPORT || status.why == ELISA_WHY_NO_HOST) {
		runs_drop(export, 0, ELISA_OBJECT_SIZE);
	} else {
		pr_warn("export %u: the host keeps its pages (error %d, reason %u)\n", export->id,
			ret, status.why);
		runs_leak(export);
	}
	list_del(&export->node);
	kfree(export);
}

int eg_export_destroy(struct eg_file *file, struct elisa_ioc_destroy *arg)
{
	struct eg_export *export;
	int ret = 0;

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	if (mutex_lock_killable(&file->lock))
		return -EINTR;
	export = export_find(file, arg->id);
	if (export)
		export_free(export);
	else
		ret = eg_refuse(&arg->status, -ENOENT, ELISA_WHY_NO_EXPORT, arg->id);
	mutex_unlock(&file->lock);
	return ret;
}

void eg_exports_release(struct eg_file *file)
{
	struct eg_export *export, *next;

	mutex_lock(&file->lock);
	list_for_each_entry_safe(export, next, &file->exports, node)
		export_free(export);
	mutex_unlock(&file->lock);
}
