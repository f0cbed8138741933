// SPDX-License-Identifier: Apache-2.0
/*
 * Another module on the host has hooked a function of KVM that ELISA needs.
 *
 * Attach must be refused and tell why, and further attempts must be cheap. Once the function is
 * free again, attach works. While ELISA has the hooks, no other module gets them, and ftrace cannot
 * be switched off. The failure would be VMFUNC without hooks.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define TRIES 50

static int thief_load(const char *parameters)
{
	int fd = open("/modules/thief.ko", O_RDONLY), r;

	CHECK(fd >= 0);
	r = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return r;
}

/* ftrace cannot be switched off: on newer kernels never, on others not while it is in use. */
static void ftrace_stays(void)
{
	int fd = open("/proc/sys/kernel/ftrace_enabled", O_RDWR), r;
	char now[4] = "";

	CHECK(fd >= 0);
	r = write(fd, "0", 1) == 1 ? 0 : -errno;
	CHECK(r == -EBUSY || r == -EOPNOTSUPP);
	CHECK_EQ(pread(fd, now, sizeof(now), 0), 2);
	CHECK_EQ(now[0], '1');
	close(fd);
}

static void refused(struct vm *guest)
{
	CHECK_EQ(attach_try(guest, "t.hooks", 0), -EBUSY);
	CHECK_EQ(guest->page->why, ELISA_WHY_HOOK);
	CHECK_EQ(host_flags() & ELISA_HOST_ARMED, 0);
}

static void taken(struct vm *guest, const char *parameters)
{
	uint64_t first, again;
	int i;

	CHECK_EQ(thief_load(parameters), 0);
	first = __rdtsc();
	refused(guest);
	first = __rdtsc() - first;
	again = __rdtsc();
	for (i = 0; i < TRIES; i++)
		refused(guest);
	again = (__rdtsc() - again) / TRIES;
	printf("result refused_insns \"%s\" first=%llu again=%llu\n", parameters,
	       (unsigned long long)first, (unsigned long long)again);
	CHECK(again < first / 100);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0); /* there is nothing to set up */
	CHECK_EQ(syscall(SYS_delete_module, "thief", O_NONBLOCK), 0);
	CHECK_EQ(attach_patiently(guest, "t.hooks"), 0);
}

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	uint32_t slot;

	ftrace_stays();
	while (host_flags() & ELISA_HOST_ARMED) /* hooked by an earlier test */
		usleep(10000);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.hooks", ELISA_EXPORT_GENERAL_REGS, 1000000);
	taken(guest, "");
	slot = attached(guest, ELISA_STUB_TRUSTING);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(detach(guest, 0, slot), 0);
	while (host_flags() & ELISA_HOST_ARMED) {
		call(guest, 0, slot, DO_ADD, 1, 2); /* the vCPU lets go of the hooks */
		usleep(100000);
	}
	taken(guest, "direct=1");
	printf("hooks: taken by another module: refused, nothing is on\n");

	slot = attached(guest, ELISA_STUB_TRUSTING);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(thief_load(""), -EBUSY);
	CHECK_EQ(thief_load("direct=1"), -EBUSY);
	ftrace_stays();
	/* isolation works: the function's fault does not reach the guest, and an interrupt waits */
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	wait_in_sub(guest, 0, slot, manager);
	msi(guest, 0, 0x40);
	let_go(manager);
	CHECK_EQ(finish(guest, 0).value, 7);
	CHECK_EQ(seen(guest)->rip, stub_return(slot));
	printf("hooks: ELISA keeps what it has, and ftrace cannot be switched off\n");
	return 0;
}
