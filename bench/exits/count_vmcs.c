// SPDX-License-Identifier: GPL-2.0-only
/* Counts the module's VMREADs and VMWRITEs since it was loaded. They are shown below
 * /sys/module/elisa/parameters. */
#include <linux/module.h>
#include <linux/sysfs.h>

#include "kvm/vmx.h"

atomic_long_t elisa_vmcs_reads, elisa_vmcs_writes;

static int show(char *text, const struct kernel_param *parameter)
{
	return sysfs_emit(text, "%ld\n", atomic_long_read(parameter->arg));
}

static const struct kernel_param_ops counter = {.get = show};

module_param_cb(vmcs_reads, &counter, &elisa_vmcs_reads, 0444);
module_param_cb(vmcs_writes, &counter, &elisa_vmcs_writes, 0444);
