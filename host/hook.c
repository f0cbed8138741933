// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks into a stock KVM: ftrace calls us at the first instruction of KVM functions
 * that are found by name, and we may send the CPU elsewhere. KVM's text and symbols are
 * never linked or patched by us; a hook that does not concern us must cost next to
 * nothing.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "elisa.h"
#include "settled.h"

static const char *const names[] = ELISA_HOOK_NAMES;
static unsigned long sites[ELISA_HOOKS]; /* where ftrace calls; const after init */
static struct file *kvm_device;		 /* open, so that kvm_intel stays loaded */
static DEFINE_MUTEX(hooks_lock);	 /* inside of nothing */
static bool registered;			 /* hooks_lock: the exit-path hooks are in place */
static int refusal;			 /* hooks_lock: why they could not be put in place, or 0 */
static unsigned long retry_at;		 /* hooks_lock: jiffies of the next try after a refusal */
static atomic_t armed;	   /* shares of them; the first one is taken under hooks_lock */
static atomic_t replacing; /* threads in one of our replacements */
static struct {
	unsigned long start, size;
} run_ioctl; /* KVM_RUN's function; const after init */

static int (*kvm_emulate)(struct kvm_vcpu *kvm_vcpu, void *code, int size);
static int (*kvm_read)(struct kvm_vcpu *kvm_vcpu, gpa_t gpa, void *to, unsigned long size);
static void (*kvm_queue)(struct kvm_vcpu *kvm_vcpu, unsigned int vector);
static void (*kvm_mark_dirty)(struct kvm_vcpu *kvm_vcpu, gfn_t gfn);
static bool (*kvm_get)(struct kvm *kvm);
static void (*kvm_put)(struct kvm *kvm);

#define REFUSAL_LASTS	   (5 * HZ)

/* KVM's own function, from its first byte; ftrace lets calls from this module pass. */
#define ORIGINAL(id, type) ((type)(sites[id] - ELISA_SITE_OFFSET))

/* ---- replacements: in the place of KVM's function, in its context */

static void replace_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long destination)
{
	u64 wait = 0;

	atomic_inc(&replacing);
	/* it may sleep on a VMM's page for long: not while the module goes */
	if (try_module_get(THIS_MODULE)) {
		wait = elisa_hypercall(kvm_vcpu, destination);
		module_put(THIS_MODULE);
	}
	/* a VM that is made to wait must not keep the module by that */
	elisa_hypercall_wait(wait);
	atomic_dec(&replacing);
}

static void replace_vcpu_free(struct kvm_vcpu *kvm_vcpu)
{
	atomic_inc(&replacing);
	elisa_vcpu_gone(kvm_vcpu);
	ORIGINAL(ELISA_HOOK_VCPU_FREE, void (*)(struct kvm_vcpu *))(kvm_vcpu);
	atomic_dec(&replacing);
}

static int replace_handle_exit(struct kvm_vcpu *kvm_vcpu, unsigned long fastpath)
{
	int r;

	atomic_inc(&replacing);
	r = elisa_exit_handle(kvm_vcpu);
	atomic_dec(&replacing);
	return r;
}

/* Interrupts, NMIs and SMIs wait for the call's return, which will exit. */
static int replace_allowed(struct kvm_vcpu *kvm_vcpu, bool for_injection)
{
	struct elisa_vcpu *vcpu;
	unsigned long flags;

	atomic_inc(&replacing);
	vcpu = elisa_vcpu_find(kvm_vcpu);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	elisa_trap_return(vcpu);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (for_injection)
		elisa_count(ELISA_COUNT_DEFERRED);
	atomic_dec(&replacing);
	return 0;
}

static void replace_window(struct kvm_vcpu *kvm_vcpu)
{
}

/* ---- callbacks: in the context of the hooked function; be quick if it is not ours */

static bool call_is_put_aside(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);

	return vcpu && READ_ONCE(vcpu->stash.active) && !READ_ONCE(vcpu->stash.touched);
}

static void notrace rare_callback(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				  struct ftrace_regs *fregs)
{
	if (within_module(parent, THIS_MODULE))
		return;
	if (ip == sites[ELISA_HOOK_HYPERCALL]) {
		if (elisa_ftrace_arg(fregs, 1) == ELISA_HC_MAGIC)
			elisa_ftrace_redirect(fregs, replace_hypercall);
	} else if (elisa_vcpu_find((struct kvm_vcpu *)elisa_ftrace_arg(fregs, 0))) {
		elisa_ftrace_redirect(fregs, replace_vcpu_free);
	}
}

/* From hook_entry.S, for vCPUs that are set up and those that share their byte of the filter. */
void elisa_run_handler(struct kvm_vcpu *kvm_vcpu);
void elisa_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);

/* IRQs are off. */
void notrace elisa_run_handler(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_lookup(kvm_vcpu);

	if (!vcpu)
		return;
	raw_spin_lock(&vcpu->lock);
	if (!elisa_stays_settled(vcpu))
		elisa_enter(vcpu);
	raw_spin_unlock(&vcpu->lock);
}

static noinline void notrace look_at_exit(struct elisa_vcpu *vcpu, unsigned long *go_on)
{
	if (elisa_exit(vcpu))
		*go_on = (unsigned long)replace_handle_exit;
}

void notrace elisa_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);

	if (vcpu && !elisa_passes_by(vcpu))
		look_at_exit(vcpu, go_on);
}

void notrace elisa_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	if (call_is_put_aside(kvm_vcpu))
		*go_on = (unsigned long)replace_allowed;
}

void notrace elisa_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	if (call_is_put_aside(kvm_vcpu))
		*go_on = (unsigned long)replace_window;
}

void notrace elisa_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);

	if (vcpu)
		elisa_vcpu_was_reset(vcpu);
}

/*
 * KVM calls vcpu_load() in each vCPU ioctl, under the vCPU's mutex and before it looks at the
 * vCPU's state. A check at the beginning of the ioctl would come too early: the ioctl may sleep
 * on the mutex until a call is suspended. KVM_RUN alone shows the VMM no register of a call.
 */
void notrace elisa_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);

	if (!vcpu)
		return;
	/* by KVM_RUN a VMM may set registers as well (KVM_CAP_SYNC_REGS) */
	elisa_vcpu_unsettle(vcpu);
	/* at a function's first byte its caller's return address is the next one on the stack */
	if (go_on[1] - run_ioctl.start >= run_ioctl.size)
		elisa_vcpu_touched(vcpu);
}

/*
 * PERMANENT: "ftrace_enabled=0" must not be able to take the isolation away silently.
 * IPMODIFY: fails if somebody else (livepatch) redirects the function already.
 */
static struct ftrace_ops rare_ops = {
	.func = rare_callback,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

extern void elisa_run_hook(void), elisa_exit_hook(void), elisa_load_hook(void),
	elisa_allowed_hook(void), elisa_window_hook(void), elisa_reset_hook(void);

/*
 * hook_entry.S by ftrace's direct calls, in the order in which they are put in place; rare_ops
 * keeps "ftrace_enabled=0" out for these. ftrace refuses a direct call to a function that another
 * module redirects, and a redirection of one that has ours.
 */
static struct {
	void (*hook)(void);
	enum elisa_hook_id first;
	unsigned int count;
	struct ftrace_ops ops;
} direct[] = {
	{elisa_reset_hook, ELISA_HOOK_VCPU_RESET, 1},
	{elisa_window_hook, ELISA_HOOK_IRQ_WINDOW, 2},
	{elisa_allowed_hook, ELISA_HOOK_INTERRUPT_ALLOWED, 3},
	{elisa_load_hook, ELISA_HOOK_VCPU_LOAD, 1},
	{elisa_exit_hook, ELISA_HOOK_HANDLE_EXIT, 1},
	{elisa_run_hook, ELISA_HOOK_RUN, 1},
};

/* Takes the first @count away again. */
static void unregister_direct(int count)
{
	while (count--)
		elisa_ftrace_direct_end(&direct[count].ops, (unsigned long)direct[count].hook);
}

static int register_path(void)
{
	int i, r;

	for (i = 0; i < ARRAY_SIZE(direct); i++) {
		r = elisa_ftrace_direct(&direct[i].ops, (unsigned long)direct[i].hook);
		if (r) {
			unregister_direct(i);
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
	refusal = register_path();
	retry_at = jiffies + REFUSAL_LASTS;
	registered = !refusal;
	if (refusal == -EBUSY)
		pr_err_ratelimited(
			"a livepatch, a probe or a BPF program has %s or its neighbours: no VM can attach\n",
			names[ELISA_HOOK_RUN]);
	else if (refusal)
		pr_err_ratelimited("cannot hook KVM's entry and exit (%d): no VM can attach\n",
				   refusal);
	return refusal;
}

/*
 * Takes a share of the exit-path hooks. The thread that takes the first one waits for grace
 * periods: it holds no other lock, and runs a VM's own attach. While shares exist, taking one
 * does not wait.
 */
int elisa_hooks_arm(void)
{
	int r;

	if (atomic_inc_not_zero(&armed)) {
		__module_get(THIS_MODULE);
		return 0;
	}
	if (mutex_lock_killable(&hooks_lock))
		return -EINTR;
	r = put_hooks_in_place();
	if (!r) {
		atomic_inc(&armed);
		__module_get(THIS_MODULE);
	}
	mutex_unlock(&hooks_lock);
	return r;
}

/* One more share; the caller knows of an attachment, which has one. Does not sleep. */
void elisa_hooks_share(void)
{
	atomic_inc(&armed);
	__module_get(THIS_MODULE);
}

/* Not at the pace of a guest that attaches and detaches in a loop. */
static void unhook(struct work_struct *work)
{
	mutex_lock(&hooks_lock);
	if (registered && !atomic_read(&armed)) {
		unregister_direct(ARRAY_SIZE(direct));
		registered = false;
	}
	mutex_unlock(&hooks_lock);
}

static DECLARE_DELAYED_WORK(unhook_work, unhook);

/* Gives one back. Does not sleep. */
void elisa_hooks_disarm(void)
{
	if (atomic_dec_and_test(&armed))
		schedule_delayed_work(&unhook_work, 2 * HZ);
	module_put(THIS_MODULE);
}

bool elisa_hooks_armed(void)
{
	return READ_ONCE(registered);
}

/* vmx_handle_exit() for an exit whose cause has been dealt with. Passes our hook once more. */
int elisa_kvm_exit_handled(struct kvm_vcpu *kvm_vcpu)
{
	return ORIGINAL(ELISA_HOOK_HANDLE_EXIT, int (*)(struct kvm_vcpu *, unsigned long))(
		kvm_vcpu, EXIT_FASTPATH_EXIT_HANDLED);
}

/* One instruction, whose first @size bytes (at most 15) these are. May sleep. */
int elisa_kvm_emulate(struct kvm_vcpu *kvm_vcpu, void *code, u32 size)
{
	return kvm_emulate(kvm_vcpu, code, size);
}

/* Guest memory as the vCPU sees it, ROM too, within a page. 0 or an errno; sleeps. */
int elisa_kvm_read(struct kvm_vcpu *kvm_vcpu, u64 gpa, void *to, u32 size)
{
	return kvm_read(kvm_vcpu, gpa, to, size);
}

/*
 * By the guest's page tables, for a fetch; INVALID_GPA: it would fault. Not in nested guest mode.
 */
u64 elisa_kvm_translate_fetch(struct kvm_vcpu *kvm_vcpu, u64 address, bool user)
{
	struct kvm_mmu *mmu = kvm_vcpu->arch.walk_mmu;

	return mmu->gva_to_gpa(kvm_vcpu, mmu, address,
			       PFERR_FETCH_MASK | (user ? PFERR_USER_MASK : 0), NULL);
}

void elisa_kvm_queue_ud(struct kvm_vcpu *kvm_vcpu)
{
	kvm_queue(kvm_vcpu, UD_VECTOR);
}

/* The module has written to this guest page. */
void elisa_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	kvm_mark_dirty(kvm_vcpu, gpa >> PAGE_SHIFT);
}

/* False: nobody uses this VM any more. Its memory must be there still. */
bool elisa_kvm_get(struct kvm *kvm)
{
	return kvm_get(kvm);
}

/* Perhaps the last reference: sleeps, and takes our locks. */
void elisa_kvm_put(struct kvm *kvm)
{
	kvm_put(kvm);
}

/*
 * An edge at what the VMM has connected to this GSI: a pin of KVM's IOAPIC and PIC, or the MSI that
 * an IOAPIC of its own has there; nothing else, since Xen's event channels may wait for the VMM's
 * memory. As kvm_set_irq() does, which cannot be called by its address where IBT is on. Does not
 * sleep.
 */
void elisa_kvm_interrupt(struct kvm *kvm, u32 gsi)
{
	struct kvm_kernel_irq_routing_entry set[KVM_NR_IRQCHIPS], *entry;
	struct kvm_irq_routing_table *table;
	int index, n = 0;

	index = srcu_read_lock(&kvm->irq_srcu);
	table = srcu_dereference(kvm->irq_routing, &kvm->irq_srcu);
	if (table && gsi < table->nr_rt_entries)
		hlist_for_each_entry(entry, &table->map[gsi], link)
			if (n < KVM_NR_IRQCHIPS && (entry->type == KVM_IRQ_ROUTING_IRQCHIP ||
						    entry->type == KVM_IRQ_ROUTING_MSI))
				set[n++] = *entry;
	srcu_read_unlock(&kvm->irq_srcu, index);
	for (index = 0; index < n; index++) {
		set[index].set(&set[index], kvm, KVM_USERSPACE_IRQ_SOURCE_ID, 1, false);
		set[index].set(&set[index], kvm, KVM_USERSPACE_IRQ_SOURCE_ID, 0, false);
	}
}

/*
 * KVM's functions that are hooked or called, by "module:name". Kprobes that are never armed
 * find them; they are let go together, which takes one grace period.
 */
static int find_sites(unsigned long *found, const char *const *name, unsigned int count)
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
			pr_err("this KVM has no function \"%s\" that can be hooked or called; kernel not supported, or kvm_intel not loaded\n",
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

static void *function_at(unsigned long site, const char *name)
{
	/* with IBT, a function that is called by address must begin with ENDBR */
	if (elisa_lacks_endbr(site - ELISA_SITE_OFFSET)) {
		pr_err("\"%s\" of this KVM cannot be called by address (IBT)\n", name);
		return NULL;
	}
	return (void *)(site - ELISA_SITE_OFFSET);
}

/* sprint_symbol() ends in "+offset/size [module]", both in hexadecimal. */
static unsigned long size_of_function(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN], *size;

	sprint_symbol(text, address);
	size = strrchr(text, '/');
	return size ? simple_strtoul(size + 1, NULL, 16) : 0;
}

static int find_run_ioctl(void)
{
	static const char *const name[] = {ELISA_KVM_RUN};
	int r = find_sites(&run_ioctl.start, name, 1);

	if (r)
		return r;
	run_ioctl.size = size_of_function(run_ioctl.start);
	if (run_ioctl.size)
		return 0;
	pr_err("the size of \"%s\" is unknown: this kernel has no kallsyms\n", name[0]);
	return -ENOENT;
}

static int find_functions(void)
{
	static const char *const called[] = {ELISA_KVM_EMULATE,	   ELISA_KVM_QUEUE_EXCEPTION,
					     ELISA_KVM_MARK_DIRTY, ELISA_KVM_GET,
					     ELISA_KVM_PUT,	   ELISA_KVM_READ};
	unsigned long at[ARRAY_SIZE(called)];
	int r;

	r = find_sites(sites, names, ELISA_HOOKS);
	if (!r)
		r = find_sites(at, called, ARRAY_SIZE(called));
	if (!r)
		r = find_run_ioctl();
	if (r)
		return r;
	kvm_emulate = function_at(at[0], called[0]);
	kvm_queue = function_at(at[1], called[1]);
	kvm_mark_dirty = function_at(at[2], called[2]);
	kvm_get = function_at(at[3], called[3]);
	kvm_put = function_at(at[4], called[4]);
	kvm_read = function_at(at[5], called[5]);
	return kvm_emulate && kvm_queue && kvm_mark_dirty && kvm_get && kvm_put && kvm_read ?
		       0 :
		       -ENOENT;
}

static int set_path_filters(void)
{
	int i, r = 0;

	for (i = 0; i < ARRAY_SIZE(direct) && !r; i++)
		r = ftrace_set_filter_ips(&direct[i].ops, sites + direct[i].first, direct[i].count,
					  0, 1);
	return r;
}

static void free_path_filters(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(direct); i++)
		ftrace_free_filter(&direct[i].ops);
}

int elisa_hooks_init(void)
{
	int r;

	/* an open /dev/kvm is what keeps kvm_intel from being unloaded */
	kvm_device = filp_open("/dev/kvm", O_RDWR, 0);
	if (IS_ERR(kvm_device)) {
		pr_err("cannot open /dev/kvm (%ld): load kvm_intel first\n", PTR_ERR(kvm_device));
		return PTR_ERR(kvm_device);
	}
	r = find_functions();
	if (r)
		goto err_file;
	r = ftrace_set_filter_ips(&rare_ops, sites, ELISA_HOOK_RUN, 0, 1);
	if (r)
		goto err_filter;
	r = set_path_filters();
	if (r)
		goto err_path;
	r = register_ftrace_function(&rare_ops);
	if (r)
		goto err_path;
	return 0;

err_path:
	free_path_filters();
	ftrace_free_filter(&rare_ops);
err_filter:
	pr_err("cannot hook KVM with ftrace (%d): is ftrace enabled, or a livepatch in place?\n",
	       r);
err_file:
	fput(kvm_device);
	return r;
}

/* No attachment exists any more: their share of the module kept it from being unloaded. */
void elisa_hooks_exit(void)
{
	cancel_delayed_work_sync(&unhook_work);
	if (registered)
		unregister_direct(ARRAY_SIZE(direct));
	unregister_ftrace_function(&rare_ops);
	/* threads that sleep in a replacement, then those at its last instructions */
	while (atomic_read(&replacing))
		msleep(20);
	synchronize_rcu_tasks();
	ftrace_free_filter(&rare_ops);
	free_path_filters();
	fput(kvm_device);
}
