// SPDX-License-Identifier: Apache-2.0
/*
 * The harness of the machine tests: makes VMs with /dev/kvm and runs them. requests.c makes the
 * hypercalls of a guest's kernel, admin.c the requests of the host's administrator. None of these
 * files may depend on how the module works inside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../gate/gate_page.h"
#include "harness.h"

extern const uint8_t kernel_start[], kernel_end[], user_start[], user_end[];
extern const uint8_t isr_nmi[], isr_fault[];

void (*on_signal)(struct vm *vm, int vcpu);

int sys(int r, const char *what)
{
	if (r < 0) {
		printf("FAILED %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return r;
}

static int kvm_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = SYS(open("/dev/kvm", O_RDWR));
	return fd;
}

uint64_t *vm_u64(struct vm *vm, uint64_t gpa)
{
	return (uint64_t *)(vm->memory + gpa);
}

uint64_t user_code(const void *symbol)
{
	return USER_CODE + ((const uint8_t *)symbol - user_start);
}

uint64_t kernel_code(const void *symbol)
{
	return KERNEL_CODE + ((const uint8_t *)symbol - kernel_start);
}

struct seen *seen(struct vm *vm)
{
	return (struct seen *)(vm->memory + SEEN);
}

uint64_t *object_data(struct vm *vm)
{
	return vm_u64(vm, OBJECT + PAGE_SIZE);
}

void set_gate(struct vm *vm, int vector, uint64_t handler, int dpl)
{
	uint64_t *gate = vm_u64(vm, IDT + 16 * vector);

	gate[0] = (handler & 0xffff) | (0x8ULL << 16) | ((0x8eULL | dpl << 5) << 40) |
		  ((handler >> 16 & 0xffff) << 48);
	gate[1] = handler >> 32;
}

static void vm_memory(struct vm *vm)
{
	uint64_t *gdt = vm_u64(vm, GDT);
	int i;

	*vm_u64(vm, ROOT) = 0x2000 | 0x67;
	*vm_u64(vm, 0x2000) = 0x3000 | 0x67;
	for (i = 0; i < 8; i++)
		vm_u64(vm, 0x3000)[i] = ((uint64_t)i << 21) | (i == 1 ? 0xe7 : 0xe3);
	/* the local APIC, for EOI */
	vm_u64(vm, 0x2000)[3] = 0x4000 | 0x67;
	vm_u64(vm, 0x4000)[0xfee00000 >> 21 & 511] = 0xfee00000 | 0xe3;
	memcpy(vm->memory + ROOT_OTHER, vm->memory + ROOT, PAGE_SIZE);
	gdt[1] = 0x00af9b000000ffffULL;
	gdt[2] = 0x00cf93000000ffffULL;
	gdt[3] = 0x00affb000000ffffULL;
	gdt[4] = 0x00cff3000000ffffULL;
	*(uint64_t *)(vm->memory + TSS + 4) = KERNEL_STACK + 0x8000;
	/*
	 * Ring 3 may use the ports 0 to 31 by the TSS's bitmap. With IOPL 3, POPF would change IF.
	 */
	*(uint16_t *)(vm->memory + TSS + 102) = 104;
	vm->memory[TSS + 104 + 4] = 0xff;
	for (i = 0; i < 32; i++)
		set_gate(vm, i, kernel_code(isr_fault) + 16 * i, i == BP ? 3 : 0);
	set_gate(vm, 2, kernel_code(isr_nmi), 0);
	i = 32;
	for (; i < 256; i++)
		set_gate(vm, i, kernel_code(isr), 0);
	memcpy(vm->memory + KERNEL_CODE, kernel_start, kernel_end - kernel_start);
	memcpy(vm->memory + USER_CODE, user_start, user_end - user_start);
}

static void vcpu_state(struct vm *vm, int vcpu)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .present = 1, .type = 11, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .present = 1, .type = 3, .s = 1, .db = 1, .g = 1};
	struct kvm_segment task = {
		.base = TSS, .limit = 104 + 4, .selector = 0x28, .present = 1, .type = 11};
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[100];
	} cpuid = {.head.nent = 100};
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = 7};
	struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_lapic_state lapic;
	struct kvm_sregs s;

	SYS(ioctl(kvm_fd(), KVM_GET_SUPPORTED_CPUID, &cpuid));
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_CPUID2, &cpuid));
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_XCRS, &xcrs));
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_MP_STATE, &state));
	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_SREGS, &s));
	s.cr0 = 0x80050033;
	s.cr3 = ROOT;
	s.cr4 = 0x620 | 1 << 18 | 1 << 20 | 1 << 21;
	s.efer = 0xd01;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = task;
	s.idt.base = IDT;
	s.idt.limit = 0xfff;
	s.gdt.base = GDT;
	s.gdt.limit = 0x37;
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_SREGS, &s));
	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_LAPIC, &lapic));
	*(uint32_t *)(lapic.regs + 0xf0) |= 0x100;
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_LAPIC, &lapic));
}

void vcpu_new(struct vm *vm, int vcpu)
{
	int size = SYS(ioctl(kvm_fd(), KVM_GET_VCPU_MMAP_SIZE, 0));

	vm->vcpu[vcpu] = SYS(ioctl(vm->fd, KVM_CREATE_VCPU, vcpu));
	vm->run[vcpu] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu[vcpu], 0);
	CHECK(vm->run[vcpu] != MAP_FAILED);
	vcpu_state(vm, vcpu);
}

struct vm *vm_new(int vcpus)
{
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE};
	struct vm *vm = calloc(1, sizeof(*vm));
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	vm->fd = SYS(ioctl(kvm_fd(), KVM_CREATE_VM, 0));
	SYS(ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	SYS(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vm->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(vm->memory != MAP_FAILED);
	vm->page = (void *)(vm->memory + HYPERCALL_PAGE);
	vm->tables = TABLES;
	region.userspace_addr = (uint64_t)vm->memory;
	SYS(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
	vm_memory(vm);
	for (i = 0; i < VCPUS; i++)
		vm->vcpu[i] = -1;
	for (i = 0; i < vcpus; i++)
		vcpu_new(vm, i);
	return vm;
}

void vm_free(struct vm *vm)
{
	int i, size = ioctl(kvm_fd(), KVM_GET_VCPU_MMAP_SIZE, 0);

	for (i = 0; i < VCPUS; i++)
		if (vm->vcpu[i] >= 0) {
			munmap(vm->run[i], size);
			close(vm->vcpu[i]);
		}
	close(vm->fd);
	munmap(vm->memory, MEMORY_SIZE);
	free(vm);
}

static void set_ring(struct vm *vm, int vcpu, int cpl)
{
	struct kvm_sregs s;

	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_SREGS, &s));
	if (s.ss.dpl == cpl)
		return;
	s.cs.selector = cpl ? USER_CS : 8;
	s.ss.selector = cpl ? USER_SS : 16;
	s.cs.dpl = s.ss.dpl = cpl;
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_SREGS, &s));
}

void start_at(struct vm *vm, int vcpu, int cpl, uint64_t code, const struct kvm_regs *registers)
{
	struct kvm_regs regs = *registers;

	set_ring(vm, vcpu, cpl);
	regs.rip = code;
	if (!regs.rsp)
		regs.rsp = cpl ? USER_STACK - 0x1000 * vcpu : KERNEL_STACK + 0x1000 * vcpu;
	regs.rflags |= 2;
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_REGS, &regs));
}

int run_once(struct vm *vm, int vcpu)
{
	int r = ioctl(vm->vcpu[vcpu], KVM_RUN, 0);

	if (r < 0 && errno == EINTR)
		return -EINTR;
	return sys(r, "KVM_RUN");
}

struct outcome finish(struct vm *vm, int vcpu)
{
	while (run_once(vm, vcpu))
		if (on_signal)
			on_signal(vm, vcpu);
	return outcome_of(vm, vcpu);
}

struct outcome outcome_of(struct vm *vm, int vcpu)
{
	struct kvm_run *run = vm->run[vcpu];
	struct outcome out = {0};

	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_REGS, &out.regs));
	out.exit = run->exit_reason;
	out.value = out.regs.rax;
	out.error = out.regs.rdx;
	if (out.exit == KVM_EXIT_IO && run->io.port == 0x10)
		out.exit = 0;
	if (out.exit == KVM_EXIT_IO && run->io.port == 0x12) {
		out.exit = FAULT(out.regs.rbx);
		out.error = out.regs.rcx;
		out.at = out.regs.rdx;
	}
	return out;
}

struct outcome finish_within(struct vm *vm, int vcpu, long us)
{
	timer(us, 0);
	run_once(vm, vcpu);
	timer(0, 0);
	return outcome_of(vm, vcpu);
}

struct outcome run_at(struct vm *vm, int vcpu, int cpl, uint64_t code,
		      const struct kvm_regs *registers)
{
	start_at(vm, vcpu, cpl, code, registers);
	return finish(vm, vcpu);
}

void until_at_least(const volatile uint64_t *word, uint64_t least)
{
	time_t end = time(NULL) + 20;

	while (*word < least) {
		CHECK(time(NULL) < end);
		sched_yield();
	}
}

double now_us(void)
{
	struct timespec time;

	SYS(clock_gettime(CLOCK_MONOTONIC, &time));
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

bool tsc_counts_instructions(void)
{
	const char *what = getenv("ELISA_TSC_COUNTS");

	return what && !strcmp(what, "instructions");
}

static void on_alarm(int signal)
{
	(void)signal;
}

void timer(long first, long interval)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval value = {.it_value.tv_usec = first, .it_interval.tv_usec = interval};

	SYS(sigaction(SIGALRM, &action, NULL));
	SYS(setitimer(ITIMER_REAL, &value, NULL));
}

void msi(struct vm *vm, int vcpu, int vector)
{
	struct kvm_msi request = {.address_lo = 0xfee00000 | vcpu << 12, .data = vector};

	CHECK_EQ(ioctl(vm->fd, KVM_SIGNAL_MSI, &request), 1);
}

void mask_pic(struct vm *vm)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_PIC_MASTER};

	SYS(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.pic.imr = 0xff;
	SYS(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip));
}

void nmi(struct vm *vm, int vcpu)
{
	SYS(ioctl(vm->vcpu[vcpu], KVM_NMI, 0));
}

struct kvm_sregs get_sregs(struct vm *vm, int vcpu)
{
	struct kvm_sregs sregs;

	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_SREGS, &sregs));
	return sregs;
}

int set_sregs(struct vm *vm, int vcpu, struct kvm_sregs *sregs)
{
	return ioctl(vm->vcpu[vcpu], KVM_SET_SREGS, sregs) ? -errno : 0;
}

bool trusted;

int in_both_modes(void (*test)(void))
{
	int mode, status;
	pid_t child;

	for (mode = 0; mode < 2; mode++) {
		child = SYS(fork());
		if (!child) {
			SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
			trusted = mode;
			test();
			exit(0);
		}
		SYS(waitpid(child, &status, 0));
		if (status) {
			printf("FAILED in %s mode, status %#x\n", mode ? "trusted" : "strict",
			       status);
			return 1;
		}
	}
	return 0;
}

uint64_t vcpu_stat(struct vm *vm, int vcpu, const char *name)
{
	int fd = SYS(ioctl(vm->vcpu[vcpu], KVM_GET_STATS_FD, NULL));
	struct kvm_stats_header head;
	uint64_t value = ~0ULL;
	char buffer[256];
	uint32_t i;

	SYS(pread(fd, &head, sizeof(head), 0));
	for (i = 0; i < head.num_desc; i++) {
		struct kvm_stats_desc *desc = (void *)buffer;
		size_t size = sizeof(*desc) + head.name_size;

		SYS(pread(fd, buffer, size, head.desc_offset + i * size));
		if (!strcmp(desc->name, name))
			SYS(pread(fd, &value, 8, head.data_offset + desc->offset));
	}
	close(fd);
	CHECK(value != ~0ULL);
	return value;
}

long number_in(const char *file, const char *format)
{
	FILE *f = fopen(file, "r");
	long value = -1;
	char line[200];

	CHECK(f);
	while (value < 0 && fgets(line, sizeof(line), f))
		sscanf(line, format, &value);
	fclose(f);
	return value;
}

long process_pins(void)
{
	return number_in("/proc/self/status", "VmPin: %ld") / 4;
}

long kernel_pins(void)
{
	return number_in("/proc/vmstat", "nr_foll_pin_acquired %ld") -
	       number_in("/proc/vmstat", "nr_foll_pin_released %ld");
}

static uint64_t *table_entry(struct vm *vm, uint64_t table, uint64_t address, int level)
{
	return vm_u64(vm, table) + (address >> (12 + 9 * (level - 1)) & 511);
}

void map_user(struct vm *vm, uint64_t address, uint64_t gpa)
{
	uint64_t table = ROOT;
	int level;

	for (level = 4; level > 1; level--) {
		uint64_t *entry = table_entry(vm, table, address, level);

		if (!*entry) {
			*entry = vm->tables | 0x67;
			if (level == 4)
				*table_entry(vm, ROOT_OTHER, address, 4) = *entry;
			vm->tables += PAGE_SIZE;
		}
		table = *entry & ~0xfffULL;
	}
	*table_entry(vm, table, address, 1) = gpa | 0x67;
}

void map_kernel(struct vm *vm, uint64_t address, bool kernel)
{
	struct kvm_sregs sregs, other;
	uint64_t table = ROOT;
	int level;

	for (level = 4; level > 1; level--)
		table = *table_entry(vm, table, address, level) & ~0xfffULL;
	*table_entry(vm, table, address, 1) &= ~4ULL;
	*table_entry(vm, table, address, 1) |= kernel ? 0 : 4;
	/* loads another CR3 and then this one, so that no old translation stays */
	sregs = other = get_sregs(vm, 0);
	other.cr3 = ROOT_OTHER;
	CHECK_EQ(set_sregs(vm, 0, &other), 0);
	CHECK_EQ(set_sregs(vm, 0, &sregs), 0);
}
