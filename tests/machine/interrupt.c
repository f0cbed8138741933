// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts, NMIs and SMIs arrive during a call.
 *
 * Each must be delivered exactly once, at the first instruction of the default context after the
 * call's return. The call's result must be right. The guest's handlers count the events and keep
 * RIP, and the test compares both.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define STORM_CALLS  10000 /* repeated until enough interrupts fell into calls */
#define STORM_ROUNDS 50	   /* at most this often */
#define SMBASE	     0x30000

static struct vm *manager, *guest;
static uint64_t sent;
static volatile bool stop;
static unsigned int stops; /* stops by signals in this round */
static pthread_t thread;

static void send_next(struct vm *vm, int vcpu)
{
	/* one at a time: two of one vector may merge in the local APIC */
	if (seen(vm)->interrupts == sent) {
		sent++;
		msi(vm, vcpu, 0x40 + sent % 100);
	}
}

/*
 * Called when a timer has stopped the vCPU. The period grows with each stop of a round. With a
 * constant period the vCPU would get no time to go on where exits take long (KCSAN on two
 * processors).
 */
static void stopped(struct vm *vm, int vcpu)
{
	const long period = 500 + 50 * stops++;

	send_next(vm, vcpu);
	timer(period, period);
}

static void *send_from_thread(void *unused)
{
	struct timespec pause = {.tv_nsec = 300000};

	while (!stop) {
		send_next(guest, 0);
		nanosleep(&pause, NULL);
	}
	return unused;
}

/* Waits until the last sent interrupt is delivered, too. */
static void drain(void)
{
	struct kvm_regs regs = {.rsi = 1000, .rflags = 0x200};

	CHECK_EQ(run_at(guest, 0, 3, user_code(user_spin), &regs).exit, 0);
	CHECK_EQ(seen(guest)->interrupts, sent);
}

static void storm(uint32_t slot, const char *from, void (*begin)(void), void (*end)(void))
{
	const uint64_t first = sent, inside = counter(ELISA_COUNT_EXITS_IN_CONTEXT);
	struct outcome out;
	int rounds = 0;

	begin();
	do {
		CHECK(rounds++ < STORM_ROUNDS);
		stops = 0;
		out = call_loop_with(guest, 0, slot, DO_SPIN, 200, STORM_CALLS, NULL);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		CHECK_EQ(out.value, 7);
	} while (sent - first < 10 || counter(ELISA_COUNT_EXITS_IN_CONTEXT) <= inside + 5);
	end();
	drain();
	printf("interrupt: %d calls under %llu interrupts from %s, all delivered\n",
	       rounds * STORM_CALLS, (unsigned long long)(sent - first), from);
}

static void begin_signals(void)
{
	on_signal = stopped;
	timer(500, 500);
}

static void end_signals(void)
{
	timer(0, 0);
	on_signal = NULL;
}

static void begin_thread(void)
{
	CHECK(!pthread_create(&thread, NULL, send_from_thread, NULL));
}

static void end_thread(void)
{
	stop = true;
	pthread_join(thread, NULL);
}

/*
 * Sends an event during a call that waits. The event must be delivered once, at the call's return.
 */
static void during_a_call(uint32_t slot, void (*send)(void), const uint64_t *count,
			  const uint64_t *rip)
{
	uint64_t traps = counter(ELISA_COUNT_RETURN_TRAPS), before = *count;
	uint64_t refused = counter(ELISA_COUNT_INJECTIONS_REFUSED);
	struct outcome out;

	wait_in_sub(guest, 0, slot, manager);
	send();
	timer(1000, 0);
	CHECK_EQ(run_once(guest, 0), -EINTR);
	CHECK_EQ(*count, before);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
	CHECK_EQ(*count, before + 1);
	CHECK_EQ(*rip, stub_return(slot));
	CHECK_EQ(counter(ELISA_COUNT_RETURN_TRAPS), traps + 1);
	CHECK(counter(ELISA_COUNT_INJECTIONS_REFUSED) > refused);
}

static void send_interrupt(void)
{
	msi(guest, 0, 0x40);
}

static void send_nmi(void)
{
	msi(guest, 0, 4 << 8); /* delivery mode NMI */
}

static void send_smi(void)
{
	msi(guest, 0, 2 << 8); /* delivery mode SMI */
}

/* Sends an SMI. Its handler counts at SMBASE + 0x7000, and KVM has saved RIP in 64 bits. */
static void system_management(uint32_t slot)
{
	struct kvm_userspace_memory_region memory = {.slot = 1 << 16, /* address space 1 */
						     .memory_size = MEMORY_SIZE,
						     .userspace_addr = (uintptr_t)guest->memory};
	static const uint8_t handler[] = {0x2e, 0xff, 0x06, 0x00, 0x70, /* incw %cs:0x7000 */
					  0x0f, 0xaa};			/* rsm */

	CHECK(!ioctl(guest->fd, KVM_SET_USER_MEMORY_REGION, &memory));
	memcpy(guest->memory + SMBASE + 0x8000, handler, sizeof(handler));
	during_a_call(slot, send_smi, vm_u64(guest, SMBASE + 0x7000),
		      vm_u64(guest, SMBASE + 0xff78));
	/* the emulator blocks NMIs of all VMs after an SMI's until some guest's IRET */
	sent = seen(guest)->interrupts + 1;
	send_interrupt();
	drain();
	/* back in long mode: no other set-up is needed */
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

static void test(void)
{
	uint32_t slot;
	int i;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.interrupt", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.interrupt", ELISA_STUB_TRUSTING, 0);
	for (i = 0; i < 3; i++) {
		during_a_call(slot, send_interrupt, &seen(guest)->interrupts, &seen(guest)->rip);
		CHECK_EQ(seen(guest)->cs, USER_CS);
		during_a_call(slot, send_nmi, &seen(guest)->nmis, &seen(guest)->nmi_rip);
	}
	system_management(slot);
	printf("interrupt: held during a call, delivered once, at the return\n");
	sent = seen(guest)->interrupts;
	storm(slot, "signals", begin_signals, end_signals);
	storm(slot, "a thread", begin_thread, end_thread);
}

int main(void)
{
	return in_both_modes(test);
}
