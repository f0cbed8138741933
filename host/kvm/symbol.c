// SPDX-License-Identifier: GPL-2.0-only
/* Finds functions of the running kernel by name, so that no symbol of KVM is linked. */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/slab.h>

#include "base/base.h"
#include "kvm/kvm.h"

/*
 * Finds functions by "module:name". A kprobe that is never armed looks up each name. All kprobes
 * are unregistered together, so the function waits for one grace period only. Sleeps.
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

/*
 * Returns the size of the function at @address, or 0 without kallsyms. The text of sprint_symbol()
 * ends in "+offset/size [module]", both in hexadecimal.
 */
unsigned long eh_symbol_size(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN], *size;

	sprint_symbol(text, address);
	size = strrchr(text, '/');
	return size ? simple_strtoul(size + 1, NULL, 16) : 0;
}
