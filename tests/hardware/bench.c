// SPDX-License-Identifier: Apache-2.0
/*
 * The costs of a call on this processor, beside those of what it replaces. Each figure is the least
 * of many batches, as interrupts only add. A figure is one line "figure NAME cycles=N ns=N", in
 * cycles of the time-stamp counter. On an emulator the counter counts instructions, and the
 * nanoseconds mean nothing for hardware.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "../machine/modes.h"
#include "../machine/net.h"

#define BATCH	1000
#define BATCHES 200
#define FRAMES	32
#define RING	256
#define SHORT	64
#define CODE_AT (USER_CODE + 0x8000)

/* Code that the loop calls instead of a stub. */
asm(".pushsection .rodata\n"
    "code:\n" /* without a context of its own: DO_ADD, less its choice among functions */
    "	lea (%rsi,%rdx), %rax\n"
    "	xor %edx, %edx\n"
    "	ret\n"
    "code_vmfunc:\n" /* to the context that it is in, twice */
    "	xor %eax, %eax\n"
    "	xor %ecx, %ecx\n"
    "	vmfunc\n"
    "	vmfunc\n"
    "	xor %edx, %edx\n"
    "	ret\n"
    "code_vmcall:\n" /* of a number that KVM has nothing for */
    "	mov $1, %eax\n"
    "	vmcall\n"
    "	xor %edx, %edx\n"
    "	ret\n"
    "code_end:\n"
    "	.popsection\n");
extern const uint8_t code[], code_vmfunc[], code_vmcall[], code_end[];

static struct vm *manager, *guest;
static double ticks_per_ns;

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void figure(const char *name, double cycles)
{
	printf("figure %s cycles=%.1f ns=%.2f\n", name, cycles, cycles / ticks_per_ns);
}

static void measure_clock(void)
{
	const uint64_t ticks = __rdtsc();
	const double us = now_us();

	usleep(200000);
	ticks_per_ns = (__rdtsc() - ticks) / (now_us() - us) / 1000;
	printf("figure tsc_mhz cycles=%.1f ns=1000.00\n", ticks_per_ns * 1000);
}

/* Returns the cycles of one turn of the loop around this target. */
static double turn(uint64_t target)
{
	double cycles = 1e18;
	struct outcome out;
	uint64_t took;
	int i;

	for (i = 0; i < BATCHES; i++) {
		out = call_loop_to(guest, 0, target, DO_ADD, 1, BATCH, &took);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		cycles = least(cycles, (double)took / BATCH);
	}
	return cycles;
}

/* Returns the cycles beyond those of a function call in the caller's own context. */
static double beyond_plain(uint64_t target)
{
	return turn(target) - turn(CODE_AT);
}

static void calls(void)
{
	static const char *const modes[] = {"strict", "trusted"};
	char name[ELISA_NAME_SIZE], label[64];
	unsigned int mode, kind;

	for (mode = 0; mode < 2; mode++)
		for (kind = 0; kind < 4; kind++) {
			snprintf(name, sizeof(name), "b.%s.%u", modes[mode], kind);
			snprintf(label, sizeof(label), "call_%s_%s", modes[mode], kinds[kind].name);
			export_new(manager, name, kinds[kind].export_flags, 0);
			figure(label, beyond_plain(stub_entry(
					      attach(guest, name, kinds[kind].stub_flags, 0))));
		}
}

static double system_call(void)
{
	double with = 1e18, without = 1e18;
	uint64_t began;
	int i, j;

	for (i = 0; i < BATCHES; i++) {
		began = __rdtsc();
		for (j = 0; j < BATCH; j++)
			syscall(SYS_getppid);
		with = least(with, (double)(__rdtsc() - began) / BATCH);
		began = __rdtsc();
		for (j = 0; j < BATCH; j++)
			asm volatile("");
		without = least(without, (double)(__rdtsc() - began) / BATCH);
	}
	return with - without;
}

/*
 * Returns the cycles of a 64-byte frame from guest to guest by the switch in sub, 32 frames a call.
 */
static double packet(void)
{
	static const struct rvif_config usual = {.tx_queues = 1,
						 .rx_queues = 1,
						 .tx_ring = RING,
						 .rx_ring = RING,
						 .max_frame = 1514,
						 .features = RVIF_F_NOTIFY};
	static struct nic nics[2];
	static struct net net;
	double cycles = 1e18;
	uint64_t took;
	uint32_t i;

	net_open(&net, 3);
	for (i = 0; i < 2; i++)
		nic_open(&nics[i], &net, i, &usual);
	for (i = 0; i < BATCHES; i++) {
		while (rvif_ring_room(&nics[0].tx) > RING - FRAMES)
			nic_post(&nics[0], 1, SHORT);
		rvif_ring_publish(&nics[0].tx);
		CHECK_EQ(call_loop_with(nics[0].vm, 0, nics[0].slot, VMNET_FORWARD, 0, 1, &took)
				 .error,
			 ELISA_CALL_OK);
		nic_reap(&nics[0]);
		CHECK_EQ(nic_receive(&nics[1]), FRAMES);
		cycles = least(cycles, (double)took / FRAMES);
	}
	return cycles;
}

int main(void)
{
	manager = vm_new(1);
	guest = vm_new(1);
	memcpy(guest->memory + CODE_AT, code, code_end - code);
	measure_clock();
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH | ELISA_GRANT_TRUSTED_MANAGER,
		    "b.trusted*", 0) > 0);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "*", 0) > 0);
	calls();
	figure("vmfunc_pair", beyond_plain(CODE_AT + (code_vmfunc - code)));
	figure("vmcall", beyond_plain(CODE_AT + (code_vmcall - code)));
	figure("system_call", system_call());
	figure("packet", packet());
	return 0;
}
