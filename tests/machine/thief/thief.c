// SPDX-License-Identifier: GPL-2.0-only
/* For the test "hooks": takes a function of KVM as a livepatch would, and leaves it as it is. */
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static void notrace callback(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ops = {.func = callback, .flags = FTRACE_OPS_FL_IPMODIFY};

static int __init thief_init(void)
{
	struct kprobe probe = {.symbol_name = "kvm_intel:vmx_interrupt_allowed",
			       .flags = KPROBE_FLAG_DISABLED};
	int r = register_kprobe(&probe);

	if (r)
		return r;
	r = ftrace_set_filter_ip(&ops, (unsigned long)probe.addr, 0, 1);
	unregister_kprobe(&probe);
	return r ? r : register_ftrace_function(&ops);
}

static void __exit thief_exit(void)
{
	unregister_ftrace_function(&ops);
	ftrace_free_filter(&ops);
}

module_init(thief_init);
module_exit(thief_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Takes a function of KVM by ftrace");
