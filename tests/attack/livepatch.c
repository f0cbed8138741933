// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator livepatches functions that the module hooks, before or after the module does.
 *
 * The second of the two must be refused. The failure would be VMFUNC that is on without the hooks.
 * The test notices it by VMFUNC to sub, which must cause #UD, and by calls that must end with the
 * designed errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "attack.h"

static struct pair pair;

static int patch(const char *name)
{
	char file[64];
	int fd, r;

	sprintf(file, "/modules/%s.ko", name);
	fd = open(file, O_RDONLY);
	CHECK(fd >= 0);
	r = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return r;
}

static int unpatch(const char *name)
{
	char file[80];
	int fd, i;

	sprintf(file, "/sys/kernel/livepatch/%s/enabled", name);
	fd = open(file, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "0", 1), 1);
	close(fd);
	for (i = 0; i < 100 && syscall(SYS_delete_module, name, O_NONBLOCK); i++)
		usleep(100000);
	return i < 100 ? 0 : -EBUSY;
}

static bool isolation_works(void)
{
	struct kvm_regs regs = {.rcx = ELISA_INDEX_SUB(pair.slot), .rflags = 0x200};

	return call(pair.guest, 0, pair.slot, DO_CPUID, 0, 0).error == ELISA_CALL_FORBIDDEN &&
	       call(pair.guest, 0, pair.slot, DO_UD, 0, 0).error == ELISA_CALL_FAULT &&
	       attack_pair_works(&pair) &&
	       run_at(pair.guest, 0, 3, user_code(user_vmfunc), &regs).exit == FAULT(UD);
}

static void second(const char *name)
{
	int r = patch(name);

	attack_try(r == -EBUSY, "%s over ours: %d", name, r);
	attack_try(isolation_works(), "after %s was refused", name);
}

static void first(const char *name)
{
	int i, r;

	CHECK_EQ(detach(pair.guest, 0, pair.slot), 0);
	for (i = 0; i < 100 && host_flags() & ELISA_HOST_ARMED; i++) {
		call(pair.guest, 0, pair.slot, DO_ADD, 1, 2); /* the vCPU lets go of the hooks */
		usleep(100000);
	}
	CHECK(!(host_flags() & ELISA_HOST_ARMED));
	r = patch(name);
	attack_try(!r, "%s without hooks: %d", name, r);
	r = attach_try(pair.guest, "t.patch", 0);
	attack_try(r == -EBUSY && pair.guest->page->why == ELISA_WHY_HOOK,
		   "attached beside %s: %d, why %u", name, r, pair.guest->page->why);
	attack_try(call(pair.guest, 0, pair.slot, DO_COUNT, 0, 0).exit == FAULT(UD) &&
			   *object_data(pair.manager) == 0,
		   "VMFUNC is on without hooks");
	attack_try(!unpatch(name), "%s cannot be taken away", name);
	attack_try(!attach_patiently(pair.guest, "t.patch"), "not attached without it");
	CHECK_EQ(hypercall(pair.guest, 0, ELISA_HC_VCPU_SYNC), 0);
	attack_try(isolation_works(), "after %s", name);
}

int main(void)
{
	pair = attack_pair("t.patch", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0,
			   1);
	second("patch_exit");
	second("patch_nmi");
	first("patch_nmi");
	return 0;
}
