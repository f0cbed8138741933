// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/elisa on the host: grants, lists and counters for the administrator. It needs
 * CAP_SYS_ADMIN at open and at use, and shows no address of the host or of a VM.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "base/base.h"
#include "base/spans.h"
#include "control/control.h"
#include "entry.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static long ioctl_grant(void __user *arg)
{
	struct elisa_host_grant grant;
	int r;

	if (copy_from_user(&grant, arg, sizeof(grant)))
		return -EFAULT;
	r = eh_grant_add(&grant);
	if (!r && copy_to_user(arg, &grant, sizeof(grant)))
		r = -EFAULT;
	return r;
}

static long ioctl_revoke(void __user *arg)
{
	struct elisa_host_revoke revoke;

	if (copy_from_user(&revoke, arg, sizeof(revoke)))
		return -EFAULT;
	if (revoke.pad)
		return -EINVAL;
	return eh_grant_remove(revoke.id);
}

/* ---- lists: each record is true by itself; VMs and exports may come and go between two of them */

#define LIST_ROOM 65536

/* What a walk fills: records that do not fit are counted only. */
struct records {
	u8 *to;
	u32 size, room, count;
};

static void add_record(struct records *records, const void *record)
{
	if (records->count < records->room)
		memcpy(records->to + (size_t)records->count * records->size, record, records->size);
	records->count++;
}

static void list_vm(struct records *records, struct eh_vm *vm)
{
	struct elisa_host_vm record = {.id = vm->id,
				       .pid = vm->pid,
				       .abi = READ_ONCE(vm->abi),
				       .pages = READ_ONCE(vm->vmm->held)};
	struct eh_export *export;
	struct eh_vcpu *vcpu;
	int i;

	spin_lock(&vm->lock);
	list_for_each_entry(vcpu, &vm->vcpus, node)
		record.vcpus++;
	for (i = 0; i < ELISA_SLOTS; i++)
		record.attachments += vm->slots[i] && vm->slots[i]->number;
	spin_lock(&eh_registry);
	list_for_each_entry(export, &vm->exports, node)
		record.exports++;
	spin_unlock(&eh_registry);
	spin_unlock(&vm->lock);
	add_record(records, &record);
}

static void list_vms(struct records *records)
{
	struct eh_vm *vm = NULL;

	while ((vm = eh_vm_next(vm)))
		list_vm(records, vm);
}

static void list_grants(struct records *records)
{
	struct eh_grant *grant;

	spin_lock(&eh_registry);
	list_for_each_entry(grant, &eh_grants, all) {
		struct elisa_host_grant_info record = {.id = grant->id,
						       .pid = grant->pid,
						       .rights = grant->rights,
						       .max_pages = grant->max_pages};

		memcpy(record.name, grant->name, ELISA_NAME_SIZE);
		add_record(records, &record);
	}
	spin_unlock(&eh_registry);
}

static void list_export(struct records *records, struct eh_export *export)
{
	struct elisa_host_export record = {
		.id = export->id,
		.vm = export->vm->id,
		.flags = export->flags,
		.limit_us = export->limit_us,
		.suspend_us = export->suspend_us,
		.aborts = atomic64_read(&export->aborts),
	};
	struct eh_attachment *attachment;

	spin_lock(&export->lock);
	record.state = export->state;
	record.pages = export->pages;
	record.tables = export->tables;
	eh_spans_report(&record.suspended, &export->suspended);
	list_for_each_entry(attachment, &export->attachments, node) {
		record.attachments++;
		eh_spans_report(&record.suspended, &attachment->suspended);
	}
	spin_unlock(&export->lock);
	memcpy(record.name, export->name, ELISA_NAME_SIZE);
	add_record(records, &record);
}

static void list_exports(struct records *records)
{
	struct eh_export *export = NULL;

	while ((export = eh_export_next(NULL, export)))
		list_export(records, export);
}

static void list_attachment(struct records *records, struct eh_attachment *attachment)
{
	struct elisa_host_attachment record = {.vm = attachment->vm->id,
					       .slot = attachment->slot,
					       .mode = attachment->mode,
					       .pages = eh_context_pages() + 1,
					       .flags = attachment->export_flags,
					       .aborts = atomic64_read(&attachment->aborts)};
	struct eh_context *context;

	spin_lock(&attachment->vm->lock);
	record.export_id = attachment->export ? attachment->export_id : 0;
	record.number = attachment->number;
	list_for_each_entry(context, &attachment->contexts, node) {
		record.vcpus++;
		record.calls += eh_context_calls(context);
	}
	spin_unlock(&attachment->vm->lock);
	eh_spans_report(&record.suspended, &attachment->suspended);
	memcpy(record.name, attachment->name, ELISA_NAME_SIZE);
	add_record(records, &record);
}

static void list_attachments(struct records *records)
{
	struct eh_attachment *attachment;
	struct eh_vm *vm = NULL;
	u32 slot;

	while ((vm = eh_vm_next(vm)))
		for (slot = 0; slot < ELISA_SLOTS; slot++) {
			attachment = eh_attachment_in(vm, slot);
			if (!attachment)
				continue;
			list_attachment(records, attachment);
			eh_attachment_put(attachment);
		}
}

static enum elisa_vcpu_state state_of(const struct eh_vcpu *vcpu)
{
	if (vcpu->phase == EH_SUSPENDED)
		return ELISA_VCPU_SUSPENDED;
	switch (vcpu->vmfunc) {
	case EH_VMFUNC_OPEN:
		return ELISA_VCPU_OPEN;
	case EH_VMFUNC_CLOSED:
		return ELISA_VCPU_CLOSED;
	default:
		return ELISA_VCPU_IDLE;
	}
}

/* Under vm->lock. */
static void list_vcpu(struct records *records, struct eh_vcpu *vcpu)
{
	struct elisa_host_vcpu record = {.vm = vcpu->vm->id, .vcpu = vcpu->kvm_vcpu->vcpu_idx};
	unsigned long flags;
	int slot;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS)
		record.calls += eh_context_calls(vcpu->slots[slot]);
	record.state = state_of(vcpu);
	record.closed = vcpu->vmfunc == EH_VMFUNC_OPEN ? ELISA_NOT_CLOSED : vcpu->closed;
	record.attachments = bitmap_weight(vcpu->used, ELISA_SLOTS);
	record.return_traps = vcpu->return_traps;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	add_record(records, &record);
}

/* A VM's lock is held as long as a revocation holds it, which goes over its vCPUs, too. */
static void list_vcpus(struct records *records)
{
	struct eh_vm *vm = NULL;
	struct eh_vcpu *vcpu;

	while ((vm = eh_vm_next(vm))) {
		spin_lock(&vm->lock);
		list_for_each_entry(vcpu, &vm->vcpus, node)
			list_vcpu(records, vcpu);
		spin_unlock(&vm->lock);
	}
}

static const struct {
	void (*walk)(struct records *records);
	u32 size;
} kinds[] = {
	[ELISA_HOST_VMS] = {list_vms, sizeof(struct elisa_host_vm)},
	[ELISA_HOST_GRANTS] = {list_grants, sizeof(struct elisa_host_grant_info)},
	[ELISA_HOST_EXPORTS] = {list_exports, sizeof(struct elisa_host_export)},
	[ELISA_HOST_ATTACHMENTS] = {list_attachments, sizeof(struct elisa_host_attachment)},
	[ELISA_HOST_VCPUS] = {list_vcpus, sizeof(struct elisa_host_vcpu)},
};

/* Into the caller's records, which may be shorter or longer than ours. */
static bool give_records(const struct records *records, const struct elisa_host_list *list)
{
	const u32 both = min(list->size, records->size), n = min(records->count, records->room);
	u8 __user *to = u64_to_user_ptr(list->records);
	u32 i;

	for (i = 0; i < n; i++, to += list->size)
		if (copy_to_user(to, records->to + (size_t)i * records->size, both) ||
		    clear_user(to + both, list->size - both))
			return false;
	return true;
}

static long ioctl_list(void __user *arg)
{
	struct records records = {};
	struct elisa_host_list list;
	long r = 0;

	if (copy_from_user(&list, arg, sizeof(list)))
		return -EFAULT;
	if (!list.kind || list.kind >= ARRAY_SIZE(kinds) || !list.size || list.size % 8 ||
	    list.size > ELISA_HOST_RECORD_MAX)
		return -EINVAL;
	records.size = kinds[list.kind].size;
	records.room = min_t(u32, list.room, LIST_ROOM);
	records.to = kvcalloc(records.room, records.size, GFP_KERNEL);
	if (!records.to)
		return -ENOMEM;
	kinds[list.kind].walk(&records);
	list.count = records.count;
	if (!give_records(&records, &list) || copy_to_user(arg, &list, sizeof(list)))
		r = -EFAULT;
	kvfree(records.to);
	return r;
}

static long ioctl_stats(void __user *arg)
{
	struct elisa_host_stats stats = {.abi = ELISA_ABI_VERSION,
					 .abi_oldest = ELISA_ABI_OLDEST,
					 .count = ELISA_COUNT_COUNT};
	int i, cpu;

	BUILD_BUG_ON(ELISA_COUNT_COUNT > ARRAY_SIZE(stats.counter));
	if (eh_cpu_leaks())
		stats.flags |= ELISA_HOST_CPU_BUG;
	if (eh_cpu_override())
		stats.flags |= ELISA_HOST_OVERRIDE;
	if (eh_hooks_armed())
		stats.flags |= ELISA_HOST_ARMED;
	for (i = 0; i < ELISA_COUNT_COUNT; i++)
		for_each_possible_cpu(cpu)
			stats.counter[i] += READ_ONCE(per_cpu(eh_counts, cpu).of[i]);
	return copy_to_user(arg, &stats, sizeof(stats)) ? -EFAULT : 0;
}

static long admin_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (command) {
	case ELISA_HOST_IOC_GRANT:
		return ioctl_grant(user);
	case ELISA_HOST_IOC_REVOKE:
		return ioctl_revoke(user);
	case ELISA_HOST_IOC_LIST:
		return ioctl_list(user);
	case ELISA_HOST_IOC_STATS:
		return ioctl_stats(user);
	case ELISA_HOST_IOC_WATCH:
		return eh_events_watch(file, user);
	}
	return -ENOTTY;
}

static int admin_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* the device's, so far; from here on: of events_file.c */
	file->private_data = NULL;
	return nonseekable_open(inode, file);
}

static int admin_release(struct inode *inode, struct file *file)
{
	eh_events_release(file);
	return 0;
}

static const struct file_operations admin_fops = {
	.owner = THIS_MODULE,
	.open = admin_open,
	.release = admin_release,
	.read = eh_events_read,
	.poll = eh_events_poll,
	.unlocked_ioctl = admin_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice admin_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "elisa",
	.mode = 0600,
	.fops = &admin_fops,
};

int eh_admin_init(void)
{
	return misc_register(&admin_device);
}

void eh_admin_exit(void)
{
	misc_deregister(&admin_device);
}
