// SPDX-License-Identifier: GPL-2.0-only
/* Functions of the running kernel, found by their names: no symbol of KVM's is linked. */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/slab.h>

#include "base/base.h"
#include "kvm/kvm.h"

/*
 * KVM's functions that are hooked or called, by "module:name". Kprobes that are never armed
 * find them; they are let go together, which takes one grace period.
 */
int eh_symbols_find(unsigned long *found, const char *const *name, unsigned int count)
{
	struct kprobe *probes, **list;
	unsigned int n;
	int r = 0;

	probes = kcalloc(count, sizeof(*probes), GFP_KERNEL);
	list = kcalloc(count, sizeof(*list), GFP_KERNEL);
	if (!probes || !list) {
		r = -ENOMEM;
		goto out;
	}
	for (n = 0; n < count; n++) {
		list[n] = &probes[n];
		probes[n].symbol_name = name[n];
		probes[n].flags = KPROBE_FLAG_DISABLED;
		if (register_kprobe(&probes[n])) {
			pr_err("this KVM has no function \"%s\" that can be hooked or called; "
			       "kernel not supported, or kvm_intel not loaded\n",
			       name[n]);
			r = -ENOENT;
			break;
		}
		found[n] = (unsigned long)probes[n].addr;
	}
	if (n)
		unregister_kprobes(list, n);
out:
	kfree(list);
	kfree(probes);
	return r;
}

/* sprint_symbol() ends in "+offset/size [module]", both in hexadecimal. */
unsigned long eh_symbol_size(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN], *size;

	sprint_symbol(text, address);
	size = strrchr(text, '/');
	return size ? simple_strtoul(size + 1, NULL, 16) : 0;
}
