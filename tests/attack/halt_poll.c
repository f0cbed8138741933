// SPDX-License-Identifier: Apache-2.0
/*
 * A guest halts between its calls, while KVM polls for the wake-up of its vCPU.
 *
 * Another thread sends interrupts, which arrive before, in and after the calls. The failure would
 * be an interrupt that is lost, delivered twice, or delivered outside default, or a wrong result of
 * a call. The guest's handler counts the interrupts and keeps the RIP of the last one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "attack.h"

#define PARAMETER "/sys/module/kvm/parameters/halt_poll_ns"
#define HALTS	  100

CODE(halt, "	sti\n"
	   "	hlt\n"
	   "	cli\n"
	   "	out %al, $0x10\n"
	   "	hlt\n");

static struct pair pair;
static volatile bool stop;
static unsigned long sent;

static void set_polling(const char *nanoseconds)
{
	int fd = open(PARAMETER, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, nanoseconds, strlen(nanoseconds)), (long)strlen(nanoseconds));
	close(fd);
}

static uint64_t delivered(void)
{
	return *(volatile uint64_t *)&seen(pair.guest)->interrupts;
}

/* Sends an interrupt only after the previous one was delivered, so that no two of them merge. */
static void *wake(void *unused)
{
	unsigned int seed = 1;

	while (!stop) {
		if (delivered() == sent) {
			sent++;
			msi(pair.guest, 0, 0x40);
		}
		usleep(rand_r(&seed) % 400);
	}
	return unused;
}

static bool in_default(uint64_t rip, uint64_t cs)
{
	uint64_t offset = rip - code_page(pair.slot);

	return cs == 8 || rip - USER_CODE < 0x10000 ||
	       (offset < PAGE_SIZE && (offset <= ELISA_STRICT_ENTRY(pair.slot) - 3 ||
				       offset >= ELISA_STRICT_RETURN(pair.slot)));
}

static void round_of(const char *nanoseconds, unsigned long halts)
{
	struct kvm_regs regs = {0};
	uint64_t calls = *object_data(pair.manager);
	struct outcome out;
	pthread_t thread;
	unsigned long i;

	set_polling(nanoseconds);
	stop = false;
	sent = delivered();
	CHECK(!pthread_create(&thread, NULL, wake, NULL));
	for (i = 0; i < halts; i++) {
		attack_try(run_at(pair.guest, 0, 0, ATTACK_KERNEL, &regs).exit == 0,
			   "polling %s: halt %lu", nanoseconds, i);
		out = call(pair.guest, 0, pair.slot, DO_COUNT, 0, 0);
		attack_try(!out.exit && !out.error && (uint64_t)out.value == ++calls,
			   "polling %s: exit %#x, error %ld", nanoseconds, out.exit, out.error);
		out = call(pair.guest, 0, pair.slot, DO_SPIN, 20000, 0);
		attack_try(!out.exit && !out.error && out.value == 7,
			   "polling %s: exit %#x, error %ld", nanoseconds, out.exit, out.error);
		attack_try(in_default(seen(pair.guest)->rip, seen(pair.guest)->cs),
			   "delivered at %#llx", (unsigned long long)seen(pair.guest)->rip);
	}
	stop = true;
	pthread_join(thread, NULL);
	/* the last interrupt may still be pending */
	call(pair.guest, 0, pair.slot, DO_ADD, 1, 2);
	attack_tries(sent, delivered() == sent ? 0 : sent, "interrupts were lost or came twice");
}

int main(void)
{
	static const char *const polling[] = {"0", "200000", "10000000"};
	unsigned int i;

	pair = attack_pair("t.halt", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0, 1);
	PLACE(pair.guest, ATTACK_KERNEL, halt);
	for (i = 0; i < sizeof(polling) / sizeof(polling[0]); i++)
		round_of(polling[i], attack_scale(HALTS));
	set_polling("200000");
	return 0;
}
