// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hook finds to be done and may not do itself, for it must not sleep: works of the control
 * plane. Each holds a reference to its object. The caller has one of its own, so the reference of a
 * work that was queued already is given back here, and is never the last one.
 */
#include <linux/workqueue.h>

#include "base/base.h"
#include "path/path.h"

/* The VM's vCPUs or attachments have something to give back. From any context. */
void eh_vm_work_soon(struct eh_vm *vm)
{
	refcount_inc(&vm->ref.refcount);
	if (mod_delayed_work(eh_works, &vm->work, 0))
		refcount_dec(&vm->ref.refcount);
}

/* All vCPUs that are attached have to learn of it. From the exit hook, IRQs off. */
void eh_export_poisoned(struct eh_export *export)
{
	refcount_inc(&export->ref.refcount);
	if (!queue_work(eh_works, &export->poisoning))
		refcount_dec(&export->ref.refcount);
}
