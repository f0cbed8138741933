// SPDX-License-Identifier: Apache-2.0
/*
 * BPF programs (fentry, fexit) and ELISA exclude each other on the functions of KVM that are
 * hooked.
 *
 * The one that comes second must be refused, and the first one must keep working. The failure would
 * be VMFUNC without hooks, or a program that misses its runs. The test attaches programs before and
 * after an attachment, counts their runs, and checks that calls are isolated.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include <elisa/kvm_hooks.h>

#include "bpf_load.h"
#include "harness.h"

/* Names of the hooked functions, from their one list. The test picks functions of each kind. */
#define HOOK_NUMBER(id, module, function, prototype) HOOK_##id,
#define HOOK_NAME(id, module, function, prototype)   {module, function},
enum {
	ELISA_KVM_HOOKS(HOOK_NUMBER) HOOK_COUNT
};
static const struct {
	const char *module, *function;
} name[] = {ELISA_KVM_HOOKS(HOOK_NAME)};

static struct {
	int hook;
	bool always; /* hooked even without an attachment */
	bool rarely; /* seldom called */
	struct bpf_program program[2];
} target[] = {
	{HOOK_HYPERCALL, .always = true},
	{HOOK_VCPU_FREE, .always = true},
	{HOOK_MEMSLOT, .always = true, .rarely = true},
	{HOOK_RUN},
	{HOOK_HANDLE_EXIT},
	{HOOK_VCPU_LOAD},
	{HOOK_INTERRUPT_ALLOWED, .rarely = true},
	{HOOK_NMI_WINDOW, .rarely = true},
	{HOOK_VCPU_RESET, .rarely = true},
};
#define TARGETS (sizeof(target) / sizeof(target[0]))

static struct vm *manager, *guest;

static void load_programs(void)
{
	unsigned int i, at_exit;

	for (i = 0; i < TARGETS; i++)
		for (at_exit = 0; at_exit < 2; at_exit++)
			target[i].program[at_exit] = bpf_new(name[target[i].hook].module,
							     name[target[i].hook].function,
							     at_exit);
}

static void attach_program(struct bpf_program *program, bool refused)
{
	int r = bpf_attach(program);

	/* Linux 7.x returns EINVAL instead of EBUSY */
	CHECK(refused ? r == -EBUSY || r == -EINVAL : !r);
}

/* Attaches all programs. Programs on hooked functions are refused. */
static void attach_programs(bool armed)
{
	unsigned int i, at_exit;

	for (i = 0; i < TARGETS; i++)
		for (at_exit = 0; at_exit < 2; at_exit++)
			attach_program(&target[i].program[at_exit], armed || target[i].always);
}

static void detach_programs(void)
{
	unsigned int i, at_exit;

	for (i = 0; i < TARGETS; i++)
		for (at_exit = 0; at_exit < 2; at_exit++)
			if (target[i].program[at_exit].link >= 0)
				bpf_detach(&target[i].program[at_exit]);
}

static uint64_t all_runs(unsigned int i)
{
	return bpf_runs(&target[i].program[0]) + bpf_runs(&target[i].program[1]);
}

/* Checks that each hook works, except the hook for the end of a vCPU. */
static void isolated(uint32_t slot)
{
	struct kvm_regs regs;
	struct outcome out;

	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	/* an interrupt waits for the return */
	wait_in_sub(guest, 0, slot, manager);
	msi(guest, 0, 0x40);
	let_go(manager);
	CHECK_EQ(finish(guest, 0).value, 7);
	CHECK_EQ(seen(guest)->rip, stub_return(slot));
	/* the VMM reads the registers: the call ends */
	wait_in_sub(guest, 0, slot, manager);
	SYS(ioctl(guest->vcpu[0], KVM_GET_REGS, &regs));
	CHECK(regs.rax != SECRET && regs.rbx != SECRET && regs.r15 != SECRET);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.error, ELISA_CALL_VMM);
}

static uint32_t join(void)
{
	CHECK_EQ(attach_patiently(guest, "t.bpf"), 0);
	return attached(guest, ELISA_STUB_TRUSTING);
}

static void leave(uint32_t slot)
{
	CHECK_EQ(detach(guest, 0, slot), 0);
	while (host_flags() & ELISA_HOST_ARMED) {
		call(guest, 0, slot, DO_ADD, 1, 2); /* the vCPU lets go of the hooks */
		usleep(100000);
	}
}

static void bpf_comes_first(void)
{
	uint64_t runs[TARGETS];
	unsigned int i;

	attach_programs(false);
	for (i = 0; i < TARGETS; i++)
		runs[i] = all_runs(i);
	CHECK_EQ(attach_try(guest, "t.bpf", 0), -EBUSY);
	CHECK_EQ(guest->page->why, ELISA_WHY_HOOK);
	CHECK_EQ(host_flags() & ELISA_HOST_ARMED, 0);
	for (i = 0; i < TARGETS; i++)
		CHECK(target[i].rarely || target[i].always || all_runs(i) > runs[i]);
	detach_programs();
	printf("bpf: programs that are there first go on, and no VM can attach\n");
}

static void bpf_comes_second(void)
{
	uint32_t slot = join();

	attach_programs(true);
	isolated(slot);
	leave(slot);
	printf("bpf: programs that come later are refused, and calls are isolated\n");
}

static void bpf_comes_before_the_module(void)
{
	unsigned int i;

	vm_free(guest);
	vm_free(manager);
	CHECK_EQ(module_unload(), 0);
	for (i = 0; i < TARGETS; i++) {
		if (!target[i].always)
			continue;
		CHECK_EQ(bpf_attach(&target[i].program[0]), 0);
		CHECK_EQ(bpf_attach(&target[i].program[1]), 0);
		CHECK_EQ(module_load(), -EBUSY);
		detach_programs();
	}
	CHECK_EQ(module_load(), 0);
	printf("bpf: with a program on a function that is always hooked the module is not loaded\n");
}

int main(void)
{
	manager = vm_new(1);
	guest = vm_new(1);
	while (host_flags() & ELISA_HOST_ARMED) /* hooked by an earlier test */
		usleep(10000);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.bpf", ELISA_EXPORT_GENERAL_REGS, 1000000);
	load_programs();
	bpf_count_runs();
	bpf_comes_first();
	bpf_comes_second();
	bpf_comes_first();
	bpf_comes_before_the_module();
	return 0;
}
