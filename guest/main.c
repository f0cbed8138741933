// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/elisa inside a VM: the module's life, the open files and their ioctls. Each ioctl
 * is copied in once and never read from user memory again.
 */
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <elisa/release.h>

#include "guest.h"

static int hello(struct elisa_status *status, struct elisa_hc_hello *answer)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_HELLO);
	int ret;

	page->hello.abi = ELISA_ABI_VERSION;
	ret = eg_hypercall(page, status);
	*answer = page->hello;
	eg_orders_set(answer->flags);
	eg_page_put(page);
	return ret;
}

/* The host drops all that this VM exports and all that it is attached to. */
static int reset_host(void)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_RESET);
	struct elisa_status status;
	int ret = eg_hypercall(page, &status);

	eg_page_put(page);
	return ret;
}

static int eg_open(struct inode *inode, struct file *filp)
{
	struct eg_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	INIT_LIST_HEAD(&file->exports);
	eg_events_open(file);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

/* No ioctl runs any more. */
static int eg_release(struct inode *inode, struct file *filp)
{
	struct eg_file *file = filp->private_data;

	if (file->process) {
		eg_detach_all(file->process, file);
		eg_process_put(file->process);
	}
	eg_exports_release(file);
	eg_events_release(file);
	eg_doorbell_release(file);
	if (file->mm)
		mmdrop(file->mm);
	kfree(file);
	return 0;
}

/*
 * A file belongs to the process that uses it first: what it has mapped and attached is
 * that process's memory. A child that inherits it, or the next program after exec(), has
 * to open the device itself.
 */
static int bind_to_process(struct eg_file *file, struct elisa_status *status)
{
	struct mm_struct *mm = READ_ONCE(file->mm);

	if (!mm) {
		mmgrab(current->mm);
		mm = cmpxchg(&file->mm, NULL, current->mm);
		if (!mm)
			return 0;
		mmdrop(current->mm);
	}
	if (mm != current->mm)
		return eg_refuse(status, -EPERM, ELISA_WHY_STATE, 0);
	return 0;
}

static int info(struct elisa_ioc_info *arg)
{
	struct elisa_hc_hello answer = {};
	int ret;

	if (arg->abi < ELISA_ABI_OLDEST || arg->abi > ELISA_ABI_VERSION)
		return eg_refuse(&arg->status, -EPROTO, ELISA_WHY_ABI, ELISA_ABI_VERSION);
	ret = hello(&arg->status, &answer);
	arg->flags = answer.flags & (ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH);
	memcpy(arg->exits, answer.exits, sizeof(arg->exits));
	arg->return_traps = answer.return_traps;
	return ret;
}

union eg_ioc {
	struct elisa_status status; /* the first field of all */
	struct elisa_ioc_info info;
	struct elisa_ioc_export export_;
	struct elisa_ioc_map map;
	struct elisa_ioc_unmap unmap;
	struct elisa_ioc_publish publish;
	struct elisa_ioc_destroy destroy;
	struct elisa_ioc_attach attach;
	struct elisa_ioc_detach detach;
	struct elisa_ioc_places places;
	struct elisa_ioc_ticket ticket;
	struct elisa_ioc_evict evict;
	struct elisa_ioc_donate donate;
	struct elisa_ioc_doorbell doorbell;
};

static int dispatch(struct eg_file *file, unsigned int command, union eg_ioc *arg)
{
	int ret;

	if (command == ELISA_IOC_INFO)
		return info(&arg->info);
	ret = bind_to_process(file, &arg->status);
	if (ret)
		return ret;
	switch (command) {
	case ELISA_IOC_EXPORT_CREATE:
		return eg_export_create(file, &arg->export_);
	case ELISA_IOC_EXPORT_MAP:
		return eg_export_map(file, &arg->map);
	case ELISA_IOC_EXPORT_MAP_PHYSICAL:
		return eg_export_map_physical(file, &arg->map);
	case ELISA_IOC_EXPORT_UNMAP:
		return eg_export_unmap(file, &arg->unmap);
	case ELISA_IOC_EXPORT_PUBLISH:
		return eg_export_publish(file, &arg->publish);
	case ELISA_IOC_EXPORT_DESTROY:
		return eg_export_destroy(file, &arg->destroy);
	case ELISA_IOC_PLACES:
		return eg_export_places(file, &arg->places);
	case ELISA_IOC_TICKET:
		return eg_export_ticket(file, &arg->ticket);
	case ELISA_IOC_EVICT:
		return eg_export_evict(file, &arg->evict);
	case ELISA_IOC_DONATE:
		return eg_donate(file, &arg->donate);
	case ELISA_IOC_DOORBELL:
		return eg_doorbell_add(file, &arg->doorbell);
	case ELISA_IOC_ATTACH:
		return eg_attach(file, &arg->attach);
	default:
		return eg_detach(file, &arg->detach);
	}
}

/* The answer could not be given: the process would not know what to give back. */
static void undo(struct eg_file *file, unsigned int command, const union eg_ioc *arg)
{
	struct elisa_ioc_destroy destroy = {};
	struct elisa_ioc_detach detach = {};

	if (command == ELISA_IOC_EXPORT_CREATE) {
		destroy.id = arg->export_.id;
		eg_export_destroy(file, &destroy);
	} else if (command == ELISA_IOC_ATTACH) {
		detach.slot = arg->attach.slot;
		eg_detach(file, &detach);
	}
}

static long eg_ioctl(struct file *filp, unsigned int command, unsigned long address)
{
	struct eg_file *file = filp->private_data;
	void __user *user = (void __user *)address;
	union eg_ioc arg = {};
	int ret;

	switch (command) {
	case ELISA_IOC_INFO:
	case ELISA_IOC_EXPORT_CREATE:
	case ELISA_IOC_EXPORT_MAP:
	case ELISA_IOC_EXPORT_MAP_PHYSICAL:
	case ELISA_IOC_EXPORT_UNMAP:
	case ELISA_IOC_EXPORT_PUBLISH:
	case ELISA_IOC_EXPORT_DESTROY:
	case ELISA_IOC_ATTACH:
	case ELISA_IOC_DETACH:
	case ELISA_IOC_PLACES:
	case ELISA_IOC_TICKET:
	case ELISA_IOC_EVICT:
	case ELISA_IOC_DONATE:
	case ELISA_IOC_DOORBELL:
		break;
	default:
		return -ENOTTY;
	}
	if (copy_from_user(&arg, user, _IOC_SIZE(command)))
		return -EFAULT;
	arg.status = (struct elisa_status){};
	ret = dispatch(file, command, &arg);
	if (copy_to_user(user, &arg, ret ? sizeof(arg.status) : _IOC_SIZE(command))) {
		if (!ret)
			undo(file, command, &arg);
		return -EFAULT;
	}
	return ret;
}

static const struct file_operations eg_fops = {
	.owner = THIS_MODULE,
	.open = eg_open,
	.release = eg_release,
	.unlocked_ioctl = eg_ioctl,
	.read = eg_events_read,
	.poll = eg_events_poll,
};

static struct miscdevice eg_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "elisa",
	.mode = 0600,
	.fops = &eg_fops,
};

/* The next kernel of this VM (kexec) knows of no attachment. */
static int before_reboot(struct notifier_block *block, unsigned long event, void *data)
{
	reset_host();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_block = {
	.notifier_call = before_reboot,
};

static int meet_host(void)
{
	struct elisa_status status = {};
	struct elisa_hc_hello answer = {};
	int ret = hello(&status, &answer);

	if (status.why == ELISA_WHY_NO_HOST) {
		pr_err("the host answered nothing: load elisa.ko on the host, then this driver again\n");
		return -ENODEV;
	}
	if (status.why == ELISA_WHY_ABI) {
		pr_err("the host speaks ABI version %llu, this driver %u: use the same release\n",
		       status.value, ELISA_ABI_VERSION);
		return -EPROTO;
	}
	if (!ret)
		ret = reset_host(); /* what a driver or kernel before us has left */
	if (ret)
		pr_err("the host refused this VM (error %d, reason %u, value %#llx)\n", ret,
		       status.why, status.value);
	return ret;
}

static int __init eg_module_init(void)
{
	int ret;

	ret = eg_hypercall_init();
	if (ret)
		return ret;
	ret = meet_host();
	if (ret)
		goto err_hypercall;
	ret = eg_vcpus_init();
	if (ret)
		goto err_hypercall;
	ret = eg_trap_init();
	if (ret)
		goto err_vcpus;
	ret = register_reboot_notifier(&reboot_block);
	if (ret)
		goto err_trap;
	eg_doorbell_init();
	ret = misc_register(&eg_device);
	if (ret)
		goto err_doorbell;
	return 0;

err_doorbell:
	eg_doorbell_exit();
	unregister_reboot_notifier(&reboot_block);
err_trap:
	eg_trap_exit();
err_vcpus:
	eg_vcpus_exit();
err_hypercall:
	eg_hypercall_exit();
	return ret;
}

/* No file is open and no window mapped: both hold the module. */
static void __exit eg_module_exit(void)
{
	misc_deregister(&eg_device);
	eg_doorbell_exit();
	eg_events_exit();
	eg_processes_exit();
	unregister_reboot_notifier(&reboot_block);
	eg_trap_exit();
	eg_vcpus_exit();
	eg_hypercall_exit();
}

module_init(eg_module_init);
module_exit(eg_module_exit);
MODULE_AUTHOR("The ELISA authors");
MODULE_VERSION(ELISA_RELEASE);
MODULE_DESCRIPTION("ELISA guest driver: exit-less, isolated, shared access to other VMs' objects");
MODULE_LICENSE("GPL");
