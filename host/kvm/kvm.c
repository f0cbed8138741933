// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls KVM. Its functions are found by name when the module is loaded, after prototype.c has
 * compared their prototypes. No other file calls a function of KVM that is not exported.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "base/base.h"
#include "kvm/kvm.h"

static const char *const names[] = EH_HOOK_NAMES;
static const char *const called[] = EH_CALLED_NAMES;
static unsigned long sites[EH_HOOKS]; /* where ftrace calls; const after init */
static struct file *kvm_device;	      /* open, so that kvm_intel stays loaded */
static struct {
	unsigned long start, size;
} run_ioctl; /* KVM_RUN's function; const after init */

static int (*kvm_emulate)(struct kvm_vcpu *kvm_vcpu, void *code, int size);
static int (*kvm_read)(struct kvm_vcpu *kvm_vcpu, gpa_t gpa, void *to, unsigned long size);
static void (*kvm_queue)(struct kvm_vcpu *kvm_vcpu, unsigned int vector);
static void (*kvm_mark_dirty)(struct kvm_vcpu *kvm_vcpu, gfn_t gfn);
static bool (*kvm_get)(struct kvm *kvm);
static void (*kvm_put)(struct kvm *kvm);
static void (*kvm_inhibit_apicv)(struct kvm *kvm, unsigned int reason, bool set);

/* KVM's hooked function, from its first byte. The call passes the module's hook, too. */
#define ORIGINAL(id, type) ((type)(sites[id] - EH_SITE_OFFSET))

/* Calls vmx_handle_exit() for an exit that is handled already. It passes the hook once more. */
int eh_kvm_exit_handled(struct kvm_vcpu *kvm_vcpu)
{
	return ORIGINAL(EH_HOOK_HANDLE_EXIT, int (*)(struct kvm_vcpu *, unsigned long))(
		kvm_vcpu, EXIT_FASTPATH_EXIT_HANDLED);
}

/* Makes KVM emulate the instruction whose first @size bytes (at most 15) are @code. May sleep. */
int eh_kvm_emulate(struct kvm_vcpu *kvm_vcpu, void *code, u32 size)
{
	return kvm_emulate(kvm_vcpu, code, size);
}

/* Reads guest memory or ROM within a page, as the vCPU sees it. Returns 0 or an errno. Sleeps. */
int eh_kvm_read(struct kvm_vcpu *kvm_vcpu, u64 gpa, void *to, u32 size)
{
	return kvm_read(kvm_vcpu, gpa, to, size);
}

/*
 * Translates an address by the guest's page tables, for an instruction fetch. Returns INVALID_GPA
 * if the fetch would fault. Not in nested guest mode. In the vCPU's thread.
 */
u64 eh_kvm_translate_fetch(struct kvm_vcpu *kvm_vcpu, u64 address, bool user)
{
	return eh_gva_to_gpa(kvm_vcpu, address, PFERR_FETCH_MASK | (user ? PFERR_USER_MASK : 0));
}

/* Queues a #UD for the vCPU's next entry. In the vCPU's thread. */
void eh_kvm_queue_ud(struct kvm_vcpu *kvm_vcpu)
{
	kvm_queue(kvm_vcpu, UD_VECTOR);
}

/* Marks a guest page as dirty, because the module has written to it. In the vCPU's thread. */
void eh_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	kvm_mark_dirty(kvm_vcpu, gpa >> PAGE_SHIFT);
}

/*
 * Takes a reference to KVM's VM. Returns false if the last reference is gone. The caller makes sure
 * that struct kvm still exists. Does not sleep.
 */
bool eh_kvm_get(struct kvm *kvm)
{
	return kvm_get(kvm);
}

/* Gives a reference back. After the last one KVM ends the VM: it sleeps, and hooks take locks. */
void eh_kvm_put(struct kvm *kvm)
{
	kvm_put(kvm);
}

/*
 * Raises an edge at this GSI. The VMM has connected it to a pin of KVM's IOAPIC and PIC, or to an
 * MSI of the VMM's own IOAPIC. Other routes are skipped: Xen's event channels may wait for the
 * VMM's memory. The function repeats kvm_set_irq(), which cannot be called by address with IBT.
 * Does not sleep.
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

/* Tells whether the VM's APICv is off for EH_APICV_DISABLED, set by the administrator or by us. */
bool eh_kvm_apicv_is_off(struct kvm *kvm)
{
	return READ_ONCE(kvm->arch.apicv_inhibit_reasons) & BIT(EH_APICV_DISABLED);
}

/*
 * Takes APICv from all vCPUs of the VM, from each vCPU's next entry on. Or gives it back, if KVM
 * has no other reason against it. The caller alternates the two. Under vm->apicv_lock. Sleeps.
 */
void eh_kvm_inhibit_apicv(struct kvm *kvm, bool inhibit)
{
	kvm_inhibit_apicv(kvm, EH_APICV_DISABLED, inhibit);
}

/* Returns the first byte of a function that is to be called, or NULL if IBT forbids the call. */
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

/*
 * Notes where KVM_RUN's function is. Of all callers of vcpu_load() it is the only one that does not
 * look at the vCPU's state.
 */
static int find_run_ioctl(unsigned long site)
{
	run_ioctl.start = site;
	run_ioctl.size = eh_symbol_size(site);
	if (run_ioctl.size)
		return 0;
	pr_err("the size of \"%s\" is unknown: this kernel has no kallsyms\n",
	       called[EH_CALLED_RUN_IOCTL]);
	return -ENOENT;
}

/* Finds all functions that are hooked or called. */
static int find_functions(void)
{
	unsigned long at[EH_CALLED];
	int r;

	r = eh_symbols_find(sites, names, EH_HOOKS);
	if (!r)
		r = eh_symbols_find(at, called, EH_CALLED);
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
	kvm_inhibit_apicv = function_at(at, EH_CALLED_APICV);
	return kvm_emulate && kvm_queue && kvm_mark_dirty && kvm_get && kvm_put && kvm_read &&
			       kvm_inhibit_apicv ?
		       0 :
		       -ENOENT;
}

/* Returns where ftrace calls at the start of the hooked functions, by enum eh_hook_id. */
unsigned long *eh_kvm_sites(void)
{
	return sites;
}

/* Tells whether a return address is in KVM_RUN's function, see find_run_ioctl(). */
bool eh_kvm_is_run_ioctl(unsigned long address)
{
	return address - run_ioctl.start < run_ioctl.size;
}

/* Finds KVM's functions and keeps kvm_intel loaded. Runs when the module is loaded. */
int eh_kvm_init(void)
{
	int r;

	/* an open /dev/kvm keeps kvm_intel from being unloaded */
	kvm_device = filp_open("/dev/kvm", O_RDWR, 0);
	if (IS_ERR(kvm_device)) {
		pr_err("cannot open /dev/kvm (%ld): load kvm_intel first\n", PTR_ERR(kvm_device));
		return PTR_ERR(kvm_device);
	}
	r = eh_prototypes_check();
	if (!r)
		r = find_functions();
	if (r)
		fput(kvm_device);
	return r;
}

/* Lets kvm_intel go. No hook is in place any more. */
void eh_kvm_exit(void)
{
	fput(kvm_device);
}
