// SPDX-License-Identifier: Apache-2.0
/*
 * How long a revocation takes, by the manager or by the administrator.
 *
 * The vCPU is in a function that would stay for a minute. The test measures the time until the
 * request returns, and until the guest has its error. The function's last instruction must be
 * before the request returns, which a counter shows. It runs on one processor, where the vCPU is
 * suspended meanwhile, and on two, where it runs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define ROUNDS	   10
#define LIMIT_US   60000000
#define ALLOWED_US 10000 /* two ticks of the host's clock and a margin */

static struct vm *manager, *guest;
static uint32_t slot;
static double ended;

static void run_on_last_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

static void *caller(void *result)
{
	run_on_last_cpu();
	start_call(guest, 0, slot, DO_WATCH, ELISA_OBJECT_BASE, 0);
	*(struct outcome *)result = finish(guest, 0);
	ended = now_us();
	return NULL;
}

static void by_manager(uint32_t id, int grant_id)
{
	(void)grant_id;
	CHECK_EQ(destroy(manager, id), 0);
}

static void by_administrator(uint32_t id, int grant_id)
{
	(void)id;
	CHECK_EQ(revoke_grant(grant_id), 0);
}

static void measure(const char *name, void (*end)(uint32_t id, int grant_id))
{
	volatile uint64_t *counter = object_data(manager) + 1;
	double begin, returned, to_return = 0, to_error = 0;
	struct outcome out;
	pthread_t thread;
	int round, g;
	uint32_t id;

	for (round = 0; round < ROUNDS; round++) {
		g = grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.time", 0);
		CHECK(g > 0);
		id = export_new(manager, "t.time", ELISA_EXPORT_GENERAL_REGS, LIMIT_US);
		slot = attach(guest, "t.time", ELISA_STUB_TRUSTING, 0);
		*counter = 0;
		CHECK(!pthread_create(&thread, NULL, caller, &out));
		until_at_least(counter, 1000);
		usleep(round * 100);
		begin = now_us();
		end(id, g);
		returned = now_us();
		/* the function runs no more */
		*counter = 0;
		usleep(1000);
		CHECK_EQ(*counter, 0);
		pthread_join(thread, NULL);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, ELISA_CALL_REVOKED);
		CHECK_EQ(detach(guest, 0, slot), 0);
		revoke_grant(g);
		to_return = returned - begin > to_return ? returned - begin : to_return;
		to_error = ended - begin > to_error ? ended - begin : to_error;
	}
	printf("result revocation_%s_us=%.0f until_guest_knows_us=%.0f rounds=%d cpus=%ld\n", name,
	       to_return, to_error, ROUNDS, sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(to_return <= ALLOWED_US);
	CHECK(to_error <= ALLOWED_US);
}

int main(void)
{
	struct vm *holder = vm_new(1);

	/* one attachment stays, so that the host does not place and remove its hooks each time */
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.holder", 0) > 0);
	export_new(holder, "t.holder", ELISA_EXPORT_GENERAL_REGS, 0);
	attach(holder, "t.holder", ELISA_STUB_TRUSTING, 0);
	manager = vm_new(1);
	guest = vm_new(1);
	measure("by_manager", by_manager);
	measure("by_administrator", by_administrator);
	return 0;
}
