// SPDX-License-Identifier: Apache-2.0
/*
 * The second processor goes offline and comes back while a guest is attached.
 *
 * A call that was suspended on that processor must continue on the other one. The failure would be
 * a call that is lost, or a processor that comes back with translations of a detached slot. The
 * test detaches and attaches again while the processor is offline, and then makes calls on it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include "attack.h"

static struct pair pair;

static int online(const char *yes)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY), r;

	CHECK(fd >= 0);
	r = write(fd, yes, 1) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

static void away_and_back(void)
{
	struct outcome out;

	run_on(1);
	attack_try(attack_pair_works(&pair), "on the second processor");
	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	run_on(0);
	CHECK_EQ(online("0"), 0);
	let_go(pair.manager);
	out = finish(pair.guest, 0);
	attack_try(!out.exit && !out.error && out.value == 7, "the call: exit %#x, error %ld",
		   out.exit, out.error);
	/*
	 * While the processor is offline, the guest detaches and attaches. The processor must
	 * remember no page of the old attachment.
	 */
	CHECK_EQ(detach(pair.guest, 0, pair.slot), 0);
	attack_try(call(pair.guest, 0, pair.slot, DO_ADD, 1, 2).exit == FAULT(UD), "detached");
	pair.slot = attach(pair.guest, "t.offline", ELISA_STUB_TRUSTING, 0);
	attack_try(attack_pair_works(&pair), "on the first one");
	CHECK_EQ(online("1"), 0);
	run_on(1);
	attack_try(attack_pair_works(&pair), "on the one that is back");
	out = call(pair.guest, 0, pair.slot, DO_UD, 0, 0);
	attack_try(!out.exit && out.error == ELISA_CALL_FAULT, "a fault there");
}

int main(void)
{
	unsigned long i, count = attack_scale(5);

	pair = attack_pair("t.offline", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0,
			   1);
	for (i = 0; i < count; i++)
		away_and_back();
	return 0;
}
