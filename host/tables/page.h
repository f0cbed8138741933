/* SPDX-License-Identifier: GPL-2.0-only */
/* Allocates a zeroed page for a table, or for a context to map. The thread's tenant is charged for
 * it. */
#ifndef ELISA_HOST_PAGE_H
#define ELISA_HOST_PAGE_H

#include <linux/gfp.h>

static inline void *page_new(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static inline void page_free(void *page)
{
	free_page((unsigned long)page);
}

#endif
