// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypercalls: one page that the host reads and answers in. A page comes from a pool,
 * so that what cleans up never fails for lack of memory. Nothing here may be made to pass
 * a page that user space can write.
 */
#include <linux/io.h>
#include <linux/kvm_para.h>
#include <linux/mempool.h>
#include <asm/asm.h>

#include "guest.h"

static mempool_t *pages;

int eg_hypercall_init(void)
{
	if (!kvm_para_available()) {
		pr_err("this is not a guest of KVM: ELISA works inside a KVM virtual machine only\n");
		return -ENODEV;
	}
	pages = mempool_create_page_pool(2, 0);
	return pages ? 0 : -ENOMEM;
}

void eg_hypercall_exit(void)
{
	mempool_destroy(pages);
}

/* Waits for memory rather than to fail. */
struct elisa_hc_page *eg_page_get(enum elisa_hc call)
{
	struct page *page = mempool_alloc(pages, GFP_KERNEL);
	struct elisa_hc_page *hc = page_address(page);

	BUILD_BUG_ON(sizeof(*hc) != PAGE_SIZE);
	clear_page(hc);
	hc->call = call;
	return hc;
}

void eg_page_put(struct elisa_hc_page *page)
{
	mempool_free(virt_to_page(page), pages);
}

/*
 * From any context. A KVM without the host module leaves RBX alone; a hypervisor that
 * refuses VMCALL gives #UD, or #PF from trying to patch it: that is no answer either.
 */
int eg_hypercall(struct elisa_hc_page *page, struct elisa_status *status)
{
	unsigned long rax = ELISA_HC_RAX;
	unsigned long rbx = ELISA_HC_MAGIC;
	unsigned long rcx = virt_to_phys(page);
	long error;

	asm volatile("1: vmcall\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+a"(rax), "+b"(rbx), "+c"(rcx)
		     :
		     : "memory");
	if (rbx != ELISA_HC_REPLY)
		return eg_refuse(status, -ENXIO, ELISA_WHY_NO_HOST, 0);
	error = rcx;
	if (!error)
		return 0;
	if (error > 0 || error < -MAX_ERRNO)
		error = -EPROTO;
	return eg_refuse(status, error, page->why, page->value);
}
