/* SPDX-License-Identifier: GPL-2.0-only */
/* A page of a table, or that a context maps: zeroes, charged to the tenant whose thread asks. */
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
