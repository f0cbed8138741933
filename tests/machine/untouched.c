// SPDX-License-Identifier: Apache-2.0
/*
 * A VM that does not use ELISA must behave the same, exit for exit, with and without the module.
 *
 * The VM runs one deterministic workload without the module, with the module, and while another VM
 * is attached and makes calls. The test compares all statistics that KVM keeps of the VM. It leaves
 * out what host interrupts and time change.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define ROUNDS	     20
#define STATS	     200
#define WORK	     (KERNEL_CODE + 0x8000)
#define NAME_SIZE    64
/* measurements that differ, before the test fails */
#define MEASUREMENTS 6

/*
 * Executes RSI rounds of instructions that exit, or that would exit if an intercept were switched
 * on.
 */
asm(".pushsection .rodata\n"
    "work:\n"
    "	xor %eax, %eax\n"
    "	xor %ecx, %ecx\n"
    "	cpuid\n"
    "	mov $0x1b, %ecx\n" /* APIC base */
    "	rdmsr\n"
    "	wrmsr\n"
    "	mov $0xfee00020, %ecx\n" /* the local APIC's ID, then its task priority */
    "	mov (%rcx), %eax\n"
    "	movl $0, 0x60(%rcx)\n"
    "	sub $32, %rsp\n"
    "	sidt (%rsp)\n"
    "	lidt (%rsp)\n"
    "	sgdt (%rsp)\n"
    "	lgdt (%rsp)\n"
    "	sldt %eax\n"
    "	lldt %ax\n"
    "	str %eax\n"
    "	add $32, %rsp\n"
    "	mov %cr0, %rax\n"
    "	mov %rax, %cr0\n"
    "	mov %cr3, %rax\n"
    "	mov %rax, %cr3\n"
    "	mov %cr4, %rax\n"
    "	mov %rax, %cr4\n"
    "	mov %dr7, %rax\n"
    "	mov %rax, %dr7\n"
    "	wbinvd\n"
    "	invlpg (%rsp)\n"
    "	xor %ecx, %ecx\n"
    "	xgetbv\n"
    "	xsetbv\n"
    "	mov $1, %eax\n" /* a hypercall that KVM does not know, and the one that carries ours */
    "	vmcall\n"
    "	mov $11, %eax\n"
    "	xor %ebx, %ebx\n"
    "	vmcall\n"
    "	mov %rsi, %rax\n"
    "	shl $12, %rax\n"
    "	incq 0x600000(%rax)\n"
    "	pushfq\n"
    "	popfq\n"
    "	dec %rsi\n"
    "	jnz work\n"
    "	sti\n"
    "	hlt\n" /* with an interrupt pending */
    "	cli\n"
    "	out %al, $0x10\n"
    "	hlt\n"
    "work_end:\n"
    "	.popsection\n");
extern const uint8_t work[], work_end[];

struct statistics {
	int count;
	struct {
		char name[NAME_SIZE];
		uint64_t value;
	} stat[STATS];
};

/*
 * Tells whether host interrupts, other threads or time change this statistic. take() corrects
 * "exits", which counts host interrupts, too.
 */
static bool is_noise(const struct kvm_stats_desc *desc)
{
	static const char *const names[] = {"host_state_reload", "preemption_reported",
					    "preemption_other", "irq_exits"};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(desc->name, names[i]))
			return true;
	return desc->size != 1 || (desc->flags & KVM_STATS_UNIT_MASK) == KVM_STATS_UNIT_SECONDS ||
	       !strncmp(desc->name, "halt_poll", strlen("halt_poll"));
}

/* Adds all statistics behind a KVM_GET_STATS_FD. */
static void take(struct statistics *all, int fd, uint64_t interrupts)
{
	struct kvm_stats_header head;
	char buffer[256];
	uint32_t i;

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &head, sizeof(head), 0), sizeof(head));
	for (i = 0; i < head.num_desc; i++) {
		struct kvm_stats_desc *desc = (void *)buffer;
		size_t size = sizeof(*desc) + head.name_size;
		uint64_t value;

		CHECK_EQ(pread(fd, buffer, size, head.desc_offset + i * size), (long)size);
		if (is_noise(desc))
			continue;
		CHECK(all->count < STATS);
		CHECK_EQ(pread(fd, &value, 8, head.data_offset + desc->offset), 8);
		if (!strcmp(desc->name, "exits"))
			value -= interrupts;
		strncpy(all->stat[all->count].name, desc->name, NAME_SIZE - 1);
		all->stat[all->count++].value = value;
	}
	close(fd);
}

/* Runs the workload in a VM of its own. Calls @disturb between its parts. */
static struct statistics measure(unsigned long rounds, void (*disturb)(void))
{
	struct vm *vm = vm_new(1);
	struct kvm_regs regs = {.rsi = rounds}, user = {.rflags = 0x200};
	struct statistics all = {0};
	uint64_t interrupts;
	int i;

	memcpy(vm->memory + WORK, work, work_end - work);
	for (i = 0; i < 10; i++) {
		disturb();
		msi(vm, 0, 0x40);
		CHECK_EQ(run_at(vm, 0, 0, WORK, &regs).exit, 0);
		nmi(vm, 0);
		CHECK_EQ(run_at(vm, 0, 3, user_code(user_vmcall), &user).exit, 0);
		user.rcx = i;
		CHECK_EQ(run_at(vm, 0, 3, user_code(user_vmfunc), &user).exit, FAULT(UD));
	}
	CHECK_EQ(seen(vm)->interrupts, 10);
	CHECK_EQ(seen(vm)->nmis, 10);
	interrupts = vcpu_stat(vm, 0, "irq_exits");
	take(&all, ioctl(vm->vcpu[0], KVM_GET_STATS_FD, NULL), interrupts);
	take(&all, ioctl(vm->fd, KVM_GET_STATS_FD, NULL), 0);
	vm_free(vm);
	return all;
}

static int differences(const struct statistics *a, const struct statistics *b, const char *when)
{
	int i, found = 0;

	CHECK_EQ(a->count, b->count);
	for (i = 0; i < a->count; i++) {
		if (a->stat[i].value == b->stat[i].value)
			continue;
		found++;
		printf("untouched: %s: %s is %llu, not %llu\n", when, a->stat[i].name,
		       (unsigned long long)b->stat[i].value, (unsigned long long)a->stat[i].value);
	}
	return found;
}

/*
 * Returns the result on which two measurements in a row agree. A host interrupt between KVM's
 * injection of an event and the VM entry makes KVM inject and count the event twice. So a single
 * measurement may count more than the workload caused.
 */
static struct statistics settled(unsigned long rounds, void (*disturb)(void))
{
	struct statistics before, now = measure(rounds, disturb);
	int tries = 0;

	do {
		CHECK(tries++ < MEASUREMENTS);
		before = now;
		now = measure(rounds, disturb);
	} while (differences(&before, &now, "the same again"));
	return now;
}

static struct vm *manager, *guest;
static uint32_t slot;

static void nothing(void)
{
}

static void others_calls(void)
{
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(call(guest, 0, slot, DO_UD, 1, 2).error, ELISA_CALL_FAULT);
	wait_in_sub(guest, 0, slot, manager);
}

int main(void)
{
	struct statistics without, loaded, attached, more;
	int found;

	CHECK_EQ(module_unload(), 0);
	without = settled(ROUNDS, nothing);
	/* checks the comparison itself: one round more must differ */
	more = measure(ROUNDS + 1, nothing);
	CHECK(differences(&without, &more, "one round more (as it must be)") > 0);

	CHECK_EQ(module_load(), 0);
	loaded = settled(ROUNDS, nothing);
	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.untouched", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.untouched", ELISA_STUB_TRUSTING, 0);
	attached = settled(ROUNDS, others_calls);
	found = differences(&without, &loaded, "with the module") +
		differences(&without, &attached, "another VM attached");
	printf("result untouched_statistics=%d differences=%d\n", without.count, found);
	CHECK_EQ(found, 0);
	return 0;
}
