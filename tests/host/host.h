/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two VMs for the host module in a test's process. Each has memory, memory slots and grants, and
 * makes hypercalls as a guest's kernel does. host.c replaces what the module has in main.c, hook.c
 * and the entry and exit path. All other code is the real source.
 */
#ifndef TESTS_HOST_H
#define TESTS_HOST_H

#include "base/base.h"
#include "control/control.h"
#include "entry.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

/* Guest-physical memory of each VM: the address of page n, and the numbers of special pages. */
#define RAM_PAGES 1024
#define GPA(n)	  (0x100000ULL + (u64)(n)*PAGE_SIZE)
enum special {
	READ_ONLY = 1000, /* slot without write access; the VMM's mapping is writable */
	DIRTY_LOG,
	NO_SLOT,     /* the slot is being deleted */
	INTERNAL,    /* KVM's own slot */
	FILE_BACKED, /* ext4 */
	DEVICE,	     /* VM_PFNMAP */
	TMPFS,
	UNPINNABLE,
	DEVICE_FILE, /* a driver's file, with its node on a tmpfs */
	GUEST_MEMFD, /* slot whose private memory the guest may have from guest_memfd */
};

struct machine {
	struct kvm kvm;
	struct kvm_vcpu vcpu;
	struct mm_struct mm;
	bool dying;			/* KVM has dropped its last reference to the VM */
	long references;		/* the module's references */
	bool apicv_is_off, apicv_stays; /* stays: KVM does not switch it off */
	long apicv_changes;		/* by the module */
	long edges[ELISA_MAX_GSI + 1];
	u32 why;
	u64 value;
};
enum {
	MANAGER,
	GUEST,
	MACHINES
};
extern struct machine machines[MACHINES];
extern long hooks_armed, hooks_tried;
extern int hooks_refused;
extern u64 interrupt_takes; /* ns */
extern bool cpu_leaks, cpu_has_tsx;

void host_start(void); /* makes both VMs, without grants */
void host_end(void);   /* ends the VMs; fails unless all memory, pins and references are back */
u32 host_grant(int machine, u32 rights, const char *name, u64 max_pages);
u8 *guest_memory(int machine, u64 gpa);
/*
 * Adds 2 GiB to a VM at LARGE_GPA, to be called after host_start(). In the order of addresses, they
 * are a hugetlb page of 1 GiB, and then folios of 2 MiB like transparent huge pages. They are
 * aligned by what the tests take for physical addresses. Changes of their pages stay until all of
 * it is freed.
 */
#define LARGE_GPA   (64ULL << 30)
#define LARGE_PAGES (0x80000000ULL / PAGE_SIZE)
void host_large_memory(int machine);
void host_large_memory_free(void);
/* Makes a hypercall with this page at GPA(0), and copies the answer back to the page. */
int host_call(int machine, u32 call, struct elisa_hc_page *page);
void host_settle(void); /* runs all work items; no VM is held then */
struct eh_vm *host_vm(int machine);
struct eh_vcpu *host_vcpu(int machine);

/* Valid requests, which a test then makes invalid. */
struct elisa_hc_page *request_export(struct elisa_hc_page *page, const char *name);
struct elisa_hc_page *request_map(struct elisa_hc_page *page, u32 id, u64 offset, u32 count,
				  u32 prot);
struct elisa_hc_page *request_attach(struct elisa_hc_page *page, const char *name, u64 root,
				     u32 exchange_pages);
/*
 * Publishes an export with one page of code at 0 and data at the end of the object area. Returns
 * its id.
 */
u32 host_publish(const char *name);
int host_attach(const char *name, u64 root, u32 exchange_pages);

#endif
