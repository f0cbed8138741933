// SPDX-License-Identifier: Apache-2.0
/*
 * An attached guest runs a VM of its own by KVM's nested VMX.
 *
 * 1. The nested guest tries all that its guest could do. It executes VMFUNC with every kind of
 * index, with and without VM functions from its hypervisor. It calls the guest's stub and makes the
 * hypercall. It must get its own hypervisor's answers, and never reach a context.
 *
 * 2. The guest's kernel calls between the runs of the nested VM. An exit of the nested VM can
 * change the guest's state without an exit that the host sees. The guest plants tables, other roots
 * and bits of CR4 in this way. Calls must be closed then.
 *
 * 3. Functions execute VMX instructions while the guest has a VMCS.
 *
 * 4. The VMM loads the state of such a nested guest into a vCPU that is in a call. The function
 * must not go on.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "attack.h"

#define CR4_VMXE	    (1ULL << 13)
#define VMXON_PAGE	    0x50000
#define VMCS_PAGE	    0x51000
#define FIELDS		    0x52000 /* pairs of a VMCS field and its value; field 0 ends the list */
#define EPTP_LIST	    0x54000
#define EPT_PAGES	    0x55000
#define POINTERS	    0x58000
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_VMX_BASIC	    0x480
#define SECONDARY_EPT	    (1u << 1)
#define SECONDARY_VMFUNC    (1u << 13)
#define EXIT_EXCEPTION	    0
#define EXIT_CPUID	    10
#define EXIT_VMCALL	    18
#define EXIT_VMFUNC	    59

/*
 * Runs with IF=1: with IF=0 the emulator would keep the host's interrupts out, too. RDI = addresses
 * of the VMXON region and of the VMCS, RSI = FIELDS. RBX and R11 are for the nested guest. At the
 * end, RBX = the exit's reason, RCX = the exit's interruption information.
 */
CODE(begin_vmx, "	vmxon (%rdi)\n"
		"	jbe 9f\n"
		"	vmclear 8(%rdi)\n"
		"	jbe 9f\n"
		"	vmptrld 8(%rdi)\n"
		"	jbe 9f\n"
		"1:	mov (%rsi), %rax\n"
		"	test %rax, %rax\n"
		"	jz 2f\n"
		"	mov 8(%rsi), %rcx\n"
		"	vmwrite %rcx, %rax\n"
		"	jbe 9f\n"
		"	add $16, %rsi\n"
		"	jmp 1b\n"
		"2:	vmlaunch\n"
		"9:	mov $0x4400, %eax\n"
		"	vmread %rax, %rbx\n"
		"	out %al, $0x15\n"
		"	hlt\n");
CODE(at_exit_of_nested, "	mov $0x4402, %eax\n"
			"	vmread %rax, %rbx\n"
			"	mov $0x4404, %eax\n"
			"	vmread %rax, %rcx\n"
			"	vmxoff\n"
			"	out %al, $0x10\n"
			"	hlt\n");
/* code of the nested guest: RBX = index */
CODE(nested_vmfunc, "	mov %ebx, %ecx\n"
		    "	xor %eax, %eax\n"
		    "	vmfunc\n"
		    "	cpuid\n");
CODE(nested_call, "	call *%r11\n"
		  "	cpuid\n");
CODE(nested_vmcall, "	mov $11, %eax\n"
		    "	movabs $0x454c495341484331, %rbx\n"
		    "	mov $0x20000, %ecx\n"
		    "	vmcall\n"
		    "	cpuid\n");
CODE(nested_spin, "1:	jmp 1b\n");
CODE(nested_exit, "	cpuid\n");
/*
 * At the nested guest's exit, which causes no exit to the host: IRET to ring 3 at R13, to call
 * function R14.
 */
CODE(call_at_exit, "	push $0x23\n"
		   "	push $0x2ff000\n"
		   "	push $0x202\n"
		   "	push $0x1b\n"
		   "	push %r13\n"
		   "	mov $30, %esi\n"
		   "	mov $12, %edx\n"
		   "	mov %r14, %rdi\n"
		   "	iretq\n");
/*
 * Code of ring 3: R12 = error, R13 = value. It ends by INT3, not by a port. An exit of a nested
 * guest sets a TSS limit that is too small for the bitmap of ports.
 */
CODE(call_and_stop, "	call *%r11\n"
		    "	mov %rdx, %r12\n"
		    "	mov %rax, %r13\n"
		    "	int3\n");
CODE(leave_vmx, "	mov $0x681e, %eax\n"
		"	vmread %rax, %rbx\n"
		"	vmxoff\n"
		"	out %al, $0x10\n"
		"	hlt\n");
#define L1_CODE	  ATTACK_KERNEL
#define L1_EXIT	  (ATTACK_KERNEL + 0x100)
#define L2_VMFUNC (ATTACK_KERNEL + 0x200)
#define L2_CALL	  (ATTACK_KERNEL + 0x240)
#define L2_VMCALL (ATTACK_KERNEL + 0x280)
#define L2_SPIN	  (ATTACK_KERNEL + 0x2c0)
#define L2_EXIT	  (ATTACK_KERNEL + 0x2e0)
#define L1_CALLS  (ATTACK_KERNEL + 0x340)
#define L1_LEAVES (ATTACK_KERNEL + 0x380)
#define NO_END	  99
/* the distance of the copies of this code for ring 3 of the nested guest */
#define L2_USER	  (ATTACK_USER - ATTACK_KERNEL)

static struct pair pair;
static struct kvm_sregs good, vmx;
static unsigned int fields;

static uint64_t msr(uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {.head.nmsrs = 1, .entry.index = index};

	CHECK_EQ(ioctl(pair.guest->vcpu[0], KVM_GET_MSRS, &msrs), 1);
	return msrs.entry.data;
}

static int set_msr(uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {.head.nmsrs = 1, .entry.index = index, .entry.data = value};

	return ioctl(pair.guest->vcpu[0], KVM_SET_MSRS, &msrs);
}

static void put(uint64_t field, uint64_t value)
{
	vm_u64(pair.guest, FIELDS)[fields++] = field;
	vm_u64(pair.guest, FIELDS)[fields++] = value;
	vm_u64(pair.guest, FIELDS)[fields] = 0;
}

/* Returns the control bits that must be 1, and those of @wished that may be 1. */
static uint32_t control(uint32_t index, uint32_t wished)
{
	uint64_t allowed = msr(index);

	return (uint32_t)allowed | (wished & allowed >> 32);
}

static void put_state(uint64_t rip, int cpl)
{
	int i;

	for (i = 0; i < 6; i++) { /* ES, CS, SS, DS, FS, GS; of guest and host */
		uint32_t selector = i == 1 ? (cpl ? USER_CS : 8) : (cpl ? USER_SS : 16);

		put(0x800 + 2 * i, selector);
		put(0x4800 + 2 * i, ~0u);
		put(0x4814 + 2 * i, (i == 1 ? 0xa09b : 0xc093) | cpl << 5);
		put(0xc00 + 2 * i, i == 1 ? 8 : 16);
	}
	put(0x4820, 0x10000); /* no LDT */
	put(0x80e, 0x28);
	put(0xc0c, 0x28);
	put(0x480e, 104 + 4);
	put(0x4822, 0x8b);
	put(0x6814, TSS);
	put(0x6c0a, TSS);
	put(0x4810, 0x37);
	put(0x4812, 0xfff);
	put(0x6816, GDT);
	put(0x6818, IDT);
	put(0x6c0c, GDT);
	put(0x6c0e, IDT);
	put(0x6800, vmx.cr0);
	put(0x6802, ROOT);
	put(0x6804, vmx.cr4);
	put(0x6c00, vmx.cr0);
	put(0x6c02, ROOT);
	put(0x6c04, vmx.cr4);
	put(0x681a, 0x400);
	put(0x681c, cpl ? USER_STACK : KERNEL_STACK + 0x1000);
	put(0x681e, rip + (cpl ? L2_USER : 0));
	put(0x6820, 0x202);
	put(0x2800, ~0ULL);
	put(0x6c14, KERNEL_STACK + 0x2000);
	put(0x6c16, L1_EXIT);
}

static void put_ept(void)
{
	uint64_t *pml4 = vm_u64(pair.guest, EPT_PAGES);
	int i;

	pml4[0] = (EPT_PAGES + 0x1000) | 7;
	vm_u64(pair.guest, EPT_PAGES + 0x1000)[0] = (EPT_PAGES + 0x2000) | 7;
	for (i = 0; i < 8; i++)
		vm_u64(pair.guest, EPT_PAGES + 0x2000)[i] = (uint64_t)i << 21 | 0xb7;
	memset(pair.guest->memory + EPTP_LIST, 0, PAGE_SIZE);
	*vm_u64(pair.guest, EPTP_LIST) = EPT_PAGES | 0x1e;
	put(0x201a, EPT_PAGES | 0x1e);
	put(0x2018, 1);
	put(0x2024, EPTP_LIST);
}

static void prepare(uint64_t rip, int cpl, bool vmfunc)
{
	uint32_t revision = msr(MSR_VMX_BASIC) & 0x7fffffff;

	fields = 0;
	memset(pair.guest->memory + VMXON_PAGE, 0, 2 * PAGE_SIZE);
	*(uint32_t *)(pair.guest->memory + VMXON_PAGE) = revision;
	*(uint32_t *)(pair.guest->memory + VMCS_PAGE) = revision;
	vm_u64(pair.guest, POINTERS)[0] = VMXON_PAGE;
	vm_u64(pair.guest, POINTERS)[1] = VMCS_PAGE;
	put(0x4000, control(0x481, 0));
	put(0x4002, control(0x482, vmfunc ? 1u << 31 : 0));
	put(0x4004, ~0u); /* exceptions cause exits */
	put(0x400c, control(0x483, 1 << 9));
	put(0x4012, control(0x484, 1 << 9));
	if (vmfunc) {
		put(0x401e, SECONDARY_EPT | SECONDARY_VMFUNC);
		put_ept();
	}
	put_state(rip, cpl);
}

/*
 * Runs the nested guest until its first exit to its hypervisor. Returns the exit's reason, or -1 if
 * the guest could not run it.
 */
static long nested(uint64_t rip, int cpl, bool vmfunc, uint32_t index, uint64_t *info)
{
	struct kvm_regs regs = {.rdi = POINTERS,
				.rsi = FIELDS,
				.rbx = index,
				.r11 = stub_entry(pair.slot),
				.rflags = 0x200};
	struct kvm_run *run = pair.guest->run[0];

	CHECK_EQ(set_sregs(pair.guest, 0, &vmx), 0);
	prepare(rip, cpl, vmfunc);
	start_at(pair.guest, 0, 0, L1_CODE, &regs);
	timer(20000, 0);
	if (run_once(pair.guest, 0)) {
		CHECK(!ioctl(pair.guest->vcpu[0], KVM_GET_REGS, &regs));
		printf("nested: still at %#llx\n", regs.rip);
		return -1;
	}
	timer(0, 0);
	CHECK(!ioctl(pair.guest->vcpu[0], KVM_GET_REGS, &regs));
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != 0x10) {
		printf("nested: exit %u, port %#x, instruction error %llu\n", run->exit_reason,
		       run->io.port, regs.rbx);
		return -1;
	}
	*info = regs.rcx;
	return regs.rbx & 0xffff;
}

/* Tells whether the nested guest's hypervisor saw #UD. */
static bool is_undefined(long reason, uint64_t info)
{
	return reason == EXIT_EXCEPTION && (info & 0xff) == UD;
}

static void try_everything(bool vmfunc)
{
	static const uint32_t indexes[] = {0, 1, 2, 3, 64, 128, 256, 511, 512, 600, ~0u};
	unsigned int i, n = sizeof(indexes) / sizeof(indexes[0]);
	uint64_t info, object = *object_data(pair.manager);
	uint32_t index;
	int cpl;
	long r;

	for (cpl = 0; cpl <= 3; cpl += 3) {
		for (i = 0; i < n + 3; i++) {
			index = i < n	   ? indexes[i] :
				i == n	   ? ELISA_INDEX_GATE_IN(pair.slot) :
				i == n + 1 ? ELISA_INDEX_SUB(pair.slot) :
					     ELISA_INDEX_GATE_OUT(pair.slot);
			r = nested(L2_VMFUNC, cpl, vmfunc, index, &info);
			attack_try(!vmfunc ? is_undefined(r, info) :
				   index   ? r == EXIT_VMFUNC || is_undefined(r, info) :
					     r == EXIT_CPUID,
				   "ring %d, functions %d, index %u: exit %ld, %#llx", cpl, vmfunc,
				   index, r, (unsigned long long)info);
		}
		r = nested(L2_CALL, cpl, vmfunc, 0, &info);
		attack_try(r == EXIT_VMFUNC || r == EXIT_EXCEPTION, "its stub: exit %ld", r);
		r = nested(L2_VMCALL, cpl, vmfunc, 0, &info);
		attack_try(r == EXIT_VMCALL, "the hypercall: exit %ld", r);
	}
	attack_try(*object_data(pair.manager) == object, "the object changed");
}

/* The nested guest exits, and its guest makes a call at once. The guest keeps its VMCS. */
static struct outcome call_at_nested_exit(uint64_t field, uint64_t value)
{
	struct kvm_regs regs = {.rdi = POINTERS,
				.rsi = FIELDS,
				.r11 = stub_entry(pair.slot),
				.r12 = NO_END,
				.r13 = ATTACK_USER + 0x400,
				.r14 = DO_ADD,
				.rflags = 0x200};
	struct outcome out;

	CHECK_EQ(set_sregs(pair.guest, 0, &vmx), 0);
	prepare(L2_EXIT, 0, false);
	put(0x6c16, L1_CALLS);
	if (field)
		put(field, value);
	start_at(pair.guest, 0, 0, L1_CODE, &regs);
	out = finish_within(pair.guest, 0, 20000);
	out.error = (long)out.regs.r12;
	out.value = (long)out.regs.r13;
	return out;
}

/* The guest leaves VMX operation. Its VMCS must still have the nested guest's RIP. */
static void leave(void)
{
	struct kvm_regs none = {.rflags = 0x200};
	struct outcome out;

	CHECK_EQ(set_sregs(pair.guest, 0, &vmx), 0);
	out = run_at(pair.guest, 0, 0, L1_LEAVES, &none);
	attack_try(!out.exit && out.regs.rbx == L2_EXIT, "VMXOFF: exit %#x, RIP %#llx", out.exit,
		   out.regs.rbx);
	CHECK_EQ(set_sregs(pair.guest, 0, &good), 0);
	attack_try(attack_pair_works(&pair), "no call after VMXOFF");
}

static void state_by_nested_exits(void)
{
	static const struct {
		const char *name;
		uint64_t field, set, clear;
	} bad[] = {
		{"IDT in the window", 0x6c0e, ELISA_WINDOW_BASE + 0x1000, ~0ULL},
		{"IDT below the window", 0x6c0e, ELISA_WINDOW_BASE - 0x1000, ~0ULL},
		{"no SMEP", 0x6c04, 0, 1 << 20},
		{"no SMAP", 0x6c04, 0, 1 << 21},
		{"PCIDE", 0x6c04, 1 << 17, 0},
	};
	struct outcome out = call_at_nested_exit(0, 0);
	unsigned int i;

	attack_try(!out.error && out.value == 42, "at an exit: %#x, error %ld", out.exit,
		   out.error);
	leave();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		out = call_at_nested_exit(bad[i].field, (vmx.cr4 & ~bad[i].clear) | bad[i].set);
		attack_try(out.error == ELISA_CALL_CLOSED, "%s: exit %#x, error %ld", bad[i].name,
			   out.exit, out.error);
		leave();
	}
	out = call_at_nested_exit(0x6c02, ROOT_OTHER);
	attack_try(out.exit == FAULT(UD) && out.error == NO_END,
		   "another root: exit %#x, error %ld", out.exit, out.error);
	leave();
}

/* VMX instructions that a function executes, in a VM that has a VMCS of its own. */
#define OF_VMX(X)                                                              \
	X(vmlaunch, "vmlaunch")                                                \
	X(vmresume, "vmresume")                                                \
	X(vmxoff, "vmxoff")                                                    \
	X(vmxon, "vmxon (%rsp)")                                               \
	X(vmclear, "vmclear (%rsp)")                                           \
	X(vmptrld, "vmptrld (%rsp)")                                           \
	X(vmptrst, "vmptrst (%rsp)")                                           \
	X(vmread, "mov $0x681e, %eax; vmread %rax, %rcx")                      \
	X(vmread_stack, "mov $0x681e, %eax; vmread %rax, (%rsp)")              \
	X(vmwrite, "mov $0x681e, %eax; mov $0x1000, %ecx; vmwrite %rcx, %rax") \
	X(invept, "mov $2, %eax; invept (%rsp), %rax")                         \
	X(invvpid, "mov $2, %eax; invvpid (%rsp), %rax")
#define SUB_CODE(name, text) CODE(sub_##name, text "; xor %edx, %edx; ret");
OF_VMX(SUB_CODE)

static void functions_of_a_hypervisor(void)
{
#define SUB_ENTRY(name, text) {#name, sub_##name, sub_##name##_end},
	static const struct {
		const char *name;
		const uint8_t *code, *end;
	} cases[] = {OF_VMX(SUB_ENTRY)};
	struct outcome out = call_at_nested_exit(0, 0);
	unsigned int i;

	attack_try(!out.error && out.value == 42, "at an exit: %#x", out.exit);
	CHECK_EQ(set_sregs(pair.guest, 0, &vmx), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		attack_place(pair.manager, OBJECT + ATTACK_OBJECT, cases[i].code, cases[i].end);
		out = call(pair.guest, 0, pair.slot, DO_JUMP, ATTACK_FUNCTION, 0);
		attack_try(!out.exit && (out.error == ELISA_CALL_FORBIDDEN ||
					 out.error == ELISA_CALL_FAULT),
			   "%s: exit %#x, error %ld", cases[i].name, out.exit, out.error);
		attack_try(attack_pair_works(&pair), "%s: no call afterwards", cases[i].name);
	}
	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	let_go(pair.manager);
	out = finish(pair.guest, 0);
	attack_try(!out.exit && !out.error && out.value == 7, "suspended: %#x, error %ld", out.exit,
		   out.error);
	leave();
}

/* The VMM saves a nested guest's state and loads it into a vCPU with a suspended call. */
static void loaded_in_a_call(void)
{
	static struct {
		struct kvm_nested_state head;
		uint8_t room[16384];
	} state, none;
	struct kvm_regs regs = {.rdi = POINTERS, .rsi = FIELDS, .rflags = 0x200};
	uint64_t counter;
	int vcpu = pair.guest->vcpu[0], r;

	CHECK_EQ(set_sregs(pair.guest, 0, &vmx), 0);
	none.head.size = sizeof(none);
	CHECK(!ioctl(vcpu, KVM_GET_NESTED_STATE, &none));
	prepare(L2_SPIN, 0, true);
	start_at(pair.guest, 0, 0, L1_CODE, &regs);
	timer(3000, 0);
	CHECK_EQ(run_once(pair.guest, 0), -EINTR);
	state.head.size = sizeof(state);
	CHECK(!ioctl(vcpu, KVM_GET_NESTED_STATE, &state));
	attack_try(state.head.flags & KVM_STATE_NESTED_GUEST_MODE, "not in its guest");
	CHECK(!ioctl(vcpu, KVM_SET_NESTED_STATE, &none));
	CHECK_EQ(set_sregs(pair.guest, 0, &good), 0);
	attack_try(attack_pair_works(&pair), "no call after the nested guest");

	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	CHECK_EQ(set_sregs(pair.guest, 0, &vmx), 0);
	r = ioctl(vcpu, KVM_SET_NESTED_STATE, &state);
	counter = object_data(pair.manager)[1];
	timer(3000, 0);
	ioctl(vcpu, KVM_RUN, 0);
	timer(0, 0);
	attack_try(object_data(pair.manager)[1] == counter, "the function went on (%d)", r);
	CHECK(!ioctl(vcpu, KVM_SET_NESTED_STATE, &none));
	CHECK_EQ(set_sregs(pair.guest, 0, &good), 0);
	CHECK_EQ(hypercall(pair.guest, 0, ELISA_HC_VCPU_SYNC), 0);
	attack_try(attack_pair_works(&pair), "no call after a loaded nested guest");
}

int main(void)
{
	uint64_t info;
	bool vmfunc;

	pair = attack_pair("t.nested", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0,
			   1);
	good = vmx = get_sregs(pair.guest, 0);
	vmx.cr4 |= CR4_VMXE;
	if (set_msr(MSR_FEATURE_CONTROL, 5) != 1 || set_sregs(pair.guest, 0, &vmx)) {
		attack_try(false, "this host gives guests no VMX: nothing was tried");
		return 1;
	}
	PLACE(pair.guest, L1_CODE, begin_vmx);
	PLACE(pair.guest, L1_EXIT, at_exit_of_nested);
	PLACE(pair.guest, L2_VMFUNC, nested_vmfunc);
	PLACE(pair.guest, L2_CALL, nested_call);
	PLACE(pair.guest, L2_VMCALL, nested_vmcall);
	PLACE(pair.guest, L2_SPIN, nested_spin);
	memcpy(pair.guest->memory + L2_VMFUNC + L2_USER, pair.guest->memory + L2_VMFUNC, 0x100);
	PLACE(pair.guest, L2_EXIT, nested_exit);
	PLACE(pair.guest, L1_CALLS, call_at_exit);
	PLACE(pair.guest, L1_LEAVES, leave_vmx);
	PLACE(pair.guest, ATTACK_USER + 0x400, call_and_stop);
	attack_try(attack_pair_works(&pair), "with VMXE");
	CHECK_EQ(set_sregs(pair.guest, 0, &good), 0);
	attack_try(attack_pair_works(&pair), "after VMXE");
	vmfunc = msr(0x48b) >> 32 & SECONDARY_VMFUNC;
	printf("nested: this KVM gives %s functions to nested guests\n", vmfunc ? "VM" : "no VM");
	try_everything(false);
	if (vmfunc)
		try_everything(true);
	attack_try(nested(L2_CALL, 3, false, 0, &info) == EXIT_EXCEPTION, "its stub again");
	CHECK_EQ(set_sregs(pair.guest, 0, &good), 0);
	attack_try(attack_pair_works(&pair), "no call after its own VMs");
	state_by_nested_exits();
	functions_of_a_hypervisor();
	loaded_in_a_call();
	return 0;
}
