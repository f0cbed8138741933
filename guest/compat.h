/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows how kernels differ. No other file of the driver may test ELISA_HAS_*,
 * for which Kbuild asks the headers.
 */
#ifndef ELISA_GUEST_COMPAT_H
#define ELISA_GUEST_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "the ELISA guest driver supports kernels from 6.1 on"
#endif

/* The older name of works that are bound to no CPU. */
#ifndef ELISA_HAS_DFL_WQ
#define system_dfl_wq system_unbound_wq
#endif

/* For a VMA that is being mapped. */
static inline void eg_vma_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef ELISA_HAS_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

/* In an area of VM_PFNMAP. */
static inline void eg_zap(struct vm_area_struct *vma, unsigned long address, unsigned long size)
{
#ifdef ELISA_HAS_ZAP_SPECIAL
	zap_special_vma_range(vma, address, size);
#else
	zap_vma_ptes(vma, address, size);
#endif
}

/* From any context. */
static inline void eg_eventfd_signal(struct eventfd_ctx *eventfd)
{
#ifdef ELISA_HAS_EVENTFD_COUNT
	eventfd_signal(eventfd, 1);
#else
	eventfd_signal(eventfd);
#endif
}

#endif
