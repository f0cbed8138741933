// SPDX-License-Identifier: Apache-2.0
/*
 * The requests of a guest's kernel to elisa.ko: exports, events, attachments, their stubs, and
 * calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../gate/gate_page.h"
#include "harness.h"

extern const uint8_t do_vmcall[], user_again[];

struct loop {
	uint64_t count, function, cycles, stub, a1;
};

int hypercall_raw(struct vm *vm, int vcpu, int cpl, uint64_t gpa, uint64_t *rax)
{
	struct kvm_regs regs = {.rax = ELISA_HC_RAX, .rbx = ELISA_HC_MAGIC, .rcx = gpa};
	struct outcome out =
		run_at(vm, vcpu, cpl, cpl ? user_code(user_vmcall) : kernel_code(do_vmcall), &regs);

	CHECK_EQ(out.exit, 0);
	if (rax)
		*rax = out.regs.rax;
	if (out.regs.rbx != ELISA_HC_REPLY)
		return -ENODEV;
	return out.regs.rcx;
}

int hypercall(struct vm *vm, int vcpu, uint32_t call)
{
	vm->page->call = call;
	return hypercall_raw(vm, vcpu, 0, HYPERCALL_PAGE, NULL);
}

uint32_t suspend_us;

/* Returns the longest suspension that the loaded module allows. Tests use it. */
static uint32_t longest_suspension(void)
{
	const long us = number_in("/sys/module/elisa/parameters/max_suspend_us", "%ld");

	CHECK(us > 0);
	return (uint32_t)us;
}

uint32_t export_at(struct vm *vm, const char *name, uint32_t flags, uint32_t limit_us, uint64_t gpa)
{
	uint32_t id;

	memcpy(vm->memory + gpa, functions, functions_end - functions);
	memset(vm->page, 0, PAGE_SIZE);
	strcpy(vm->page->export_.name, name);
	vm->page->export_.flags = flags;
	vm->page->export_.limit_us = limit_us;
	vm->page->export_.suspend_us = suspend_us ? suspend_us : longest_suspension();
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EXPORT_CREATE), 0);
	id = vm->page->export_.id;
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->map.id = id;
	vm->page->map.prot = ELISA_PROT_READ | ELISA_PROT_EXEC;
	vm->page->map.count = 1;
	vm->page->map.gpa[0] = gpa;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EXPORT_MAP), 0);
	vm->page->map.prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
	vm->page->map.offset = PAGE_SIZE;
	vm->page->map.gpa[0] = gpa + PAGE_SIZE;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EXPORT_MAP), 0);
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->publish.id = id;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EXPORT_PUBLISH), 0);
	return id;
}

uint32_t export_new(struct vm *vm, const char *name, uint32_t flags, uint32_t limit_us)
{
	return export_at(vm, name, flags, limit_us, OBJECT);
}

int destroy(struct vm *vm, uint32_t id)
{
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->destroy.id = id;
	return hypercall(vm, 0, ELISA_HC_EXPORT_DESTROY);
}

const struct elisa_hc_events *take_events(struct vm *vm)
{
	memset(vm->page, 0, PAGE_SIZE);
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EVENTS), 0);
	return &vm->page->events;
}

int events(struct vm *vm, uint32_t type, long value)
{
	const struct elisa_hc_events *taken;
	int found = 0;
	uint32_t i;

	do {
		taken = take_events(vm);
		for (i = 0; i < taken->count; i++)
			found += taken->event[i].type == type &&
				 (!value || taken->event[i].value == value);
	} while (taken->count);
	return found;
}

static unsigned int stub_offset[ELISA_SLOTS];
static uint32_t stub_mode[ELISA_SLOTS];

/* Builds the stub page of @slot in ring 3's memory, and maps it at its place in the window. */
void map_stub(struct vm *vm, uint32_t slot, uint32_t mode, uint32_t flags)
{
	uint64_t gpa = USER_CODE + 0x10000 + slot * PAGE_SIZE;

	stub_mode[slot] = mode;
	stub_offset[slot] = elisa_guest_stub_build(vm->memory + gpa, slot, mode, flags);
	map_user(vm, code_page(slot), gpa);
}

uint64_t code_page(uint32_t slot)
{
	return ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + ELISA_CODE_OFFSET;
}

uint64_t stub_entry(uint32_t slot)
{
	return code_page(slot) + stub_offset[slot];
}

uint64_t stub_vmfunc(uint32_t slot)
{
	return code_page(slot) - 3 +
	       (stub_mode[slot] == ELISA_MODE_TRUSTED ? ELISA_TRUSTED_ENTRY(slot) :
							ELISA_STRICT_ENTRY(slot));
}

uint64_t stub_return(uint32_t slot)
{
	return code_page(slot) + (stub_mode[slot] == ELISA_MODE_TRUSTED ?
					  ELISA_TRUSTED_RETURN(slot) :
					  ELISA_STRICT_RETURN(slot));
}

int attach_try(struct vm *vm, const char *name, unsigned int exchange)
{
	return attach_root_try(vm, name, exchange, ROOT);
}

int attach_root_try(struct vm *vm, const char *name, unsigned int exchange, uint64_t root)
{
	unsigned int i;

	memset(vm->page, 0, PAGE_SIZE);
	strcpy(vm->page->attach.name, name);
	vm->page->attach.root = root;
	vm->page->attach.user_cs = USER_CS;
	vm->page->attach.user_ss = USER_SS;
	vm->page->attach.exchange_pages = exchange;
	for (i = 0; i < exchange; i++)
		vm->page->attach.exchange[i] = OBJECT + 0x100000 + i * PAGE_SIZE;
	return hypercall(vm, 0, ELISA_HC_ATTACH);
}

int attach_patiently(struct vm *vm, const char *name)
{
	int i, r = -EBUSY;

	for (i = 0; r == -EBUSY && i < 150; i++) {
		r = attach_try(vm, name, 0);
		if (r == -EBUSY)
			usleep(100000);
	}
	return r;
}

uint32_t attached(struct vm *vm, unsigned int stub_flags)
{
	const struct elisa_hc_attach *made = &vm->page->attach;
	uint32_t slot = made->slot;
	int i;

	if (!(made->export_flags & ELISA_EXPORT_GENERAL_REGS))
		stub_flags |= ELISA_STUB_FULL;
	map_stub(vm, slot, made->mode, stub_flags);
	for (i = 0; i < VCPUS && vm->vcpu[i] >= 0; i++)
		CHECK_EQ(hypercall(vm, i, ELISA_HC_VCPU_SYNC), 0);
	return slot;
}

uint32_t attach(struct vm *vm, const char *name, unsigned int stub_flags, unsigned int exchange)
{
	CHECK_EQ(attach_try(vm, name, exchange), 0);
	return attached(vm, stub_flags);
}

int detach(struct vm *vm, int vcpu, uint32_t slot)
{
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->detach.slot = slot;
	return hypercall(vm, vcpu, ELISA_HC_DETACH);
}

void start_call(struct vm *vm, int vcpu, uint32_t slot, long function, long a1, long a2)
{
	struct kvm_regs regs = {
		.rdi = function, .rsi = a1, .rdx = a2, .r11 = stub_entry(slot), .rflags = 0x200};

	start_at(vm, vcpu, 3, user_code(user_call), &regs);
}

struct outcome call(struct vm *vm, int vcpu, uint32_t slot, long function, long a1, long a2)
{
	start_call(vm, vcpu, slot, function, a1, a2);
	return finish(vm, vcpu);
}

static double time_of(struct vm *vm, uint32_t slot, long spins)
{
	double began = now_us();

	CHECK_EQ(call(vm, 0, slot, DO_SPIN, spins, 0).value, 7);
	return now_us() - began;
}

long spins_in(struct vm *vm, uint32_t slot, long us)
{
	double took, nothing = time_of(vm, slot, 1);
	long spins = 100000;

	do {
		spins *= 2;
		took = time_of(vm, slot, spins) - nothing;
	} while (took < 3000);
	return (long)(us * spins / took);
}

void wait_in_sub(struct vm *vm, int vcpu, uint32_t slot, struct vm *manager)
{
	volatile uint64_t *data = object_data(manager);

	data[1] = data[2] = 0;
	start_call(vm, vcpu, slot, DO_WAIT, 0, 0);
	timer(1000, 1000);
	do {
		CHECK_EQ(run_once(vm, vcpu), -EINTR);
	} while (!data[1]);
	timer(0, 0);
}

void let_go(struct vm *manager)
{
	object_data(manager)[2] = 1;
}

static struct outcome loop_at(struct vm *vm, int vcpu, const void *code, struct loop how,
			      uint64_t *cycles)
{
	uint64_t data = USER_DATA + 0x100 * vcpu;
	struct loop *loop = (struct loop *)(vm->memory + data);
	struct kvm_regs regs = {.rflags = 0x200, .rbp = data};
	struct outcome out;

	*loop = how;
	out = run_at(vm, vcpu, 3, user_code(code), &regs);
	if (cycles)
		*cycles = loop->cycles;
	return out;
}

struct outcome call_loop_to(struct vm *vm, int vcpu, uint64_t target, long function, long a1,
			    uint64_t count, uint64_t *cycles)
{
	struct loop how = {.count = count, .function = function, .stub = target, .a1 = a1};

	return loop_at(vm, vcpu, user_loop, how, cycles);
}

struct outcome call_loop_with(struct vm *vm, int vcpu, uint32_t slot, long function, long a1,
			      uint64_t count, uint64_t *cycles)
{
	return call_loop_to(vm, vcpu, stub_entry(slot), function, a1, count, cycles);
}

struct outcome call_again(struct vm *vm, int vcpu, uint32_t slot, long function, uint64_t count,
			  uint64_t *ends)
{
	struct loop how = {.count = count, .function = function, .stub = stub_entry(slot)};

	return loop_at(vm, vcpu, user_again, how, ends);
}

struct outcome call_loop(struct vm *vm, int vcpu, uint32_t slot, long function, uint64_t count,
			 uint64_t *cycles)
{
	return call_loop_with(vm, vcpu, slot, function, 0, count, cycles);
}
