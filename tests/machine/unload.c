// SPDX-License-Identifier: Apache-2.0
/*
 * The module is unloaded while a VM that has only a grant makes hypercalls.
 *
 * A hypercall that is running must keep the module loaded. Between two hypercalls the module can
 * go. Then the VM gets KVM's answer, and the grant is gone. The failure would be a hypercall in a
 * module that is no longer there.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "harness.h"

#define ROUNDS 3
#define GSI    5

static struct vm *vm;
static bool stop;
static unsigned long heard, unheard;

static void *talk(void *unused)
{
	static const uint32_t calls[] = {ELISA_HC_DOORBELL, ELISA_HC_DOORBELL, ELISA_HC_EVENTS,
					 ELISA_HC_RESET};
	unsigned int i;
	int r;

	(void)unused;
	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		memset(vm->page, 0, PAGE_SIZE);
		if (calls[i % 4] == ELISA_HC_DOORBELL)
			vm->page->doorbell.gsi = i % 2 ? GSI : ELISA_NO_DOORBELL;
		r = hypercall(vm, 0, calls[i % 4]);
		CHECK(!r || r == -ENODEV || r == -EPERM);
		if (r != -EPERM)
			__atomic_fetch_add(r ? &unheard : &heard, 1, __ATOMIC_RELAXED);
		/* leaves the CPU to the thread that loads the module */
		if (r == -ENODEV)
			usleep(1000);
	}
	return NULL;
}

static void wait_for_more(unsigned long *count)
{
	const unsigned long enough = __atomic_load_n(count, __ATOMIC_RELAXED) + 20;

	while (__atomic_load_n(count, __ATOMIC_RELAXED) < enough)
		usleep(1000);
}

int main(void)
{
	pthread_t thread;
	int i, r, busy = 0;

	vm = vm_new(1);
	CHECK(!pthread_create(&thread, NULL, talk, NULL));
	for (i = 0; i < ROUNDS; i++) {
		CHECK(grant(ELISA_GRANT_ATTACH, "t.*", 0) > 0);
		wait_for_more(&heard);
		/*
		 * Waits a random time. The kernel switches threads at its ticks. With one CPU and a
		 * clock that counts instructions, the other thread was in a hypercall at each tick.
		 */
		while ((r = module_unload()) == -EAGAIN) {
			busy++;
			usleep(random() % 2000);
		}
		CHECK_EQ(r, 0);
		wait_for_more(&unheard);
		CHECK_EQ(module_load(), 0);
	}
	wait_for_more(&heard);
	stop = true;
	CHECK(!pthread_join(thread, NULL));
	printf("unload: %d times, %lu hypercalls answered, %lu not, %d times too busy\n", ROUNDS,
	       heard, unheard, busy);
	return 0;
}
