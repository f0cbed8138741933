// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the test "hooks". Hooks a function of KVM as a livepatch does. With direct=1, hooks another
 * function by a direct call, as a BPF program does. Does not change what the function does.
 */
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/version.h>
#include <asm/ibt.h>
#include <asm/linkage.h>

static bool direct;
module_param(direct, bool, 0444);

static void notrace callback(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
}

extern void thief_call(void);
asm(".text\n.global thief_call\n.type thief_call, @function\nthief_call:\n" ASM_ENDBR ASM_RET
    ".size thief_call, . - thief_call\n");

static struct ftrace_ops ops = {.func = callback, .flags = FTRACE_OPS_FL_IPMODIFY};
static struct ftrace_ops direct_ops;

static int take_directly(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	return register_ftrace_direct(&direct_ops, (unsigned long)thief_call);
#else
	return register_ftrace_direct_multi(&direct_ops, (unsigned long)thief_call);
#endif
}

static void let_go_directly(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	unregister_ftrace_direct(&direct_ops, (unsigned long)thief_call, true);
#else
	unregister_ftrace_direct_multi(&direct_ops, (unsigned long)thief_call);
	ftrace_free_filter(&direct_ops);
#endif
}

static int __init thief_init(void)
{
	struct kprobe probe = {.symbol_name = direct ? "kvm_intel:vmx_handle_exit" :
						       "kvm_intel:vmx_interrupt_allowed",
			       .flags = KPROBE_FLAG_DISABLED};
	int r = register_kprobe(&probe);

	if (r)
		return r;
	r = ftrace_set_filter_ip(direct ? &direct_ops : &ops, (unsigned long)probe.addr, 0, 1);
	unregister_kprobe(&probe);
	if (r)
		return r;
	return direct ? take_directly() : register_ftrace_function(&ops);
}

static void __exit thief_exit(void)
{
	if (direct) {
		let_go_directly();
	} else {
		unregister_ftrace_function(&ops);
		ftrace_free_filter(&ops);
	}
}

module_init(thief_init);
module_exit(thief_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Takes a function of KVM by ftrace");
