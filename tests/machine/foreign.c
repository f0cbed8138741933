// SPDX-License-Identifier: Apache-2.0
/*
 * VMFUNC by any other process than the attached one.
 *
 * The attack would succeed if another process, the guest's kernel, or a process that tries all VM
 * functions and indexes reached the object. VMFUNC must cause #UD there. The test tries it attached
 * and not, and checks that the object's counter does not change.
 *
 * Two moments are special. A VMFUNC of 32-bit code may end at 4 GiB, where the instruction pointer
 * wraps: a wrong one would fail the VM's next entry. An interrupt may come between a VMFUNC and the
 * fetch behind it: the host must not take that for a call, and suspend it.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define LEAVES	   64
#define INDEXES	   600
#define OBJECT_GPA (64ULL << 30) /* offset from the contexts' lowest address */
#define CODE	   (USER_CODE + 0x8000)
#define CS_32	   0x3b
#define LAST_PAGE  0xfffff000 /* below 4 GiB */

static struct vm *manager, *guest;

/*
 * Executes one VMFUNC in ring 3, at an address that only default maps. An aborted call pops RBP and
 * returns to user_out.
 */
static struct outcome vmfunc(uint32_t leaf, uint32_t index)
{
	struct kvm_regs regs = {
		.rax = leaf, .rcx = index, .rdx = 0x77, .rsp = USER_STACK - 64, .rflags = 0x200};

	vm_u64(guest, USER_STACK - 64)[0] = 0;
	vm_u64(guest, USER_STACK - 64)[1] = user_code(user_out);
	return run_at(guest, 0, 3, user_code(user_vmfunc), &regs);
}

static void try_all(bool attached, uint32_t slot)
{
	int leaf, index, ends = 0;
	struct outcome out;

	for (leaf = 0; leaf < LEAVES; leaf++)
		for (index = 0; index < (leaf ? 3 : INDEXES); index++) {
			out = vmfunc(leaf, index);
			if (attached && !leaf && !index) {
				CHECK_EQ(out.exit, 0); /* a switch from default to default */
				CHECK_EQ(out.error, 0x77);
				continue;
			}
			if (attached && !leaf &&
			    (index == (int)ELISA_INDEX_GATE_IN(slot) ||
			     index == (int)ELISA_INDEX_GATE_OUT(slot))) {
				/* the vCPU gets there, but no code is at this address */
				CHECK_EQ(out.exit, 0);
				CHECK_EQ(out.error, ELISA_CALL_FAULT);
				ends++;
				continue;
			}
			if (out.exit != FAULT(UD))
				printf("leaf %d index %d\n", leaf, index);
			CHECK_EQ(out.exit, FAULT(UD));
			CHECK_EQ(out.at, user_code(user_vmfunc));
		}
	CHECK_EQ(ends, attached ? 2 : 0);
}

/* Far from 64-bit code to the last bytes below 4 GiB, where a VMFUNC with this index is. */
static struct outcome vmfunc_at_4gib(struct kvm_sregs *start, uint32_t index)
{
	static const uint8_t far_jump[] = {0xff, 0x2b}; /* ljmp *(%rbx) */
	static const uint8_t code[] = {0x0f, 0x01, 0xd4};
	struct kvm_regs regs = {
		.rbx = USER_DATA, .rcx = index, .rsp = USER_STACK - 64, .rflags = 0x200};
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) target = {LAST_PAGE + PAGE_SIZE - 3, CS_32};

	memcpy(guest->memory + CODE, far_jump, sizeof(far_jump));
	memcpy(guest->memory + USER_DATA, &target, sizeof(target));
	memcpy(guest->memory + USER_DATA + 2 * PAGE_SIZE - 3, code, sizeof(code));
	CHECK_EQ(set_sregs(guest, 0, start), 0);
	return run_at(guest, 0, 3, CODE, &regs);
}

static void wraps_at_4gib(struct kvm_sregs start, uint32_t slot)
{
	const uint32_t indexes[] = {ELISA_INDEX_GATE_IN(slot), ELISA_INDEX_GATE_OUT(slot)};
	struct outcome out;

	map_user(guest, LAST_PAGE, USER_DATA + PAGE_SIZE);
	vm_u64(guest, GDT)[CS_32 / 8] = 0x00cffb000000ffffULL;
	start.gdt.limit = 0x4f;
	for (int i = 0; i < 2; i++) {
		out = vmfunc_at_4gib(&start, indexes[i]);
		CHECK_EQ(out.exit, FAULT(UD));
		CHECK_EQ(out.at, LAST_PAGE + PAGE_SIZE - 3);
	}
}

/* An interrupt waits for STI, whose shadow ends behind the VMFUNC (ring 3 has IOPL 3 here). */
static void interrupted_behind_vmfunc(struct kvm_sregs *start, uint32_t slot)
{
	static const uint8_t code[] = {0xfb, 0x0f, 0x01, 0xd4, 0xe6, 0x11, 0xeb, 0xfe};
	struct kvm_regs regs = {
		.rcx = ELISA_INDEX_GATE_IN(slot), .rsp = USER_STACK - 64, .rflags = 0x3002};
	const uint64_t interrupts = seen(guest)->interrupts;
	const uint64_t suspended = counter(ELISA_COUNT_EXITS_IN_CONTEXT);
	const uint64_t foreign = counter(ELISA_COUNT_FOREIGN_ROOT);
	struct outcome out;

	memcpy(guest->memory + CODE, code, sizeof(code));
	CHECK_EQ(set_sregs(guest, 0, start), 0);
	msi(guest, 0, 0x55);
	out = run_at(guest, 0, 3, CODE, &regs);
	CHECK_EQ(out.exit, FAULT(UD));
	CHECK_EQ(out.at, CODE + 1);
	CHECK_EQ(seen(guest)->interrupts, interrupts + 1);
	CHECK_EQ(seen(guest)->rip, CODE + 1);
	CHECK_EQ(counter(ELISA_COUNT_EXITS_IN_CONTEXT), suspended);
	CHECK_EQ(counter(ELISA_COUNT_FOREIGN_ROOT), foreign + 2);
}

static void read_in_default(uint64_t gpa)
{
	struct kvm_regs regs = {.rsi = ELISA_OBJECT_BASE, .rflags = 0x200};
	struct kvm_run *run = guest->run[0];
	struct outcome out;

	map_user(guest, ELISA_OBJECT_BASE, gpa);
	out = run_at(guest, 0, 3, user_code(user_read), &regs);
	CHECK_EQ(out.exit, KVM_EXIT_MMIO);
	CHECK_EQ(run->mmio.phys_addr, gpa);
	*(uint64_t *)run->mmio.data = 0x1234;
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.value, 0x1234);
}

int main(void)
{
	uint64_t foreign, object;
	struct kvm_regs regs = {.rdi = DO_ADD, .rsi = 1, .rdx = 2, .rflags = 0x200};
	struct kvm_sregs sregs;
	struct outcome out;
	uint32_t slot;

	manager = vm_new(1);
	guest = vm_new(1);
	try_all(false, 0);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.foreign", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.foreign", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 1);
	try_all(true, slot);

	/* another process executes the same stub */
	sregs = get_sregs(guest, 0);
	sregs.cr3 = ROOT_OTHER;
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	foreign = counter(ELISA_COUNT_FOREIGN_ROOT);
	object = *object_data(manager);
	out = call(guest, 0, slot, DO_COUNT, 0, 0);
	CHECK_EQ(out.exit, FAULT(UD));
	CHECK_EQ(out.at, code_page(slot) + ELISA_STRICT_ENTRY(slot) - 3);
	CHECK(counter(ELISA_COUNT_FOREIGN_ROOT) > foreign);
	CHECK_EQ(*object_data(manager), object);
	out = vmfunc(0, ELISA_INDEX_GATE_OUT(slot));
	CHECK(out.exit == FAULT(UD) || (!out.exit && out.error == ELISA_CALL_FAULT));
	wraps_at_4gib(sregs, slot);
	interrupted_behind_vmfunc(&sregs, slot);
	CHECK_EQ(*object_data(manager), object);
	sregs.cr3 = ROOT;
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, object + 1);

	/* the guest's kernel calls the stub: SMEP keeps it out of the stub and the gate */
	regs.r11 = stub_entry(slot);
	out = run_at(guest, 0, 0, kernel_code(kernel_call), &regs);
	CHECK_EQ(out.exit, FAULT(PF));
	CHECK_EQ(out.at, stub_entry(slot));
	/*
	 * The guest's kernel maps the stub as its own page. The result may be anything but a call.
	 */
	map_kernel(guest, code_page(slot), true);
	out = run_at(guest, 0, 0, kernel_code(kernel_call), &regs);
	CHECK(out.exit || out.error);
	map_kernel(guest, code_page(slot), false);
	CHECK_EQ(*object_data(manager), object + 1);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, object + 2);
	/* A page-table entry has the object's address in sub. Default has no memory there. */
	memset(guest->page, 0, PAGE_SIZE);
	guest->page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_HELLO), 0);
	read_in_default(guest->page->hello.root_limit + OBJECT_GPA);
	printf("foreign: another root, ring 0, and %d VM functions and indexes: nothing\n",
	       INDEXES + 3 * (LEAVES - 1));
	return 0;
}
