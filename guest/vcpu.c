// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host must set up every vCPU that can run an attached process, by a request from that vCPU.
 * While an attachment exists, no vCPU may come online without that.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "guest.h"
#include "trace.h"

struct vcpu_sync {
	struct elisa_hc_page *page;
	struct elisa_status status;
	int error;
};

/* Written by its own CPU; read under sync_lock after all CPUs have answered. */
static DEFINE_PER_CPU(struct vcpu_sync, syncs);
static DEFINE_MUTEX(sync_lock);
static atomic_t attachments = ATOMIC_INIT(0); /* raised with the CPU hotplug lock held */
static int online_state;

/* With IRQs off, from an IPI: nothing to allocate, nothing to wait for. */
static void sync_this_vcpu(void *unused)
{
	struct vcpu_sync *sync = this_cpu_ptr(&syncs);

	sync->page->call = ELISA_HC_VCPU_SYNC;
	sync->page->why = ELISA_OK;
	sync->page->value = 0;
	sync->error = eg_hypercall(sync->page, &sync->status);
	trace_elisa_guest_sync(sync->error);
}

/* Sets up all vCPUs, now and as they come online, until eg_vcpus_release(). */
int eg_vcpus_sync(struct elisa_status *status)
{
	unsigned int cpu;
	int ret = 0;

	mutex_lock(&sync_lock);
	cpus_read_lock();
	atomic_inc(&attachments);
	on_each_cpu(sync_this_vcpu, NULL, 1);
	for_each_online_cpu(cpu) {
		struct vcpu_sync *sync = per_cpu_ptr(&syncs, cpu);

		if (sync->error) {
			*status = sync->status;
			ret = sync->error;
			atomic_dec(&attachments);
			break;
		}
	}
	cpus_read_unlock();
	mutex_unlock(&sync_lock);
	return ret;
}

void eg_vcpus_release(void)
{
	atomic_dec(&attachments);
}

/* On the CPU that comes online, before it takes tasks. */
static int vcpu_online(unsigned int cpu)
{
	struct vcpu_sync *sync = per_cpu_ptr(&syncs, cpu);
	unsigned long flags;

	if (!atomic_read(&attachments))
		return 0;
	local_irq_save(flags);
	sync_this_vcpu(NULL);
	local_irq_restore(flags);
	if (sync->error)
		pr_err("vCPU %u stays offline: the host refuses it (error %d, reason %u, value %#llx)\n",
		       cpu, sync->error, sync->status.why, sync->status.value);
	return sync->error;
}

static void free_pages_of_vcpus(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		free_page((unsigned long)per_cpu_ptr(&syncs, cpu)->page);
}

int eg_vcpus_init(void)
{
	unsigned int cpu;
	int ret;

	for_each_possible_cpu(cpu) {
		void *page = (void *)get_zeroed_page(GFP_KERNEL);

		if (!page) {
			ret = -ENOMEM;
			goto err;
		}
		per_cpu_ptr(&syncs, cpu)->page = page;
	}
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "elisa:online", vcpu_online, NULL);
	if (ret < 0)
		goto err;
	online_state = ret;
	return 0;

err:
	free_pages_of_vcpus();
	return ret;
}

void eg_vcpus_exit(void)
{
	cpuhp_remove_state_nocalls(online_state);
	free_pages_of_vcpus();
}
