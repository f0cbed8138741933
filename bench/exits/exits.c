// SPDX-License-Identifier: Apache-2.0
/*
 * What the module costs VMs, exit by exit: the instructions of the guest's instruction, its exit
 * and everything that the host does about it, without and with the module. First for VMs that do
 * not use ELISA, while more and more vCPUs of other VMs are attached. Then for a VM that is
 * attached itself, outside of calls. Last, how many VMREADs and VMWRITEs of the module each exit
 * has.
 *
 * On one processor nothing runs beside the vCPU. So the instructions are the same from try to try,
 * and the least of some tries is without the host's timer ticks. For an exit that waits for the
 * timer, a second process counts the instructions that no other task wants. An IPI to a vCPU that
 * runs needs two processors. There it is the sender's time until the receiver's handler has run.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "../../tests/machine/harness.h"
#include "code.h"

#define BYSTANDERS     32
#define ATTACHERS      64 /* VMs, each with VCPUS vCPUs */
#define NAME_OF_OURS   "t.exits"

#define CODE	       (KERNEL_CODE + 0x8000)
#define FRESH_PAGES    32
#define APIC_X2	       (1 << 10)
#define COUNTING_TRIES 7
#define MAX_TRIES      151

/* code.S */
extern const uint8_t code[], code_end[], handler[], do_vmcall_exit[], do_cpuid[], do_wrmsr[];
extern const uint8_t do_out[], do_touch[], do_timer[], do_ipi[], do_ipi_halted[];
extern const uint8_t run_on[], answer[];
_Noreturn void spin(volatile uint64_t *rounds);

struct row {
	const char *name;
	int processors;
	const uint8_t *code;
	const uint8_t *other; /* code of vCPU 1 meanwhile */
	unsigned int count;   /* exits in one try */
	unsigned int tries;
};

static const struct row rows[] = {
	{"VMCALL", 1, do_vmcall_exit, NULL, 100, 5}, /* KVM refuses it */
	{"CPUID", 1, do_cpuid, NULL, 100, 5},
	{"WRMSR", 1, do_wrmsr, NULL, 100, 5},
	{"HLT+timer", 1, do_timer, NULL, 1, 15},
	{"IPI", 2, do_ipi, run_on, 1, MAX_TRIES},
	{"IPI+HLT", 1, do_ipi_halted, answer, 1, 15},
	{"OUT", 1, do_out, NULL, 20, 15},
	{"EPT_violation", 1, do_touch, NULL, FRESH_PAGES, 15},
};
#define ROWS (int)(sizeof(rows) / sizeof(rows[0]))

static int processors;
static volatile uint64_t *spins;

static uint64_t address(const uint8_t *symbol)
{
	return CODE + (symbol - code);
}

/* ---- the VMs */

static void offer(struct vm *vm, int vcpu)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[100];
	} cpuid = {.head.nent = 100};
	unsigned int i;

	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_CPUID2, &cpuid));
	for (i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entry[i].function == 1)
			cpuid.entry[i].ecx |= TSC_DEADLINE | X2APIC;
	SYS(ioctl(vm->vcpu[vcpu], KVM_SET_CPUID2, &cpuid));
}

static void fresh_memory(struct vm *vm, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = FRESH_AT, .memory_size = size};
	static void *memory;

	if (!memory) {
		memory = mmap(NULL, FRESH_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		CHECK(memory != MAP_FAILED);
	}
	region.userspace_addr = (uintptr_t)memory;
	SYS(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

static struct vm *measured_new(void)
{
	struct vm *vm = vm_new(2);
	struct kvm_sregs sregs;
	int i;

	for (i = 0; i < 2; i++) {
		offer(vm, i);
		sregs = get_sregs(vm, i);
		sregs.apic_base |= APIC_X2;
		CHECK_EQ(set_sregs(vm, i, &sregs), 0);
	}
	CHECK(code_end - code <= HYPERCALL_PAGE - CODE);
	memcpy(vm->memory + CODE, code, code_end - code);
	set_gate(vm, VECTOR, address(handler), 0);
	/* maps FRESH_AT, like the 16 MiB before it */
	vm_u64(vm, 0x3000)[FRESH_AT >> 21] = FRESH_AT | 0xe3;
	fresh_memory(vm, FRESH_PAGES * PAGE_SIZE);
	return vm;
}

/* ---- one try */

/* Starts a process that counts the instructions that no other task on this processor wants. */
static void start_spinner(void)
{
	spins = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(spins != MAP_FAILED);
	if (processors > 1 || SYS(fork()))
		return;
	SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
	spin(spins);
}

static uint64_t run_timed(struct vm *vm, const struct row *row, unsigned int count)
{
	struct kvm_regs regs = {.rsi = count, .rdi = seen(vm)->interrupts};
	struct kvm_run *run = vm->run[0];
	uint64_t idle = *spins;

	start_at(vm, 0, 0, address(row->code), &regs);
	do {
		CHECK_EQ(run_once(vm, 0), 0);
		CHECK_EQ(run->exit_reason, KVM_EXIT_IO);
	} while (run->io.port == TO_VMM);
	CHECK_EQ(run->io.port, 0x10);
	idle = *spins - idle;
	SYS(ioctl(vm->vcpu[0], KVM_GET_REGS, &regs));
	return regs.rax - (processors == 1 ? idle * SPIN : 0);
}

static void on_processor(int which)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(which, &set);
	SYS(sched_setaffinity(0, sizeof(set), &set));
}

struct other {
	struct vm *vm;
	const struct row *row;
	pthread_t thread;
};

static void *run_other(void *argument)
{
	struct other *other = argument;
	struct kvm_regs regs = {0};

	if (processors > 1)
		on_processor(1);
	CHECK_EQ(run_at(other->vm, 1, 0, address(other->row->other), &regs).exit, 0);
	return NULL;
}

static void start_other(struct other *other)
{
	if (!other->row->other)
		return;
	*vm_u64(other->vm, STOP_AT) = 0;
	CHECK(!pthread_create(&other->thread, NULL, run_other, other));
	usleep(2000);
}

static void stop_other(struct other *other)
{
	if (!other->row->other)
		return;
	*vm_u64(other->vm, STOP_AT) = 1;
	msi(other->vm, 1, VECTOR);
	pthread_join(other->thread, NULL);
}

static uint64_t one_try(struct vm *vm, const struct row *row, unsigned int count)
{
	if (row->code == do_touch) {
		fresh_memory(vm, 0);
		fresh_memory(vm, FRESH_PAGES * PAGE_SIZE);
	}
	return run_timed(vm, row, count);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Returns the instructions of one exit: the least of some tries. With two processors, which do not
 * run in step, the median. */
static double cost_of(struct vm *vm, const struct row *row)
{
	struct other other = {vm, row};
	double each[MAX_TRIES];
	unsigned int i;

	start_other(&other);
	for (i = 0; i < row->tries; i++)
		each[i] = (double)one_try(vm, row, row->count) / row->count;
	stop_other(&other);
	qsort(each, row->tries, sizeof(each[0]), by_value);
	return each[processors == 1 ? 0 : row->tries / 2];
}

/* ---- those that are attached elsewhere */

static struct vm *attachers[ATTACHERS], *manager;
static int set_up;

/* Attaches so many of the other VMs' vCPUs, from the first VM's first on. */
static void attach_others(int vcpus)
{
	for (; set_up < vcpus; set_up++) {
		struct vm *vm = attachers[set_up / VCPUS];

		if (!(set_up % VCPUS))
			CHECK_EQ(attach_try(vm, NAME_OF_OURS, 0), 0);
		CHECK_EQ(hypercall(vm, set_up % VCPUS, ELISA_HC_VCPU_SYNC), 0);
	}
}

static void manage(void)
{
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, NAME_OF_OURS, ELISA_EXPORT_GENERAL_REGS, 0);
}

static void attach_itself(struct vm *vm)
{
	uint32_t slot = attach(vm, NAME_OF_OURS, ELISA_STUB_TRUSTING, 0);

	CHECK_EQ(call(vm, 0, slot, DO_ADD, 1, 2).value, 3);
}

/* ---- VMREADs and VMWRITEs, by a module that counts them */

#define PARAMETERS "/sys/module/elisa/parameters/"

struct accesses {
	unsigned long reads, writes;
};

static unsigned long parameter(const char *name)
{
	FILE *file = fopen(name, "r");
	unsigned long value;

	CHECK(file);
	CHECK_EQ(fscanf(file, "%lu", &value), 1);
	fclose(file);
	return value;
}

static struct accesses accesses(void)
{
	return (struct accesses){parameter(PARAMETERS "vmcs_reads"),
				 parameter(PARAMETERS "vmcs_writes")};
}

/* Counts accesses in @count exits and what is around them: the least of some tries, so without the
 * host's interrupts. */
static struct accesses accesses_in(struct vm *vm, const struct row *row, unsigned int count)
{
	struct accesses least = {~0UL, ~0UL}, before, after;
	unsigned int i;

	for (i = 0; i < COUNTING_TRIES; i++) {
		before = accesses();
		one_try(vm, row, count);
		after = accesses();
		if (after.reads - before.reads < least.reads)
			least.reads = after.reads - before.reads;
		if (after.writes - before.writes < least.writes)
			least.writes = after.writes - before.writes;
	}
	return least;
}

struct counts {
	double reads, writes;
};

static struct counts count_accesses(struct vm *vm, const struct row *row)
{
	struct other other = {vm, row};
	unsigned int few = (row->count + 1) / 2, many = few * 2;
	struct accesses in_few, in_many;

	start_other(&other);
	in_few = accesses_in(vm, row, few);
	in_many = accesses_in(vm, row, many);
	stop_other(&other);
	return (struct counts){((double)in_many.reads - in_few.reads) / few,
			       ((double)in_many.writes - in_few.writes) / few};
}

/* ---- results */

struct result {
	bool attached_itself;
	int row, vms, attached_vcpus;
	double insns, ratio, worst;
};

static struct result results[ROWS * 10];
static int result_count;

static void measure_all(struct vm **vm, int count, double (*cost)[ROWS])
{
	int i, row;

	for (row = 0; row < ROWS; row++)
		for (i = 0; i < count && rows[row].processors == processors; i++)
			cost[i][row] = cost_of(vm[i], &rows[row]);
}

static void compare(bool attached_itself, struct vm **vm, int count, double (*without)[ROWS])
{
	double with[BYSTANDERS][ROWS], insns[BYSTANDERS], ratio[BYSTANDERS];
	int i, row;

	measure_all(vm, count, with);
	for (row = 0; row < ROWS; row++) {
		if (rows[row].processors != processors)
			continue;
		for (i = 0; i < count; i++) {
			insns[i] = with[i][row];
			ratio[i] = with[i][row] / without[i][row];
		}
		qsort(insns, count, sizeof(insns[0]), by_value);
		qsort(ratio, count, sizeof(ratio[0]), by_value);
		results[result_count++] = (struct result){
			attached_itself, row, count, set_up, insns[count / 2], ratio[count / 2],
			ratio[count - 1]};
	}
}

static void print_all(struct counts counts[2][ROWS])
{
	const struct result *r;

	for (r = results; r < results + result_count; r++)
		printf("result bench=exits who=%s exit=%s attached_vcpus=%d insns=%.1f ratio=%.4f "
		       "vmreads=%.1f vmwrites=%.1f worst_ratio=%.4f vms=%d\n",
		       r->attached_itself ? "attached" : "bystander", rows[r->row].name,
		       r->attached_vcpus, r->insns, r->ratio,
		       counts[r->attached_itself][r->row].reads,
		       counts[r->attached_itself][r->row].writes, r->worst, r->vms);
}

static void set(const char *file, const char *value)
{
	int fd = SYS(open(file, O_WRONLY));

	CHECK_EQ(write(fd, value, strlen(value)), (long)strlen(value));
	close(fd);
}

/* Excludes other tasks' time: real-time priority, and no polling for what a halted vCPU waits
 * for. */
static void be_alone(void)
{
	struct sched_param first = {.sched_priority = 1};

	set("/sys/module/kvm/parameters/halt_poll_ns", "0");
	on_processor(0);
	start_spinner();
	if (processors > 1)
		return;
	set("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	SYS(sched_setscheduler(0, SCHED_FIFO, &first));
}

static void load_counting(void)
{
	int fd = SYS(open("/modules/elisa_counting.ko", O_RDONLY));

	SYS(syscall(SYS_finit_module, fd, "allow_leaky_cpu=1", 0));
	close(fd);
}

/* Does the same with no other VM attached, by the module that counts. */
static void count_all(struct vm *bystander, struct counts counts[2][ROWS])
{
	struct vm *itself = measured_new();
	int row;

	load_counting();
	manager = vm_new(1);
	manage();
	attach_itself(itself);
	for (row = 0; row < ROWS; row++) {
		if (rows[row].processors != processors)
			continue;
		counts[0][row] = count_accesses(bystander, &rows[row]);
		counts[1][row] = count_accesses(itself, &rows[row]);
	}
	vm_free(itself);
	vm_free(manager);
}

int main(void)
{
	static double without[BYSTANDERS][ROWS], without_itself[1][ROWS];
	static struct counts counts[2][ROWS];
	struct vm *vm[BYSTANDERS], *itself;
	int i, count;

	processors = sysconf(_SC_NPROCESSORS_ONLN);
	/* two emulated processors take long */
	count = processors == 1 ? BYSTANDERS : BYSTANDERS / 4;
	be_alone();
	/* one after the other, in the order in which the allocator has them */
	for (i = 0; i < ATTACHERS / 2; i++) {
		if (i < count)
			vm[i] = measured_new();
		attachers[2 * i] = vm_new(VCPUS);
		attachers[2 * i + 1] = vm_new(VCPUS);
	}
	itself = measured_new();
	manager = vm_new(1);
	/* KVM looks more closely at APICs for a second after a vCPU was created */
	sleep(2);
	CHECK_EQ(module_unload(), 0);
	measure_all(vm, count, without); /* a second time, when everything is warm */
	measure_all(vm, count, without);
	measure_all(&itself, 1, without_itself);
	measure_all(&itself, 1, without_itself);
	CHECK_EQ(module_load(), 0);
	manage();
	compare(false, vm, count, without);
	attach_others(1);
	compare(false, vm, count, without);
	attach_others(64);
	compare(false, vm, count, without);
	attach_others(256);
	compare(false, vm, count, without);
	attach_itself(itself);
	set_up += 2;
	compare(true, &itself, 1, without_itself);
	for (i = 0; i < ATTACHERS; i++)
		vm_free(attachers[i]);
	set_up = 2;
	compare(true, &itself, 1, without_itself);
	vm_free(itself);
	vm_free(manager);
	while (host_flags() & ELISA_HOST_ARMED)
		usleep(10000);
	CHECK_EQ(module_unload(), 0);
	count_all(vm[0], counts);
	print_all(counts);
	return 0;
}
