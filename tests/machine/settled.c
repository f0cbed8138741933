// SPDX-License-Identifier: Apache-2.0
/*
 * The host does not check a vCPU's state at each entry if the vCPU makes no calls for a while
 * (host/path/settled.h).
 *
 * The attack would succeed if the state changed unnoticed and the next call was let in. The state
 * is changed in each possible way, between exits after which the host does not look. The guest's
 * kernel changes it, ioctls do, and the registers that KVM_RUN loads. The next call must be
 * refused, without another ioctl in between.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CODE	    (KERNEL_CODE + 0x8000) /* code of ring 0 */
#define USER_PART   (USER_CODE + 0x2000)
#define FLAG	    USER_DATA
#define POINTER	    0x5000			   /* LIDT's and LGDT's, in ring 0's memory */
#define PLANTED	    (ELISA_WINDOW_BASE - 0x200000) /* too close to the window */
#define PLANTED_TSS (PLANTED + PAGE_SIZE)
#define LDT	    0x40 /* selectors */
#define TASK	    0x50
#define CR4	    (0x620 | 1 << 18 | 1 << 20 | 1 << 21)
#define CR4_SMAP    (1 << 21)
#define CR4_CET	    (1 << 23)

/*
 * CHANGE(name, instructions): some exits that KVM handles alone, the change, another such exit, and
 * then ring 3 at R13.
 */
#define CHANGE(name, instructions)                       \
	asm(".pushsection .rodata\n" #name ":\n"         \
	    "	mov $8, %r15d\n"                           \
	    "1:	mov $1, %eax\n"                          \
	    "	vmcall\n"                                  \
	    "	dec %r15d\n"                               \
	    "	jnz 1b\n" instructions "	mov $1, %eax\n" \
	    "	vmcall\n"                                  \
	    "	push $0x23\n"                              \
	    "	push %r14\n"                               \
	    "	push $0x202\n"                             \
	    "	push $0x1b\n"                              \
	    "	push %r13\n"                               \
	    "	iretq\n"                                   \
	    ".popsection\n");                            \
	extern const uint8_t name[]

asm(".pushsection .rodata\n"
    "ring_0:\n"
    ".popsection\n");
CHANGE(no_change, "");
CHANGE(to_cr4, "	mov %r12, %cr4\n");
CHANGE(to_xcr0, "	mov %rdx, %r9\n	mov %r12, %rax\n	xor %ecx, %ecx\n"
		"	xor %edx, %edx\n	xsetbv\n	mov %r9, %rdx\n");
CHANGE(to_idt, "	lidt (%rbx)\n");
CHANGE(to_gdt, "	lgdt (%rbx)\n");
CHANGE(to_ldt, "	lldt %r12w\n");
CHANGE(to_tr, "	ltr %r12w\n");
asm(".pushsection .rodata\n"
    "ring_0_end:\n"
    "ring_3:\n" /* makes a call when the flag at RBP is set */
    "1:	cmpq $0, (%rbp)\n"
    "	je 1b\n"
    "	call *%r11\n"
    "	out %al, $0x10\n"
    "ring_3_end:\n"
    ".popsection\n");
extern const uint8_t ring_0[], ring_0_end[], ring_3[], ring_3_end[];

static struct vm *guest;
static uint32_t slot;
static struct kvm_sregs good;

static void planted_tables(void)
{
	uint64_t *gdt = vm_u64(guest, GDT);

	map_user(guest, PLANTED, GDT);
	map_user(guest, PLANTED_TSS, TSS);
	map_kernel(guest, PLANTED, true);
	map_kernel(guest, PLANTED_TSS, true);
	/* base bits 0 to 23 and 24 to 31, then the next 32; present and type; the limit */
	gdt[LDT / 8] = (PLANTED & 0xffffff) << 16 | (PLANTED >> 24 & 0xff) << 56 | 0x82ULL << 40 |
		       7;
	gdt[LDT / 8 + 1] = PLANTED >> 32;
	gdt[TASK / 8] = (PLANTED_TSS & 0xffffff) << 16 | (PLANTED_TSS >> 24 & 0xff) << 56 |
			0x89ULL << 40 | (104 + 4);
	gdt[TASK / 8 + 1] = PLANTED_TSS >> 32;
}

static void check(const char *name, struct outcome out, long error)
{
	printf("settled: %s: end %#x, error %ld\n", name, out.exit, out.error);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, error);
	CHECK_EQ(out.value, error ? 0 : 3);
}

/* Restores the state, and checks that calls work. */
static void restore(void)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = 7};

	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	SYS(ioctl(guest->vcpu[0], KVM_SET_XCRS, &xcrs));
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

/* ---- by the guest's kernel */

static bool may_have_cet(void)
{
	struct kvm_sregs sregs = good;
	int r;

	sregs.cr4 |= CR4_CET;
	r = set_sregs(guest, 0, &sregs);
	restore();
	return !r;
}

static void by_kernel(void)
{
	const struct {
		const char *name;
		const uint8_t *code;
		uint64_t operand;
		long error;
	} changes[] = {
		{"nothing", no_change, 0, 0},
		{"MOV to CR4", to_cr4, CR4 & ~CR4_SMAP, ELISA_CALL_CLOSED},
		{"MOV to CR4 of a bit that KVM gives to guests", to_cr4, CR4 | CR4_CET,
		 ELISA_CALL_CLOSED},
		{"XSETBV", to_xcr0, 1, ELISA_CALL_CLOSED},
		{"LIDT", to_idt, 0, ELISA_CALL_CLOSED},
		{"LGDT", to_gdt, 0, ELISA_CALL_CLOSED},
		{"LLDT", to_ldt, LDT, ELISA_CALL_CLOSED},
		{"LTR", to_tr, TASK, ELISA_CALL_CLOSED},
	};
	const uint16_t limit = 0x67;
	const uint64_t base = PLANTED;
	unsigned int i;

	memcpy(guest->memory + POINTER, &limit, 2);
	memcpy(guest->memory + POINTER + 2, &base, 8);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct kvm_regs regs = {.rdi = DO_ADD,
					.rsi = 1,
					.rdx = 2,
					.rbx = POINTER,
					.r11 = stub_entry(slot),
					.r12 = changes[i].operand,
					.r13 = user_code(user_call),
					.r14 = USER_STACK};

		if (changes[i].operand == (CR4 | CR4_CET) && !may_have_cet())
			continue;
		check(changes[i].name,
		      run_at(guest, 0, 0, CODE + (changes[i].code - ring_0), &regs),
		      changes[i].error);
		restore();
	}
}

/* ---- by the VMM, when a signal has interrupted KVM_RUN */

static void spoil(struct kvm_sregs *sregs, int what)
{
	switch (what) {
	case 0:
		sregs->cr4 &= ~CR4_SMAP;
		break;
	case 1:
		sregs->idt.base = PLANTED;
		break;
	case 2:
		sregs->gdt.base = PLANTED;
		break;
	case 3:
		sregs->ldt.base = PLANTED;
		break;
	case 4:
		sregs->tr.base = PLANTED_TSS;
		break;
	}
}
#define SPOILS 5

static void run_until_interrupted(void)
{
	struct kvm_regs regs = {
		.rdi = DO_ADD,
		.rsi = 1,
		.rdx = 2,
		.rbp = FLAG,
		.r11 = stub_entry(slot),
		.rflags = 0x200}; /* with IF=0 the emulator would keep the host's interrupts out */
	int i;

	*vm_u64(guest, FLAG) = 0;
	start_at(guest, 0, 3, USER_PART, &regs);
	timer(2000, 2000);
	for (i = 0; i < 4; i++)
		CHECK_EQ(run_once(guest, 0), -EINTR);
	timer(0, 0);
}

static void by_vmm(void)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = 1};
	struct kvm_run *run = guest->run[0];
	struct kvm_sregs sregs;
	int what;

	run->kvm_valid_regs = KVM_SYNC_X86_SREGS;
	for (what = 0; what <= SPOILS; what++) {
		run_until_interrupted();
		if (what < SPOILS) {
			spoil(&run->s.regs.sregs, what);
			run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
		}
		*vm_u64(guest, FLAG) = 1;
		check("KVM_RUN", finish(guest, 0), what < SPOILS ? ELISA_CALL_CLOSED : 0);
		restore();
	}
	run->kvm_valid_regs = 0;
	for (what = 0; what <= SPOILS; what++) {
		run_until_interrupted();
		sregs = get_sregs(guest, 0);
		if (what < SPOILS) {
			spoil(&sregs, what);
			CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
		} else {
			SYS(ioctl(guest->vcpu[0], KVM_SET_XCRS, &xcrs));
		}
		*vm_u64(guest, FLAG) = 1;
		check("an ioctl", finish(guest, 0), ELISA_CALL_CLOSED);
		restore();
	}
}

int main(void)
{
	struct vm *manager = vm_new(1);

	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.settled", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.settled", ELISA_STUB_TRUSTING, 0);
	memcpy(guest->memory + CODE, ring_0, ring_0_end - ring_0);
	memcpy(guest->memory + USER_PART, ring_3, ring_3_end - ring_3);
	planted_tables();
	good = get_sregs(guest, 0);
	good.cr4 |= 1 << 18;
	good.gdt.limit = 0x67;
	restore();
	by_kernel();
	by_vmm();
	printf("settled: what the predicate reads was changed in each way: closed\n");
	return 0;
}
