// SPDX-License-Identifier: Apache-2.0
/* Two VMs for the host module, see host.h. */
#include <sys/mman.h>

#include "host.h"

struct machine machines[MACHINES];
long hooks_armed, hooks_tried;
int hooks_refused;
u64 interrupt_takes;
bool cpu_leaks, cpu_has_tsx;
static long live; /* allocations before the VMs were made */

/* ---- weak where a test has the real one: main.c */
#define WEAK __attribute__((weak))
WEAK unsigned int eh_default_limit_us = 5000;
WEAK unsigned int eh_max_limit_us = 10000;
WEAK unsigned int eh_default_suspend_us = 50000;
WEAK unsigned int eh_max_suspend_us = 100000;
WEAK unsigned int eh_default_max_pages = 600;
WEAK unsigned int eh_calls_per_second = 1000;
WEAK bool eh_invept_context = true;
WEAK bool eh_ept_2m = true, eh_ept_1g = true;

WEAK bool eh_cpu_leaks(void)
{
	return cpu_leaks;
}

WEAK bool eh_cpu_override(void)
{
	return false;
}

WEAK bool eh_cpu_has_tsx(void)
{
	return cpu_has_tsx;
}

/* ---- hook.c, list.c, call.c, exit.c, enter.c, watch.c: no vCPU runs in a process */
void eh_watch_init(struct eh_vcpu *vcpu)
{
	vcpu->watching = EH_WATCH_OFF;
}

void eh_watch_end(struct eh_vcpu *vcpu)
{
	vcpu->watching = EH_WATCH_OFF;
}

int eh_hooks_arm(void)
{
	shim_assert(!shim_mutex_depth);
	hooks_tried++;
	if (hooks_refused)
		return hooks_refused;
	hooks_armed++;
	return 0;
}

void eh_hooks_share(void)
{
	shim_assert(hooks_armed > 0);
	hooks_armed++;
}

void eh_hooks_disarm(void)
{
	shim_assert(hooks_armed > 0);
	hooks_armed--;
}

void eh_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa)
{
	struct kvm_memory_slot *slot = __gfn_to_memslot(kvm_vcpu->kvm->slots, gpa / PAGE_SIZE);

	shim_assert(slot && !(slot->flags & KVM_MEM_READONLY));
}

static struct machine *machine_of(struct kvm *kvm)
{
	return container_of(kvm, struct machine, kvm);
}

bool eh_kvm_get(struct kvm *kvm)
{
	shim_assert(!machine_of(kvm)->references);
	machine_of(kvm)->references += !machine_of(kvm)->dying;
	return !machine_of(kvm)->dying;
}

void eh_kvm_put(struct kvm *kvm)
{
	shim_assert(!shim_mutex_depth && !shim_spin_depth);
	machine_of(kvm)->references--;
}

bool eh_kvm_apicv_is_off(struct kvm *kvm)
{
	return machine_of(kvm)->apicv_is_off;
}

void eh_kvm_inhibit_apicv(struct kvm *kvm, bool inhibit)
{
	shim_assert(shim_mutex_depth == 1 && !shim_spin_depth);
	if (machine_of(kvm)->apicv_stays)
		return;
	machine_of(kvm)->apicv_is_off = inhibit;
	machine_of(kvm)->apicv_changes++;
}

void eh_kvm_interrupt(struct kvm *kvm, u32 gsi)
{
	shim_assert(machine_of(kvm)->references == 1 && !shim_mutex_depth && !shim_spin_depth);
	machine_of(kvm)->edges[gsi]++;
	shim_pass(interrupt_takes);
}

WEAK void eh_list_reset(struct eh_vcpu *vcpu)
{
	shim_assert(vcpu->lock.held);
	vcpu->stale = false;
}

void eh_stash_orphan(struct eh_vcpu *vcpu, struct eh_context *context)
{
	shim_assert(vcpu->lock.held);
	if (vcpu->stash.context == context)
		vcpu->stash.context = NULL;
}

/* ---- the VMs */
static struct super_block ext4 = {0xef53}, tmpfs = {TMPFS_MAGIC};
static struct inode ext4_inode = {&ext4, S_IFREG}, tmpfs_inode = {&tmpfs, S_IFREG},
		    device_inode = {&tmpfs, S_IFCHR};
static struct file ext4_file = {.inode = &ext4_inode}, tmpfs_file = {.inode = &tmpfs_inode},
		   device_file = {.inode = &device_inode};

static struct kvm_memory_slot slot_of(struct machine *m, unsigned int page, unsigned int count,
				      u32 flags, int id)
{
	return (struct kvm_memory_slot){GPA(page) / PAGE_SIZE, count,
					(unsigned long)m->mm.memory + page * PAGE_SIZE, flags, id};
}

static void machine_start(int i)
{
	static u8 memory[MACHINES][RAM_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
	static struct page pages[MACHINES][RAM_PAGES];
	struct machine *m = &machines[i];
	unsigned long page;

	*m = (struct machine){0};
	m->mm.memory = memory[i];
	m->mm.pages = memset(pages[i], 0, sizeof(pages[i]));
	m->mm.page_count = RAM_PAGES;
	for (page = 0; page < RAM_PAGES; page++)
		m->mm.pages[page].data = m->mm.memory + page * PAGE_SIZE;
	m->mm.mm_users.counter = m->mm.mm_count = 1;
	m->mm.pages[UNPINNABLE].unpinnable = true;
	for (page = 0; page < 5; page++)
		m->mm.vma[page + 1] = (struct vm_area_struct){
			.vm_start = (unsigned long)m->mm.pages[FILE_BACKED + page].data,
			.vm_end = (unsigned long)m->mm.pages[FILE_BACKED + page].data + PAGE_SIZE,
		};
	m->mm.vma[0].vm_start = (unsigned long)m->mm.memory;
	m->mm.vma[0].vm_end = m->mm.vma[1].vm_start;
	m->mm.vma[1].vm_file = &ext4_file;
	m->mm.vma[2].vm_flags = VM_PFNMAP;
	m->mm.vma[3].vm_file = &tmpfs_file;
	m->mm.vma[5].vm_file = &device_file;

	m->kvm.mm = &m->mm;
	m->kvm.slots[0] = slot_of(m, 0, READ_ONLY, 0, 0);
	m->kvm.slots[1] = slot_of(m, READ_ONLY, 1, KVM_MEM_READONLY, 1);
	m->kvm.slots[2] = slot_of(m, DIRTY_LOG, 1, KVM_MEM_LOG_DIRTY_PAGES, 2);
	m->kvm.slots[3] = slot_of(m, NO_SLOT, 1, KVM_MEMSLOT_INVALID, 3);
	m->kvm.slots[4] = slot_of(m, INTERNAL, 1, 0, KVM_USER_MEM_SLOTS);
	m->kvm.slots[5] = slot_of(m, FILE_BACKED, 5, 0, 4);
	m->kvm.slots[6] = slot_of(m, GUEST_MEMFD, 1, EH_MEM_GUEST_MEMFD, 5);
	m->vcpu.kvm = &m->kvm;
	m->vcpu.arch.efer = EFER_LMA;
	m->vcpu.arch.cr4 = X86_CR4_PAE | X86_CR4_SMEP | X86_CR4_SMAP;
	m->vcpu.arch.xcr0 = 7;
	shim_tasks[i] = (struct task_struct){.mm = &m->mm, .pid = 100 + i};
}

/* Makes what the module makes once and keeps until it is unloaded. */
static void start_once(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	eh_tables_init();
	eh_directory_init();
	shim_assert(!eh_bells_init() && !eh_failure_init() && !eh_apicv_init());
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++)
		shim_assert(!eh_slot_prepare(slot, 4) && !eh_slot_prepare(slot, 5));
	atexit(eh_tables_exit);
	atexit(eh_bells_exit);
	atexit(eh_apicv_exit);
	atexit(eh_failure_exit);
}

void host_start(void)
{
	shim_fail_after = -1;
	start_once();
	live = shim_live;
	cpu_leaks = cpu_has_tsx = false;
	shim_memlock = 0;
	shim_may_lock = true;
	memset(shim_vmcs, 0, sizeof(shim_vmcs));
	shim_vmcs[CR4_GUEST_HOST_MASK] = ~0ULL;
	shim_vmcs[SECONDARY_VM_EXEC_CONTROL] = SECONDARY_EXEC_UNRESTRICTED_GUEST;
	for (int i = 0; i < MACHINES; i++)
		machine_start(i);
}

static void machine_end(struct machine *m)
{
	for (unsigned int i = 0; i < RAM_PAGES; i++)
		shim_assert(!m->mm.pages[i].pins && !m->mm.pages[i].references);
	shim_assert(!m->references);
	shim_assert(m->mm.mm_count == 1 && m->mm.mm_users.counter <= 1);
	shim_assert(!atomic64_read(&m->mm.pinned_vm));
}

/*
 * Runs the work items, in several rounds. A held VM does not end, and pending work of rings and of
 * early VMs holds it.
 */
void host_settle(void)
{
	for (int i = 0; i < 4; i++)
		shim_run_work();
}

void host_end(void)
{
	shim_fail_after = -1;
	shim_assert(!shim_meanwhile);
	host_settle();
	for (int i = 0; i < MACHINES; i++) {
		eh_vcpu_gone(&machines[i].vcpu);
		host_settle();
	}
	eh_vms_stop();
	eh_vms_free();
	eh_grants_free();
	eh_vmm_exit();
	shim_assert(list_empty(&eh_exports) && list_empty(&eh_vms));
	shim_assert(shim_live == live && !shim_modules && !hooks_armed);
	for (int i = 0; i < MACHINES; i++)
		machine_end(&machines[i]);
}

/* ---- large pages */
static struct shim_area large[MACHINES];

static struct page *large_pages(u8 *memory)
{
	struct page *pages = mmap(NULL, LARGE_PAGES * sizeof(struct page), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned long i;

	shim_assert(pages != MAP_FAILED);
	for (i = 0; i < LARGE_PAGES; i++)
		pages[i].head = i < LARGE_PAGES / 2 ? pages : &pages[i / 512 * 512];
	for (i = LARGE_PAGES / 2; i < LARGE_PAGES; i += 512)
		pages[i] = (struct page){.data = memory + i * PAGE_SIZE, .folio_pages = 512};
	pages[0] =
		(struct page){.data = memory, .folio_pages = LARGE_PAGES / 2, .is_hugetlb = true};
	return pages;
}

void host_large_memory(int machine)
{
	const unsigned long gib = LARGE_PAGES / 2 * PAGE_SIZE;
	struct mm_struct *mm = &machines[machine].mm;
	struct shim_area *area = &large[machine];
	unsigned long at;

	if (!area->memory) {
		at = (unsigned long)mmap(NULL, 3 * gib, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		area->memory = (u8 *)((__pa(at) | (gib - 1)) + 1 - SHIM_PHYSICAL);
		area->count = LARGE_PAGES;
	}
	if (!area->pages)
		area->pages = large_pages(area->memory);
	mm->more = *area;
	at = (unsigned long)area->memory;
	mm->vma[6] = (struct vm_area_struct){.vm_start = at, .vm_end = at + gib, .hugetlb = true};
	mm->vma[7] = (struct vm_area_struct){.vm_start = at + gib, .vm_end = at + 2 * gib};
	machines[machine].kvm.slots[7] =
		(struct kvm_memory_slot){LARGE_GPA / PAGE_SIZE, LARGE_PAGES, at, 0, 7};
}

void host_large_memory_free(void)
{
	for (int m = 0; m < MACHINES; m++) {
		for (unsigned long i = 0; i < LARGE_PAGES; i++)
			shim_assert(!large[m].pages[i].pins && !large[m].pages[i].references);
		munmap(large[m].pages, LARGE_PAGES * sizeof(struct page));
		large[m].pages = NULL;
	}
}

static void set_name(char *to, const char *name)
{
	snprintf(to, ELISA_NAME_SIZE, "%s", name);
}

u32 host_grant(int machine, u32 rights, const char *name, u64 max_pages)
{
	struct elisa_host_grant grant = {
		.pid = 100 + machine, .rights = rights, .max_pages = max_pages};

	set_name(grant.name, name);
	shim_assert(!eh_grant_add(&grant));
	return grant.id;
}

u8 *guest_memory(int machine, u64 gpa)
{
	return machines[machine].mm.memory + (gpa - GPA(0));
}

int host_call(int machine, u32 call, struct elisa_hc_page *page)
{
	struct kvm_vcpu *vcpu = &machines[machine].vcpu;
	int r;

	current = &shim_tasks[machine];
	page->call = call;
	memcpy(guest_memory(machine, GPA(0)), page, sizeof(*page));
	vcpu->arch.regs[VCPU_REGS_RCX] = GPA(0);
	eh_hypercall_wait(eh_hypercall_debt(vcpu));
	eh_hypercall_wait(eh_hypercall(vcpu, ELISA_HC_MAGIC));
	shim_assert(vcpu->arch.regs[VCPU_REGS_RBX] == ELISA_HC_REPLY);
	memcpy(page, guest_memory(machine, GPA(0)), sizeof(*page));
	r = (int)vcpu->arch.regs[VCPU_REGS_RCX];
	machines[machine].why = page->why;
	machines[machine].value = page->value;
	shim_assert(!shim_mutex_depth && !shim_spin_depth);
	shim_assert(r <= 0 && r > -4096 && page->why < ELISA_WHY_COUNT);
	shim_run_work();
	return r;
}

struct eh_vcpu *host_vcpu(int machine)
{
	return eh_vcpu_find(&machines[machine].vcpu);
}

struct eh_vm *host_vm(int machine)
{
	return host_vcpu(machine)->vm;
}

/* ---- requests */
struct elisa_hc_page *request_export(struct elisa_hc_page *page, const char *name)
{
	memset(page, 0, sizeof(*page));
	set_name(page->export_.name, name);
	return page;
}

struct elisa_hc_page *request_map(struct elisa_hc_page *page, u32 id, u64 offset, u32 count,
				  u32 prot)
{
	memset(page, 0, sizeof(*page));
	page->map.id = id;
	page->map.prot = prot;
	page->map.offset = offset;
	page->map.count = count;
	for (u32 i = 0; i < count && i < ELISA_HC_MAP_PAGES; i++)
		page->map.gpa[i] = GPA(1 + i);
	return page;
}

struct elisa_hc_page *request_attach(struct elisa_hc_page *page, const char *name, u64 root,
				     u32 exchange_pages)
{
	memset(page, 0, sizeof(*page));
	set_name(page->attach.name, name);
	page->attach.root = root;
	page->attach.user_cs = 0x33;
	page->attach.user_ss = 0x2b;
	page->attach.exchange_pages = exchange_pages;
	for (u32 i = 0; i < exchange_pages && i < ELISA_EXCHANGE_MAX_PAGES; i++)
		page->attach.exchange[i] = GPA(600 + i);
	return page;
}

u32 host_publish(const char *name)
{
	struct elisa_hc_page page;
	u32 id;

	shim_assert(!host_call(MANAGER, ELISA_HC_EXPORT_CREATE, request_export(&page, name)));
	id = page.export_.id;
	request_map(&page, id, 0, 1, ELISA_PROT_READ | ELISA_PROT_EXEC);
	shim_assert(!host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page));
	request_map(&page, id, ELISA_OBJECT_SIZE - 2 * PAGE_SIZE, 2,
		    ELISA_PROT_READ | ELISA_PROT_WRITE);
	page.map.gpa[0] = GPA(2);
	page.map.gpa[1] = GPA(TMPFS);
	shim_assert(!host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page));
	memset(&page, 0, sizeof(page));
	page.publish.id = id;
	page.publish.entry = 0x10;
	shim_assert(!host_call(MANAGER, ELISA_HC_EXPORT_PUBLISH, &page));
	return id;
}

int host_attach(const char *name, u64 root, u32 exchange_pages)
{
	struct elisa_hc_page page;
	int r = host_call(GUEST, ELISA_HC_ATTACH,
			  request_attach(&page, name, root, exchange_pages));

	if (r)
		return r;
	memset(&page, 0, sizeof(page));
	return host_call(GUEST, ELISA_HC_VCPU_SYNC, &page);
}
