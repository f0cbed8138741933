// SPDX-License-Identifier: Apache-2.0
/*
 * A thread on another vCPU overwrites an instruction that has caused an exit, before KVM emulates
 * it.
 *
 * While a vCPU is set up, instructions that store or load descriptor tables exit, and KVM's
 * emulator executes them. The attack would succeed if the emulator executed another instruction
 * than the one that exited. The test swaps SGDT with such instructions, some of which would fault
 * in the emulator. A fault, or no SGDT that the CPU was left to execute again, is a failure. The
 * test needs two processors.
 */
#include <pthread.h>
#include <string.h>
#include "attack.h"

#define CR4_UMIP      (1 << 11)
#define SWAPS	      (ATTACK_USER + 0x2000) /* another page than the swapped code */
#define LOADED	      0x5000		     /* operand of loads, in ring 0's memory */
#define STOP	      (USER_DATA + 0x100)
/* the descriptor of the harness's TSS */
#define TSS_AVAILABLE (0x0000890000000000 | (uint64_t)TSS << 16 | (104 + 4))
#define TSS_BUSY      (1ULL << 41)

/* RDI = the address to store to */
CODE(stores, "	sgdt (%rdi)\n"
	     "	sidt 16(%rdi)\n"
	     "	mov $-1, %rax\n"
	     "	mov %rax, %rcx\n"
	     "	sldt %ax\n"
	     "	str %ecx\n"
	     "	sldt 32(%rdi)\n"
	     "	str 34(%rdi)\n"
	     "	out %al, $0x10\n");
CODE(one_sgdt, "sgdt (%rdi); out %al, $0x10\n");
CODE(long_sgdt, ".byte 0x2e, 0x48; sgdt %fs:0x40(%rdi); out %al, $0x10\n");
CODE(one_sidt, "sidt (%rdi); out %al, $0x10\n");
CODE(one_sldt, "sldt %eax; out %al, $0x10\n");
CODE(one_str, "str %eax; out %al, $0x10\n");
CODE(one_lgdt, "lgdt (%rdi); out %al, $0x10\n");

/*
 * Runs in ring 0. EAX = a null selector, ECX = the TSS's selector, RDI = pointers of IDT and GDT.
 */
CODE(loads, "	lidt (%rdi)\n"
	    "	lgdt 16(%rdi)\n"
	    "	lldt %ax\n"
	    "	ltr %cx\n"
	    "	out %al, $0x10\n"
	    "	hlt\n");

/* Executes SGDT RSI times. Its second and third byte, which are swapped, are one aligned word. */
CODE(victim, "	nop\n"
	     "1:	sgdt (%rdi)\n"
	     "	dec %rsi\n"
	     "	jnz 1b\n"
	     "	out %al, $0x10\n");
/*
 * RDI = the word of SGDT, AX and BX = its two values. Each value stays for 1 to 64 rounds, by a
 * linear congruential generator in R8. The loop ends when the byte at RSI is set.
 */
CODE(swapper, "1:	xchg %eax, %ebx\n"
	      "	mov %ax, (%rdi)\n"
	      "	imul $0x19660d, %r8d, %r8d\n"
	      "	add $0x3c6ef35f, %r8d\n"
	      "	mov %r8d, %ecx\n"
	      "	shr $26, %ecx\n"
	      "2:	dec %ecx\n"
	      "	jns 2b\n"
	      "	cmpb $0, (%rsi)\n"
	      "	je 1b\n"
	      "	out %al, $0x10\n");
#define SGDT_RDI 0x0701 /* 0f 01 07 */

static const struct {
	const char *name;
	uint16_t bytes; /* the two bytes after 0f, as in SGDT */
} others[] = {
	{"addps", 0xc058}, /* the emulator does not know it: #UD in ring 3 */
	{"smsw %eax", 0xe001},
	{"movnti %eax, (%rdi)", 0x07c3},
	{"movups (%rdi), %xmm0", 0x0710},
};

static struct pair pair;

static uint64_t emulated(void)
{
	return vcpu_stat(pair.guest, 0, "insn_emulation");
}

static struct outcome run(int cpl, uint64_t code, uint64_t rdi, uint64_t rsi)
{
	struct kvm_regs regs = {.rdi = rdi, .rsi = rsi, .rcx = 0x28, .rflags = 2};

	return run_at(pair.guest, 0, cpl, code, &regs);
}

static void stores_give_what_is_there(void)
{
	struct kvm_sregs sregs = get_sregs(pair.guest, 0);
	uint8_t *to = pair.guest->memory + USER_DATA;
	struct outcome out;

	memset(to, 0xee, 64);
	PLACE(pair.guest, ATTACK_USER, stores);
	out = run(3, ATTACK_USER, USER_DATA, 0);
	attack_try(out.exit == 0, "stores: exit %#x", out.exit);
	attack_try(!memcmp(to, &sregs.gdt.limit, 2) && !memcmp(to + 2, &sregs.gdt.base, 8) &&
			   to[10] == 0xee,
		   "SGDT stored something else");
	attack_try(!memcmp(to + 16, &sregs.idt.limit, 2) && !memcmp(to + 18, &sregs.idt.base, 8) &&
			   to[26] == 0xee,
		   "SIDT stored something else");
	attack_try(out.regs.rax == (0xffffffffffff0000 | sregs.ldt.selector), "SLDT: RAX %#llx",
		   (unsigned long long)out.regs.rax);
	attack_try(out.regs.rcx == sregs.tr.selector, "STR: RCX %#llx",
		   (unsigned long long)out.regs.rcx);
	attack_try(!memcmp(to + 32, &sregs.ldt.selector, 2) &&
			   !memcmp(to + 34, &sregs.tr.selector, 2) && to[36] == 0xee,
		   "SLDT or STR stored something else");
}

/* SGDT with prefixes, at each offset from one page into the next. */
static void across_pages(void)
{
	struct kvm_sregs sregs = get_sregs(pair.guest, 0);
	uint64_t at = ATTACK_USER + PAGE_SIZE - 1;
	struct outcome out;

	for (; at > ATTACK_USER + PAGE_SIZE - 12; at--) {
		memset(pair.guest->memory + USER_DATA, 0xee, 128);
		PLACE(pair.guest, at, long_sgdt);
		out = run(3, at, USER_DATA, 0);
		attack_try(!out.exit && !memcmp(pair.guest->memory + USER_DATA + 0x42,
						&sregs.gdt.base, 8),
			   "SGDT at %#llx: exit %#x", (unsigned long long)at, out.exit);
	}
}

static void one_is_refused(const char *name, const uint8_t *code, const uint8_t *end)
{
	struct outcome out;

	attack_place(pair.guest, ATTACK_USER, code, end);
	out = run(3, ATTACK_USER, USER_DATA, 0);
	attack_try(out.exit == FAULT(GP) && out.at == ATTACK_USER,
		   "%s in ring 3: exit %#x at %#llx", name, out.exit, (unsigned long long)out.at);
}
#define REFUSED(name) one_is_refused(#name, name, name##_end)

static void umip(bool on)
{
	struct kvm_sregs sregs = get_sregs(pair.guest, 0);

	sregs.cr4 = on ? sregs.cr4 | CR4_UMIP : sregs.cr4 & ~(uint64_t)CR4_UMIP;
	CHECK_EQ(set_sregs(pair.guest, 0, &sregs), 0);
}

/* Ring 3 may not store with CR4.UMIP, and may never load. Ring 0 may. */
static void ring_3_may_not(void)
{
	struct outcome out;

	REFUSED(one_lgdt);
	umip(true);
	REFUSED(one_sgdt);
	REFUSED(one_sidt);
	REFUSED(one_sldt);
	REFUSED(one_str);
	PLACE(pair.guest, ATTACK_KERNEL, stores);
	out = run(0, ATTACK_KERNEL, SEEN + 0x100, 0);
	attack_try(out.exit == 0, "stores in ring 0 with UMIP: exit %#x", out.exit);
	umip(false);
}

static void loads_work(void)
{
	struct kvm_sregs sregs = get_sregs(pair.guest, 0), after;
	uint8_t *pointer = pair.guest->memory + LOADED;
	struct outcome out;

	memcpy(pointer, &sregs.idt.limit, 2);
	memcpy(pointer + 2, &sregs.idt.base, 8);
	memcpy(pointer + 16, &sregs.gdt.limit, 2);
	memcpy(pointer + 18, &sregs.gdt.base, 8);
	*vm_u64(pair.guest, GDT + 0x28) = TSS_AVAILABLE;
	PLACE(pair.guest, ATTACK_KERNEL, loads);
	out = run(0, ATTACK_KERNEL, LOADED, 0);
	after = get_sregs(pair.guest, 0);
	attack_try(out.exit == 0, "loads: exit %#x at %#llx", out.exit, (unsigned long long)out.at);
	attack_try(after.idt.base == sregs.idt.base && after.gdt.base == sregs.gdt.base &&
			   after.ldt.unusable && after.tr.base == sregs.tr.base &&
			   *vm_u64(pair.guest, GDT + 0x28) == (TSS_AVAILABLE | TSS_BUSY),
		   "loads loaded something else");
}

/*
 * The swapper runs with IF=1. In the emulator, a loop with IF=0 would keep interrupts from the
 * processor that runs it.
 */
static void *swap(void *other)
{
	struct kvm_regs regs = {.rdi = ATTACK_USER + 2,
				.rsi = STOP,
				.rax = *(const uint16_t *)other,
				.rbx = SGDT_RDI,
				.rflags = 0x202};
	static struct outcome out;

	out = run_at(pair.guest, 1, 3, SWAPS, &regs);
	return &out;
}

static void swapped(unsigned int i, unsigned long count)
{
	const volatile uint16_t *word = (uint16_t *)(pair.guest->memory + ATTACK_USER + 2);
	uint64_t ran, exits;
	struct outcome out, *other;
	pthread_t thread;
	double began;

	PLACE(pair.guest, ATTACK_USER, victim);
	PLACE(pair.guest, SWAPS, swapper);
	pair.guest->memory[STOP] = 0;
	CHECK(!pthread_create(&thread, NULL, swap, (void *)&others[i].bytes));
	for (began = now_us(); *word == SGDT_RDI;)
		CHECK(now_us() - began < 20e6);
	ran = emulated();
	exits = counter(ELISA_COUNT_DESC_EXITS);
	out = run(3, ATTACK_USER, USER_DATA, count);
	pair.guest->memory[STOP] = 1;
	CHECK(!pthread_join(thread, (void **)&other));
	ran = emulated() - ran;
	exits = counter(ELISA_COUNT_DESC_EXITS) - exits;
	attack_tries(count, out.exit ? count : 0, "SGDT that becomes another instruction");
	attack_try(!out.exit && !other->exit, "%s: exits %#x at %#llx, %#x", others[i].name,
		   out.exit, (unsigned long long)out.at, other->exit);
	/*
	 * Some instructions had been swapped when KVM was asked. The host left them to the
	 * processor.
	 */
	attack_try(ran && ran < exits, "%s: of %llu exits KVM emulated %llu", others[i].name,
		   (unsigned long long)exits, (unsigned long long)ran);
}

int main(void)
{
	unsigned int i;

	pair = attack_pair("t.swapped", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0,
			   2);
	stores_give_what_is_there();
	across_pages();
	ring_3_may_not();
	loads_work();
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		swapped(i, attack_scale(4000));
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
