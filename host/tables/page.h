/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages for tables, and pages that contexts map. */
#ifndef ELISA_HOST_PAGE_H
#define ELISA_HOST_PAGE_H

#include <linux/gfp.h>

/* Allocates a zeroed page or returns NULL. The thread's memory cgroup pays for it. It may sleep. */
static inline void *page_new(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/* Frees a page of page_new(), or does nothing for NULL. No CPU may use it any more. */
static inline void page_free(void *page)
{
	free_page((unsigned long)page);
}

#endif
