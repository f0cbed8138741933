// SPDX-License-Identifier: GPL-2.0-only
/*
 * elisa.ko: exit-less, isolated, shared access for virtual machines, beside a stock KVM.
 * Loading refuses, with the reason, what this host cannot do; it changes nothing for any
 * VM until the administrator grants something and a VM attaches.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>

#include <elisa/release.h>

#include "base/base.h"
#include "control/control.h"
#include "entry.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

/* Nothing is attached or exported; VMs may have spoken to us. */
static void stop(void)
{
	eh_failure_exit();
	eh_doorbells_stop();
	eh_vms_stop();
	eh_hooks_exit();
	eh_vms_free();
	eh_apicv_exit();
	eh_bells_exit();
}

static void exit_works(void)
{
	destroy_workqueue(eh_slow_works);
	destroy_workqueue(eh_works);
}

static int init_works(void)
{
	/* not bound to the CPU of a tenant's thread, which may keep a work from running there */
	eh_works = alloc_workqueue("elisa", WQ_UNBOUND, 0);
	if (!eh_works)
		return -ENOMEM;
	/* its own: works that wait in it, as many as one queue runs at once, hold up no others */
	eh_slow_works = alloc_workqueue("elisa-slow", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (eh_slow_works)
		return 0;
	destroy_workqueue(eh_works);
	return -ENOMEM;
}

static int __init eh_module_init(void)
{
	int r;

	r = eh_cpu_check();
	if (r)
		return r;
	r = init_works();
	if (r)
		return r;
	eh_tables_init();
	eh_directory_init();
	eh_unknown_init();
	r = eh_bells_init();
	if (r)
		goto err_works;
	r = eh_apicv_init();
	if (r)
		goto err_bells;
	r = eh_failure_init();
	if (r)
		goto err_apicv;
	r = eh_hooks_init();
	if (r)
		goto err_failure;
	r = eh_admin_init();
	if (r) {
		stop();
		goto err_works;
	}
	eh_cpu_say_why_attach_is_refused();
	pr_info("ready, ABI %d\n", ELISA_ABI_VERSION);
	return 0;

err_failure:
	eh_failure_exit();
err_apicv:
	eh_apicv_exit();
err_bells:
	eh_bells_exit();
err_works:
	exit_works();
	eh_tables_exit();
	return r;
}

static void __exit eh_module_exit(void)
{
	eh_admin_exit();
	stop();
	eh_grants_free();
	eh_vmm_exit();
	exit_works();
	eh_tables_exit();
}

module_init(eh_module_init);
module_exit(eh_module_exit);
MODULE_AUTHOR("The ELISA authors");
MODULE_VERSION(ELISA_RELEASE);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Exit-less, isolated, and shared access for virtual machines (host side)");
MODULE_SOFTDEP("pre: kvm_intel");
