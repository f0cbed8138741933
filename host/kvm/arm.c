// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the hooks in place. Hooks on rare paths are in place while the module is loaded. Hooks on
 * the path of each entry and exit are in place while a VM is attached. All hooks are ftrace's
 * direct calls.
 *
 * BPF. ftrace allows one direct call for each function, and a BPF program (fentry, fexit) is a
 * direct call, too. The second of the two gets -EBUSY.
 *
 * Why not IPMODIFY. ftrace lets a BPF program share a function with one user that redirects it, as
 * a livepatch does. The module is no such user, because such a hook can be lost. On 6.1.192 a fexit
 * program that comes after a fentry program leaves an ftrace_ops without a function in ftrace's
 * list (bpf_trampoline_update(), after -EAGAIN from modify_fentry()). ftrace then calls no ops
 * behind it in the list, and switches itself off. A direct call stays in the text.
 *
 * Shares. Each attachment, and each vCPU that is set up for calls, has a share of the exit-path
 * hooks (`armed`). The first share puts the hooks in place before an attachment exists. They are
 * removed some time after the last share is given back. So no vCPU enters a context without them.
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

static DEFINE_MUTEX(hooks_lock); /* nests inside no lock */
static bool registered;		 /* hooks_lock: the exit-path hooks are in place */
static int refusal;		 /* hooks_lock: the error of the last try, or 0 */
static unsigned long retry_at;	 /* hooks_lock: jiffies of the next try after a refusal */
static atomic_t armed;		 /* shares of the hooks; the first is taken under hooks_lock */

static struct eh_hooks rare, path; /* const after init */

/* Removes @count hooks. Waits for grace periods. */
static void remove_hooks(struct eh_hook *hooks, int count)
{
	while (count--)
		eh_ftrace_direct_end(&hooks[count].ops, (unsigned long)hooks[count].entry);
}

/* Tells the administrator why a hook cannot be put in place. */
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

/* Puts @count hooks in place, or none of them. Waits for grace periods. */
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
 * Puts the exit-path hooks in place, if they are not. Patching text takes tens of millions of
 * instructions and stops all CPUs, even if it fails halfway. A guest may ask for it without end. So
 * after a failure the same error is returned for REFUSAL_LASTS without a try. Under hooks_lock.
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

/* Takes the first share, in a kernel thread. */
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
 * Takes a share of the exit-path hooks. Patching text waits for grace periods and holds ftrace's
 * mutexes meanwhile. A tenant's thread may get no processor for long (cpu.max), and others would
 * wait for the mutexes. So a kernel thread patches, and the tenant's thread waits for it without a
 * lock. If shares exist already, the function does not wait. It may sleep.
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

/* Takes one more share. The caller knows an attachment with a share. Does not sleep. */
void eh_hooks_share(void)
{
	atomic_inc(&armed);
	__module_get(THIS_MODULE);
}

/*
 * Removes the exit-path hooks if no share exists. It runs some time after the last share was given
 * back, so a guest that attaches and detaches in a loop does not make it patch each time.
 */
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

/* Gives a share back. Does not sleep. */
void eh_hooks_disarm(void)
{
	if (atomic_dec_and_test(&armed))
		schedule_delayed_work(&unhook_work, 2 * HZ);
	module_put(THIS_MODULE);
}

/* Tells whether the exit-path hooks are in place, for a report: they may go at once. */
bool eh_hooks_armed(void)
{
	return READ_ONCE(registered);
}

/*
 * Keeps "ftrace_enabled=0" from silently removing the hooks, and the isolation with them. ftrace
 * refuses that setting while a PERMANENT ops exists. ftrace clears this flag in the ops of direct
 * calls. So this ops watches a function of the module, which KVM never calls.
 */
static void notrace nothing(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			    struct ftrace_regs *fregs)
{
}

static struct ftrace_ops permanent_ops = {
	.func = nothing,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

/* Registers the permanent ops. Fails if ftrace is off already. */
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

/* Frees the lists of functions of @count hooks, also if they were not set. */
static void free_filters(struct eh_hook *hooks, int count)
{
	while (count--)
		ftrace_free_filter(&hooks[count].ops);
}

/* Tells ftrace at which functions each hook is. On an error the caller frees the filters. */
static int set_filters(struct eh_hook *hooks, int count, unsigned long *sites)
{
	int i, r = 0;

	for (i = 0; i < count && !r; i++)
		r = ftrace_set_filter_ips(&hooks[i].ops, sites + hooks[i].first, hooks[i].count, 0,
					  1);
	return r;
}

/*
 * Puts the rare hooks in place and prepares the exit-path hooks. @sites has the address of each
 * ftrace call, by enum eh_hook_id. The caller's hooks must exist until eh_arm_exit(). Runs when the
 * module is loaded.
 */
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

/*
 * Removes all hooks. No attachment exists any more. A thread may still be in a handler, or in its
 * last instructions, when it returns. Runs when the module is unloaded.
 */
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
