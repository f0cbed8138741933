// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the hooks come to their places: those on rare paths when the module is loaded, those on the
 * path of each entry and exit while a VM is attached. All of them are ftrace's direct calls.
 *
 * ftrace has one direct call for each function, and a BPF program (fentry, fexit) is another one:
 * the second of the two gets -EBUSY. ftrace also lets a BPF program share a function with one user
 * that redirects (IPMODIFY), as a livepatch does. That is not used: such a hook can be lost. On
 * 6.1.192 a fexit program that comes after a fentry program leaves an ftrace_ops without a function
 * in ftrace's list (bpf_trampoline_update(), after -EAGAIN from modify_fentry()). ftrace then calls
 * nothing that comes behind it, and switches itself off. A direct call stays in the text.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "base/trace.h"
#include "kvm/arm.h"
#include "kvm/kvm.h"

#define REFUSAL_LASTS (5 * HZ)

static DEFINE_MUTEX(hooks_lock); /* inside of nothing */
static bool registered;		 /* hooks_lock: the exit-path hooks are in place */
static int refusal;		 /* hooks_lock: why they could not be put in place, or 0 */
static unsigned long retry_at;	 /* hooks_lock: jiffies of the next try after a refusal */
static atomic_t armed;		 /* shares of them; the first one is taken under hooks_lock */

static struct eh_hooks rare, path; /* const after init */

static void remove_hooks(struct eh_hook *hooks, int count)
{
	while (count--)
		eh_ftrace_direct_end(&hooks[count].ops, (unsigned long)hooks[count].entry);
}

static void say_why(struct eh_hook *hook, int error)
{
	static const char *const names[] = EH_HOOK_NAMES;
	const char *name = names[hook->first];

	if (error == -EBUSY)
		pr_err_ratelimited(
			"a livepatch, a probe that redirects or a BPF program (fentry, fexit) "
			"has %s%s\n",
			name, hook->count > 1 ? " or one of its kind" : "");
	else
		pr_err_ratelimited("ftrace cannot hook %s (%d)\n", name, error);
}

static int place_hooks(struct eh_hook *hooks, int count)
{
	int i, r;

	for (i = 0; i < count; i++) {
		r = eh_ftrace_direct(&hooks[i].ops, (unsigned long)hooks[i].entry);
		if (r) {
			say_why(&hooks[i], r);
			remove_hooks(hooks, i);
			return r;
		}
	}
	return 0;
}

/*
 * Under hooks_lock. Patching text takes tens of millions of instructions and stops all CPUs, also
 * if it fails halfway, and a guest may ask without end: a refusal lasts for a while without a try.
 */
static int put_hooks_in_place(void)
{
	if (registered)
		return 0;
	if (refusal && time_before(jiffies, retry_at))
		return refusal;
	refusal = place_hooks(path.hook, path.count);
	trace_elisa_arm(refusal);
	retry_at = jiffies + REFUSAL_LASTS;
	WRITE_ONCE(registered, !refusal);
	if (refusal)
		pr_err_ratelimited("no VM can attach\n");
	return refusal;
}

struct arming {
	struct work_struct work;
	int error;
};

static void arm(struct work_struct *work)
{
	struct arming *arming = container_of(work, struct arming, work);

	mutex_lock(&hooks_lock);
	arming->error = put_hooks_in_place();
	if (!arming->error)
		atomic_inc(&armed);
	mutex_unlock(&hooks_lock);
}

/*
 * Takes a share of the exit-path hooks. Patching text waits for grace periods, and keeps mutexes of
 * ftrace's meanwhile. A tenant's thread may get no processor for long (cpu.max): so a kernel thread
 * does it, and the tenant's waits. While shares exist, taking one does not wait.
 */
int eh_hooks_arm(void)
{
	struct arming arming = {.error = 0};

	if (!atomic_inc_not_zero(&armed)) {
		INIT_WORK_ONSTACK(&arming.work, arm);
		queue_work(eh_works, &arming.work);
		flush_work(&arming.work);
		destroy_work_on_stack(&arming.work);
	}
	if (!arming.error)
		__module_get(THIS_MODULE);
	return arming.error;
}

/* One more share; the caller knows of an attachment, which has one. Does not sleep. */
void eh_hooks_share(void)
{
	atomic_inc(&armed);
	__module_get(THIS_MODULE);
}

/* Not at the pace of a guest that attaches and detaches in a loop. */
static void unhook(struct work_struct *work)
{
	mutex_lock(&hooks_lock);
	if (registered && !atomic_read(&armed)) {
		remove_hooks(path.hook, path.count);
		trace_elisa_disarm(0);
		WRITE_ONCE(registered, false);
	}
	mutex_unlock(&hooks_lock);
}

static DECLARE_DELAYED_WORK(unhook_work, unhook);

/* Gives one back. Does not sleep. */
void eh_hooks_disarm(void)
{
	if (atomic_dec_and_test(&armed))
		schedule_delayed_work(&unhook_work, 2 * HZ);
	module_put(THIS_MODULE);
}

bool eh_hooks_armed(void)
{
	return READ_ONCE(registered);
}

/*
 * "ftrace_enabled=0" must not be able to take the isolation away silently: while an ops that is
 * PERMANENT exists ftrace refuses it. ftrace takes that flag off those of direct calls; this one
 * watches a function of our own, which KVM never calls.
 */
static void notrace nothing(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			    struct ftrace_regs *fregs)
{
}

static struct ftrace_ops permanent_ops = {
	.func = nothing,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

static int make_permanent(void)
{
	int r = ftrace_set_filter_ip(&permanent_ops, (unsigned long)eh_arm_exit, 0, 1);

	if (!r)
		r = register_ftrace_function(&permanent_ops);
	if (r)
		pr_err("ftrace cannot be used (%d)%s\n", r,
		       r == -EBUSY ? ": kernel.ftrace_enabled is 0" : "");
	return r;
}

static void free_filters(struct eh_hook *hooks, int count)
{
	while (count--)
		ftrace_free_filter(&hooks[count].ops);
}

static int set_filters(struct eh_hook *hooks, int count, unsigned long *sites)
{
	int i, r = 0;

	for (i = 0; i < count && !r; i++)
		r = ftrace_set_filter_ips(&hooks[i].ops, sites + hooks[i].first, hooks[i].count, 0,
					  1);
	return r;
}

/* @sites: where ftrace calls, by enum eh_hook_id. The hooks are the caller's for good. */
int eh_arm_init(const struct eh_hooks *rare_hooks, const struct eh_hooks *path_hooks,
		unsigned long *sites)
{
	int r;

	rare = *rare_hooks;
	path = *path_hooks;
	r = set_filters(rare.hook, rare.count, sites);

	if (!r)
		r = set_filters(path.hook, path.count, sites);
	if (!r)
		r = make_permanent();
	if (r)
		goto err_filters;
	r = place_hooks(rare.hook, rare.count);
	if (!r)
		return 0;

	unregister_ftrace_function(&permanent_ops);
err_filters:
	ftrace_free_filter(&permanent_ops);
	free_filters(path.hook, path.count);
	free_filters(rare.hook, rare.count);
	return r;
}

/* No attachment exists any more. Threads may still be in a handler, or in its last instructions. */
void eh_arm_exit(void)
{
	cancel_delayed_work_sync(&unhook_work);
	if (registered)
		remove_hooks(path.hook, path.count);
	remove_hooks(rare.hook, rare.count);
	unregister_ftrace_function(&permanent_ops);
	ftrace_free_filter(&permanent_ops);
	free_filters(path.hook, path.count);
	free_filters(rare.hook, rare.count);
}
