// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lists in which objects are found by name. The control plane alone writes them. The hooks look
 * a vCPU up without a lock (RCU).
 */
#include "base/base.h"

DEFINE_SPINLOCK(eh_registry);
LIST_HEAD(eh_vms);
LIST_HEAD(eh_exports);
LIST_HEAD(eh_grants);
DEFINE_HASHTABLE(eh_vcpus, 16);
/* For hook_entry.S: each byte counts the set-up vCPUs that share it. Written under eh_registry. */
u8 eh_vcpu_filter[EH_FILTER_SIZE];
struct workqueue_struct *eh_works, *eh_slow_works;
DEFINE_PER_CPU(struct eh_counts, eh_counts);
