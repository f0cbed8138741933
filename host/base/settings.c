// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's parameters, which the administrator sets. Parameters with mode 0644 can change while
 * VMs are attached.
 */
#include <linux/module.h>

#include "base/base.h"

unsigned int eh_default_limit_us = 5000;
module_param_named(limit_us, eh_default_limit_us, uint, 0644);
MODULE_PARM_DESC(limit_us,
		 "run time in microseconds that a call may use if its export says nothing");

unsigned int eh_max_limit_us = 1000000;
module_param_named(max_limit_us, eh_max_limit_us, uint, 0644);
MODULE_PARM_DESC(max_limit_us,
		 "the most that an export may ask for: a call keeps interrupts from its vCPU");

unsigned int eh_default_suspend_us = 50000;
module_param_named(suspend_us, eh_default_suspend_us, uint, 0644);
MODULE_PARM_DESC(
	suspend_us,
	"microseconds that a vCPU may be kept from running a call if its export says nothing");

unsigned int eh_max_suspend_us = 1000000;
module_param_named(max_suspend_us, eh_max_suspend_us, uint, 0644);
MODULE_PARM_DESC(max_suspend_us,
		 "the most that an export may ask for: the call's locks are held as long");

unsigned int eh_default_max_pages = 65536;
module_param_named(max_pages, eh_default_max_pages, uint, 0644);
MODULE_PARM_DESC(max_pages, "pages that may be held of a VMM if its grant says nothing");

unsigned int eh_calls_per_second = 1000;
module_param_named(calls_per_second, eh_calls_per_second, uint, 0644);
MODULE_PARM_DESC(
	calls_per_second,
	"attaches, detaches and the like that a VMM's VMs may make in the long run; 0: no limit");

static bool allow_leaky_cpu;
module_param(allow_leaky_cpu, bool, 0444);
MODULE_PARM_DESC(
	allow_leaky_cpu,
	"attach on CPUs with L1TF, MDS or the like: no exit flushes the object's data after a call");

/* Tells whether VMs may attach on a CPU that leaks (eh_cpu_leaks()). */
bool eh_cpu_override(void)
{
	return allow_leaky_cpu;
}
