// SPDX-License-Identifier: Apache-2.0
/*
 * The fault event, which tells a manager about a fault of its function.
 *
 * The event has the access and the instruction as offsets in the object. It must have no address
 * elsewhere. It must come before the abort that it explains, and only if the export wants it. It
 * must never take the room of an abort in the queue. The test causes faults of each kind and
 * compares the events.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define OBJECT_DATA (ELISA_OBJECT_BASE + PAGE_SIZE)
#define STACK	    (ELISA_WINDOW_BASE + ELISA_STACK_OFFSET) /* slot 0 */
#define RING	    256 /* events that the host keeps for a VM */

extern const int32_t functions_table[];

static struct vm *manager, *guest;
static uint32_t slot;

enum where {
	IN_ITS_CODE,
	IN_ITS_DATA,
	ELSEWHERE
};

static const struct {
	const char *what;
	long function, a1, a2;
	struct elisa_fault fault;
	uint64_t address;
	enum where where;
} cases[] = {
	{"read where nothing is mapped",
	 DO_READ,
	 ELISA_OBJECT_BASE + (1 << 20),
	 0,
	 {ELISA_FAULT_ADDRESS, 48, 0, ELISA_PROT_READ},
	 1 << 20,
	 IN_ITS_CODE},
	{"read where no page table is",
	 DO_READ,
	 ELISA_OBJECT_BASE + (50ULL << 30) + 8,
	 0,
	 {ELISA_FAULT_ADDRESS, 48, 0, ELISA_PROT_READ},
	 (50ULL << 30) + 8,
	 IN_ITS_CODE},
	{"write to its code",
	 DO_WRITE,
	 ELISA_OBJECT_BASE + 24,
	 0x90,
	 {ELISA_FAULT_ADDRESS, 48, 0, ELISA_PROT_WRITE},
	 24,
	 IN_ITS_CODE},
	{"jump to data",
	 DO_JUMP,
	 OBJECT_DATA,
	 0,
	 {ELISA_FAULT_ADDRESS, 48, 0, ELISA_PROT_EXEC},
	 PAGE_SIZE,
	 IN_ITS_DATA},
	{"read the caller's memory",
	 DO_READ,
	 USER_DATA,
	 0,
	 {ELISA_FAULT_TRIPLE, 2, 0, 0},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
	{"read a non-canonical address",
	 DO_READ,
	 1L << 62,
	 0,
	 {ELISA_FAULT_TRIPLE, 2, 0, 0},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
	{"write to the entry stub",
	 DO_WRITE,
	 ELISA_WINDOW_BASE,
	 0x90,
	 {ELISA_FAULT_ADDRESS, 48, 0, ELISA_PROT_WRITE},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
	{"jump to the caller",
	 DO_JUMP,
	 USER_CODE,
	 0,
	 {ELISA_FAULT_TRIPLE, 2, 0, 0},
	 ELISA_ELSEWHERE,
	 ELSEWHERE},
	{"division by 0",
	 DO_DIVIDE,
	 0,
	 0,
	 {ELISA_FAULT_TRIPLE, 2, 0, 0},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
	{"undefined instruction",
	 DO_UD,
	 0,
	 0,
	 {ELISA_FAULT_EXCEPTION, 0, 6, 0},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
	{"CPUID", DO_CPUID, 0, 0, {ELISA_FAULT_FORBIDDEN, 10, 0, 0}, ELISA_ELSEWHERE, IN_ITS_CODE},
	{"hypercall",
	 DO_VMCALL,
	 0,
	 0,
	 {ELISA_FAULT_FORBIDDEN, 18, 0, 0},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
	{"VMFUNC to an empty entry",
	 DO_VMFUNC,
	 0,
	 3,
	 {ELISA_FAULT_FORBIDDEN, 59, 0, 0},
	 ELISA_ELSEWHERE,
	 IN_ITS_CODE},
};
#define CASES (int)(sizeof(cases) / sizeof(cases[0]))

static bool is_where(uint64_t instruction, enum where where)
{
	switch (where) {
	case IN_ITS_CODE:
		return instruction < (uint64_t)(functions_end - functions);
	case IN_ITS_DATA:
		return instruction == PAGE_SIZE;
	case ELSEWHERE:
		break;
	}
	return instruction == ELISA_ELSEWHERE;
}

/* Takes the one fault event since the last call, which must be followed by its abort. */
static struct elisa_event the_fault(enum elisa_call_error error)
{
	const struct elisa_hc_events *taken = take_events(manager);

	CHECK_EQ(taken->count, 2);
	CHECK_EQ(taken->event[0].type, ELISA_EVENT_FAULT);
	CHECK_EQ(taken->event[1].type, ELISA_EVENT_ABORT);
	CHECK_EQ(taken->event[1].value, error);
	CHECK_EQ(taken->event[1].fault.about, ELISA_FAULT_NONE);
	CHECK_EQ(taken->event[0].attachment, taken->event[1].attachment);
	CHECK_EQ(taken->event[0].vcpu, taken->event[1].vcpu);
	return taken->event[0];
}

static void each_case(void)
{
	struct elisa_event event;
	struct outcome out;

	for (int i = 0; i < CASES; i++) {
		out = call(guest, 0, slot, cases[i].function, cases[i].a1, cases[i].a2);
		CHECK_EQ(out.exit, 0);
		event = the_fault(out.error);
		if (memcmp(&event.fault, &cases[i].fault, sizeof(event.fault)) ||
		    event.address != cases[i].address ||
		    !is_where(event.instruction, cases[i].where))
			printf("case \"%s\": about %u, exit %u, vector %u, access %u, address %#llx, "
			       "instruction %#llx\n",
			       cases[i].what, event.fault.about, event.fault.exit,
			       event.fault.vector, event.fault.access,
			       (unsigned long long)event.address,
			       (unsigned long long)event.instruction);
		CHECK_EQ(memcmp(&event.fault, &cases[i].fault, sizeof(event.fault)), 0);
		CHECK_EQ(event.address, cases[i].address);
		CHECK(is_where(event.instruction, cases[i].where));
	}
}

/* Makes the function push RFLAGS at @rsp. */
static void push_at(uint64_t rsp, enum elisa_fault_about about)
{
	const uint64_t table = (const uint8_t *)functions_table - functions;
	struct kvm_regs regs = {.rdi = DO_ATTACK,
				.rsi = ELISA_OBJECT_BASE + table + functions_table[DO_FLAGS],
				.r8 = rsp,
				.r11 = stub_entry(slot),
				.rflags = 0x200,
				.rbx = 1};
	struct outcome out = run_at(guest, 0, 3, user_code(user_call), &regs);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	CHECK_EQ(the_fault(ELISA_CALL_FAULT).fault.about, about);
}

/*
 * The manager reads no event for long. Each abort must be reported; faults have made room for
 * aborts.
 */
static void a_full_queue(void)
{
	const struct elisa_hc_events *taken;
	int faults = 0, aborts = 0, others = 0;

	for (int i = 0; i < RING; i++)
		call(guest, 0, slot, DO_UD, 0, 0);
	for (taken = take_events(manager); taken->count; taken = take_events(manager))
		for (uint32_t i = 0; i < taken->count; i++) {
			faults += taken->event[i].type == ELISA_EVENT_FAULT;
			aborts += taken->event[i].type == ELISA_EVENT_ABORT;
			others += taken->event[i].type != ELISA_EVENT_FAULT &&
				  taken->event[i].type != ELISA_EVENT_ABORT;
		}
	printf("told: %d faults and %d aborts of %d\n", faults, aborts, RING);
	CHECK_EQ(faults, 0);
	CHECK_EQ(aborts, RING);
	CHECK_EQ(others, 0);
}

int main(void)
{
	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.told", ELISA_EXPORT_GENERAL_REGS | ELISA_EXPORT_FAULTS, 0);
	slot = attach(guest, "t.told", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(slot, 0);
	events(manager, 0, 0);
	each_case();
	push_at(STACK, ELISA_FAULT_STACK);
	push_at(STACK - 64, ELISA_FAULT_STACK);
	push_at(USER_STACK, ELISA_FAULT_STACK);
	a_full_queue();

	export_new(manager, "t.untold", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.untold", ELISA_STUB_TRUSTING, 0);
	events(manager, 0, 0);
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	CHECK_EQ(events(manager, ELISA_EVENT_FAULT, 0), 0);
	printf("told: %d faults, each with what it was\n", CASES + 3);
	return 0;
}
