/* SPDX-License-Identifier: GPL-2.0-only */
/* A livepatch that replaces kvm_intel's FUNCTION by one that returns 1. */
#ifndef ELISA_TEST_PATCH_H
#define ELISA_TEST_PATCH_H

#include <linux/livepatch.h>
#include <linux/module.h>

static int replaced(void *kvm_vcpu, unsigned long argument)
{
	return 1;
}

static struct klp_func functions[] = {{.old_name = FUNCTION, .new_func = replaced}, {}};
static struct klp_object objects[] = {{.name = "kvm_intel", .funcs = functions}, {}};
static struct klp_patch patch = {.mod = THIS_MODULE, .objs = objects};

static int __init patch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit patch_exit(void)
{
}

module_init(patch_init);
module_exit(patch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Replaces " FUNCTION);

#endif
