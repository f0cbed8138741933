/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows kernel versions. No other file of the driver may test
 * LINUX_VERSION_CODE.
 */
#ifndef ELISA_GUEST_COMPAT_H
#define ELISA_GUEST_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "the ELISA guest driver supports kernels from 6.1 on"
#endif

/* For a VMA that is being mapped. */
static inline void elisa_vma_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

/* From any context. */
static inline void elisa_eventfd_signal(struct eventfd_ctx *eventfd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(eventfd);
#else
	eventfd_signal(eventfd, 1);
#endif
}

#endif
