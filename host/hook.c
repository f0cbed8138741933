// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks into a stock KVM: ftrace calls us (hook_entry.S) at the first instruction of KVM
 * functions that are found by name, and we may send the CPU elsewhere. KVM's text and symbols are
 * never linked or patched by us; a hook that does not concern us must cost next to
 * nothing. When they are in place is arm.c's.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "compat.h"
#include "elisa.h"
#include "settled.h"
#include "hook.h"

static const char *const names[] = EH_HOOK_NAMES;
static const char *const called[] = EH_CALLED_NAMES;
static unsigned long sites[EH_HOOKS]; /* where ftrace calls; const after init */
static struct file *kvm_device;	      /* open, so that kvm_intel stays loaded */
static atomic_t replacing;	      /* threads in what may sleep, or in a replacement */
static struct {
	unsigned long start, size;
} run_ioctl; /* KVM_RUN's function; const after init */

static int (*kvm_emulate)(struct kvm_vcpu *kvm_vcpu, void *code, int size);
static int (*kvm_read)(struct kvm_vcpu *kvm_vcpu, gpa_t gpa, void *to, unsigned long size);
static void (*kvm_queue)(struct kvm_vcpu *kvm_vcpu, unsigned int vector);
static void (*kvm_mark_dirty)(struct kvm_vcpu *kvm_vcpu, gfn_t gfn);
static bool (*kvm_get)(struct kvm *kvm);
static void (*kvm_put)(struct kvm *kvm);

/* KVM's own function, from its first byte; ftrace lets calls from this module pass. */
#define ORIGINAL(id, type) ((type)(sites[id] - EH_SITE_OFFSET))

/* ---- replacements: in the place of KVM's function, in its context */

static void replace_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long destination)
{
	u64 wait = 0;

	atomic_inc(&replacing);
	/* a VM that is made to wait must not keep the module by that, before or after its call */
	eh_hypercall_wait(eh_hypercall_debt(kvm_vcpu));
	/* it may sleep on a VMM's page for long: not while the module goes */
	if (try_module_get(THIS_MODULE)) {
		wait = eh_hypercall(kvm_vcpu, destination);
		module_put(THIS_MODULE);
	}
	eh_hypercall_wait(wait);
	atomic_dec(&replacing);
}

static int replace_handle_exit(struct kvm_vcpu *kvm_vcpu, unsigned long fastpath)
{
	int r;

	atomic_inc(&replacing);
	r = eh_exit_handle(kvm_vcpu);
	atomic_dec(&replacing);
	return r;
}

/* Interrupts, NMIs and SMIs wait for the call's return, which will exit. */
static int replace_allowed(struct kvm_vcpu *kvm_vcpu, bool for_injection)
{
	struct eh_vcpu *vcpu;
	unsigned long flags;

	atomic_inc(&replacing);
	vcpu = eh_vcpu_find(kvm_vcpu);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	eh_trap_return(vcpu);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (for_injection)
		eh_count(ELISA_COUNT_INJECTIONS_REFUSED);
	atomic_dec(&replacing);
	return 0;
}

static void replace_window(struct kvm_vcpu *kvm_vcpu)
{
}

/* ---- handlers: in the context of the hooked function; be quick if it is not ours */

static bool call_is_put_aside(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	return vcpu && READ_ONCE(vcpu->stash.active) && !READ_ONCE(vcpu->stash.touched);
}

void notrace eh_hypercall_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on,
				  unsigned long destination)
{
	if (destination == ELISA_HC_MAGIC)
		*go_on = (unsigned long)replace_hypercall;
}

/* Before KVM frees the vCPU. Sleeps. */
void notrace eh_free_handler(struct kvm_vcpu *kvm_vcpu)
{
	atomic_inc(&replacing);
	if (eh_vcpu_find(kvm_vcpu))
		eh_vcpu_gone(kvm_vcpu);
	atomic_dec(&replacing);
}

/* From here on: for vCPUs that are set up and those that share their byte of the filter. */

/* IRQs are off. */
void notrace eh_run_handler(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu = eh_vcpu_lookup(kvm_vcpu);

	if (!vcpu)
		return;
	raw_spin_lock(&vcpu->lock);
	if (!eh_stays_settled(vcpu))
		eh_vm_enter(vcpu);
	raw_spin_unlock(&vcpu->lock);
}

static noinline void notrace look_at_exit(struct eh_vcpu *vcpu, unsigned long *go_on)
{
	if (eh_vm_exit(vcpu))
		*go_on = (unsigned long)replace_handle_exit;
}

void notrace eh_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	if (vcpu && !eh_passes_by(vcpu))
		look_at_exit(vcpu, go_on);
}

void notrace eh_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	if (call_is_put_aside(kvm_vcpu))
		*go_on = (unsigned long)replace_allowed;
}

void notrace eh_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	if (call_is_put_aside(kvm_vcpu))
		*go_on = (unsigned long)replace_window;
}

void notrace eh_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	if (vcpu)
		eh_vcpu_was_reset(vcpu);
}

/*
 * KVM calls vcpu_load() in each vCPU ioctl, under the vCPU's mutex and before it looks at the
 * vCPU's state. A check at the beginning of the ioctl would come too early: the ioctl may sleep
 * on the mutex until a call is suspended. KVM_RUN alone shows the VMM no register of a call.
 */
void notrace eh_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);

	if (!vcpu)
		return;
	/* by KVM_RUN a VMM may set registers as well (KVM_CAP_SYNC_REGS) */
	eh_vcpu_unsettle(vcpu);
	/* at a function's first byte its caller's return address is the next one on the stack */
	if (go_on[1] - run_ioctl.start >= run_ioctl.size)
		eh_vcpu_touched(vcpu);
}

/* vmx_handle_exit() for an exit whose cause has been dealt with. Passes our hook once more. */
int eh_kvm_exit_handled(struct kvm_vcpu *kvm_vcpu)
{
	return ORIGINAL(EH_HOOK_HANDLE_EXIT, int (*)(struct kvm_vcpu *, unsigned long))(
		kvm_vcpu, EXIT_FASTPATH_EXIT_HANDLED);
}

/* One instruction, whose first @size bytes (at most 15) these are. May sleep. */
int eh_kvm_emulate(struct kvm_vcpu *kvm_vcpu, void *code, u32 size)
{
	return kvm_emulate(kvm_vcpu, code, size);
}

/* Guest memory as the vCPU sees it, ROM too, within a page. 0 or an errno; sleeps. */
int eh_kvm_read(struct kvm_vcpu *kvm_vcpu, u64 gpa, void *to, u32 size)
{
	return kvm_read(kvm_vcpu, gpa, to, size);
}

/*
 * By the guest's page tables, for a fetch; INVALID_GPA: it would fault. Not in nested guest mode.
 */
u64 eh_kvm_translate_fetch(struct kvm_vcpu *kvm_vcpu, u64 address, bool user)
{
	return eh_gva_to_gpa(kvm_vcpu, address, PFERR_FETCH_MASK | (user ? PFERR_USER_MASK : 0));
}

void eh_kvm_queue_ud(struct kvm_vcpu *kvm_vcpu)
{
	kvm_queue(kvm_vcpu, UD_VECTOR);
}

/* The module has written to this guest page. */
void eh_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	kvm_mark_dirty(kvm_vcpu, gpa >> PAGE_SHIFT);
}

/* False: nobody uses this VM any more. Its memory must be there still. */
bool eh_kvm_get(struct kvm *kvm)
{
	return kvm_get(kvm);
}

/* Perhaps the last reference: sleeps, and takes our locks. */
void eh_kvm_put(struct kvm *kvm)
{
	kvm_put(kvm);
}

/*
 * An edge at what the VMM has connected to this GSI: a pin of KVM's IOAPIC and PIC, or the MSI that
 * an IOAPIC of its own has there; nothing else, since Xen's event channels may wait for the VMM's
 * memory. As kvm_set_irq() does, which cannot be called by its address where IBT is on. Does not
 * sleep.
 */
void eh_kvm_interrupt(struct kvm *kvm, u32 gsi)
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

static void *function_at(const unsigned long *at, enum eh_called_id id)
{
	unsigned long function = at[id] - EH_SITE_OFFSET;

	/* with IBT, a function that is called by address must begin with ENDBR */
	if (eh_lacks_endbr(function)) {
		pr_err("\"%s\" of this KVM cannot be called by address (IBT)\n", called[id]);
		return NULL;
	}
	return (void *)function;
}

/* sprint_symbol() ends in "+offset/size [module]", both in hexadecimal. */
static unsigned long size_of_function(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN], *size;

	sprint_symbol(text, address);
	size = strrchr(text, '/');
	return size ? simple_strtoul(size + 1, NULL, 16) : 0;
}

/* KVM_RUN: of all callers of vcpu_load() the one that does not look at the vCPU's state. */
static int find_run_ioctl(unsigned long site)
{
	run_ioctl.start = site;
	run_ioctl.size = size_of_function(site);
	if (run_ioctl.size)
		return 0;
	pr_err("the size of \"%s\" is unknown: this kernel has no kallsyms\n",
	       called[EH_CALLED_RUN_IOCTL]);
	return -ENOENT;
}

static int find_functions(void)
{
	unsigned long at[EH_CALLED];
	int r;

	r = find_sites(sites, names, EH_HOOKS);
	if (!r)
		r = find_sites(at, called, EH_CALLED);
	if (!r)
		r = find_run_ioctl(at[EH_CALLED_RUN_IOCTL]);
	if (r)
		return r;
	kvm_emulate = function_at(at, EH_CALLED_EMULATE);
	kvm_queue = function_at(at, EH_CALLED_QUEUE_EXCEPTION);
	kvm_mark_dirty = function_at(at, EH_CALLED_MARK_DIRTY);
	kvm_get = function_at(at, EH_CALLED_GET);
	kvm_put = function_at(at, EH_CALLED_PUT);
	kvm_read = function_at(at, EH_CALLED_READ);
	return kvm_emulate && kvm_queue && kvm_mark_dirty && kvm_get && kvm_put && kvm_read ?
		       0 :
		       -ENOENT;
}

int eh_hooks_init(void)
{
	int r;

	/* an open /dev/kvm is what keeps kvm_intel from being unloaded */
	kvm_device = filp_open("/dev/kvm", O_RDWR, 0);
	if (IS_ERR(kvm_device)) {
		pr_err("cannot open /dev/kvm (%ld): load kvm_intel first\n", PTR_ERR(kvm_device));
		return PTR_ERR(kvm_device);
	}
	r = eh_prototypes_check();
	if (!r)
		r = find_functions();
	if (!r)
		r = eh_arm_init(sites);
	if (r)
		fput(kvm_device);
	return r;
}

/* No attachment exists any more: their share of the module kept it from being unloaded. */
void eh_hooks_exit(void)
{
	eh_arm_exit();
	/* threads that sleep in a handler or a replacement, then those at its last instructions */
	while (atomic_read(&replacing))
		msleep(20);
	synchronize_rcu_tasks();
	fput(kvm_device);
}
