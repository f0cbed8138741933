// SPDX-License-Identifier: Apache-2.0
/*
 * An interrupt or an NMI arrives at each instruction of a call.
 *
 * The failure would be an event that is lost, delivered twice, or delivered outside the default
 * context, or a call whose result is wrong. A host timer stops the vCPU at an arbitrary
 * instruction, and the signal handler sends the event there. The guest's handlers count the events
 * and keep the RIP at which each was delivered. KVM's tracepoint kvm_exit tells at which
 * instructions the vCPU was stopped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "attack.h"

#define TRACING "/sys/kernel/tracing/"
#define EVENT	TRACING "events/kvm/kvm_exit/"

static struct pair pair;
static unsigned long sent[2];
static uint64_t delivered_at[4096]; /* offsets in the code page */
static unsigned long early;

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_TRUNC);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
	close(fd);
}

static uint64_t delivered(int kind)
{
	return kind ? seen(pair.guest)->nmis : seen(pair.guest)->interrupts;
}

/*
 * Tells whether @rip is in the default context. The default context sees only the stub of the code
 * page.
 */
static bool in_default(uint64_t rip)
{
	uint64_t offset = rip - code_page(pair.slot);

	if (rip >= USER_CODE && rip < USER_CODE + 0x10000)
		return true;
	if (offset >= 4096)
		return false;
	delivered_at[offset]++;
	return offset <= ELISA_STRICT_ENTRY(pair.slot) - 3 ||
	       offset >= ELISA_STRICT_RETURN(pair.slot);
}

static int kind_now;

/* Called while the vCPU is stopped. Sends the next event if the previous one has been delivered. */
static void send_next(struct vm *vm, int vcpu)
{
	static const int modes[] = {0x40, 4 << 8}; /* vector, delivery mode NMI */

	if (delivered(kind_now) != sent[kind_now])
		return;
	if (sent[kind_now])
		early += !in_default(kind_now ? seen(vm)->nmi_rip : seen(vm)->rip);
	sent[kind_now]++;
	msi(vm, vcpu, modes[kind_now]);
}

/*
 * The emulator checks for interrupts only between blocks of instructions. It checks at each
 * instruction if an armed breakpoint is in the page that the vCPU executes. So the breakpoints are
 * at the last byte of each page of a call, which the vCPU never reaches.
 */
static void look_at_each_instruction(void)
{
	struct kvm_debugregs debug = {
		.dr6 = 0xffff0ff0,
		.dr7 = 0x40a, /* G0 and G1, on execution */
		.db = {code_page(pair.slot) + 0xfff, ELISA_OBJECT_BASE + 0xfff},
	};

	CHECK(!ioctl(pair.guest->vcpu[0], KVM_SET_DEBUGREGS, &debug));
}

static void storm(int kind, unsigned long count)
{
	uint64_t before = *object_data(pair.manager), calls = 0;
	unsigned long first = sent[kind], lost;
	struct outcome out;
	long pause = 0;

	kind_now = kind;
	on_signal = send_next;
	while (sent[kind] - first < count) {
		/* each round stops the loop at another phase */
		timer(200 + pause++ % 37, 301);
		out = call_loop(pair.guest, 0, pair.slot, DO_COUNT, 4000, NULL);
		calls += 4000;
		timer(0, 0);
		if (out.exit || out.error) {
			attack_try(false, "kind %d: exit %#x, error %ld", kind, out.exit,
				   out.error);
			break;
		}
	}
	on_signal = NULL;
	for (; delivered(kind) != sent[kind] && calls % 4000 < 10; calls++)
		call(pair.guest, 0, pair.slot, DO_COUNT, 0, 0);
	lost = sent[kind] - delivered(kind);
	attack_tries(sent[kind] - first, lost + early, "arrivals, lost or delivered elsewhere");
	attack_try(*object_data(pair.manager) == before + calls, "calls were lost");
	early = 0;
}

/*
 * Counts the instructions of the slot's code page and of the function that exits have interrupted.
 * Returns whether nearly all instructions of the gate and of the sub stub were hit. docs/gate.md
 * lists 6 for gate-in, 15 for the sub stub and 6 for gate-out.
 */
static bool covered(void)
{
	static char line[512];
	static uint8_t page[4096], function[4096];
	FILE *f = fopen(TRACING "trace", "r");
	unsigned int i, at, stub = 0, gate_in = 0, sub = 0, gate_out = 0, in_function = 0;
	const uint32_t slot = pair.slot;
	uint64_t rip;
	char *text;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		text = strstr(line, " rip 0x");
		if (!text || !strstr(line, "EXTERNAL_INTERRUPT") ||
		    sscanf(text, " rip %lx", &rip) != 1)
			continue;
		if (rip - code_page(slot) < 4096)
			page[rip - code_page(slot)] = 1;
		if (rip - ELISA_OBJECT_BASE < 4096)
			function[rip - ELISA_OBJECT_BASE] = 1;
	}
	fclose(f);
	for (i = 0; i < 4096; i++) {
		at = page[i] ? i : 0;
		stub += at && (at < ELISA_STRICT_ENTRY(slot) || at >= ELISA_STRICT_RETURN(slot));
		gate_in += at >= ELISA_STRICT_ENTRY(slot) && at < ELISA_SUB_ENTRY(slot);
		sub += at >= ELISA_SUB_ENTRY(slot) && at < ELISA_GATE_OUT_ENTRY(slot);
		gate_out += at >= ELISA_GATE_OUT_ENTRY(slot) && at < ELISA_STRICT_RETURN(slot);
		in_function += function[i];
	}
	printf("arrival: exits at %u instructions of the stub, %u of gate-in, %u of sub's stub, %u of "
	       "the function, %u of gate-out\n",
	       stub, gate_in, sub, in_function, gate_out);
	return gate_in >= 5 && sub >= 12 && gate_out >= 5;
}

int main(void)
{
	unsigned long count = attack_scale(4000);
	int more = 20;
	bool all;

	pair = attack_pair("t.arrival", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0,
			   1);
	write_file(TRACING "buffer_size_kb", "4096");
	write_file(EVENT "filter", "guest_rip >= 0x600000000000 && guest_rip < 0x608000000000");
	write_file(EVENT "enable", "1");
	look_at_each_instruction();
	storm(0, count);
	storm(1, count / 2);
	/* The timer stops the vCPU by chance: repeat until enough instructions were hit. */
	while (!(all = covered()) && more--)
		storm(0, count / 4 + 1);
	write_file(EVENT "enable", "0");
	attack_try(all, "too few instructions were hit");
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
