// SPDX-License-Identifier: GPL-2.0-only
/*
 * Works of the control plane, for a hook that must not sleep. A work holds a reference to its
 * object. If it was queued already, the second reference is given back here. The caller has one of
 * its own, so that is never the last one.
 */
#include <linux/workqueue.h>

#include "base/base.h"
#include "path/path.h"

/* Lets the VM's work free what its vCPUs and attachments need no more. From any context. */
void eh_vm_work_soon(struct eh_vm *vm)
{
	refcount_inc(&vm->ref.refcount);
	if (mod_delayed_work(eh_works, &vm->work, 0))
		refcount_dec(&vm->ref.refcount);
}

/* Lets a work tell all attached vCPUs that the export is poisoned. From the exit hook, IRQs off. */
void eh_export_poisoned(struct eh_export *export)
{
	refcount_inc(&export->ref.refcount);
	if (!queue_work(eh_works, &export->poisoning))
		refcount_dec(&export->ref.refcount);
}
