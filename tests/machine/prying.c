// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM reads and sets a vCPU's state all the time while the vCPU makes calls.
 *
 * The attack would succeed if the VMM saw a function's registers, or if a call returned a wrong
 * result. A call must return the right result or end with ELISA_CALL_VMM. The test looks for the
 * function's secret in each answer.
 */
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CALLS	 200  /* at least; more until FEW calls returned, and FEW were ended */
#define MOST	 4000 /* at most */
#define FEW	 10
#define LONG_US	 1000 /* long enough for interrupts */
#define SHORT_US 40

static struct vm *manager, *guest;
static volatile bool stop;
static int looks;

static void check_clean(const void *registers, unsigned int size)
{
	const uint64_t *value = registers;
	unsigned int i;

	for (i = 0; i < size / 8; i++)
		CHECK(value[i] != SECRET);
}

static void *pry(void *unused)
{
	int vcpu = guest->vcpu[0];
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_fpu fpu;

	for (; !stop; looks++) {
		CHECK(!ioctl(vcpu, KVM_GET_REGS, &regs));
		check_clean(&regs, sizeof(regs));
		CHECK(!ioctl(vcpu, KVM_GET_FPU, &fpu));
		check_clean(&fpu, sizeof(fpu));
		CHECK(!ioctl(vcpu, KVM_GET_SREGS, &sregs));
		CHECK_EQ(sregs.cr3, ROOT);
		CHECK(!ioctl(vcpu, KVM_SET_SREGS, &sregs));
		if (looks % 4 == 0)
			usleep(5000); /* a pause, so that some calls are not disturbed */
	}
	return unused;
}

static void test(void)
{
	int i, ended = 0, right = 0;
	struct outcome out;
	pthread_t thread;
	long spins;
	uint32_t slot;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.prying", 0, 1000000);
	slot = attach(guest, "t.prying", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(call(guest, 0, slot, DO_HOLD, 1, 0).value, 7);
	spins = spins_in(guest, slot, SHORT_US);
	CHECK(!pthread_create(&thread, NULL, pry, NULL));
	timer(700, 700);
	for (i = 0; i < CALLS || (i < MOST && (ended <= FEW || right <= FEW)); i++) {
		out = call(guest, 0, slot, DO_HOLD, i % 2 ? spins * (LONG_US / SHORT_US) : spins,
			   0);
		CHECK_EQ(out.exit, 0);
		CHECK(out.error == 0 || out.error == ELISA_CALL_VMM);
		CHECK_EQ(out.value, out.error ? 0 : 7);
		CHECK_EQ(out.regs.rsp, USER_STACK);
		ended += !!out.error;
		right += !out.error;
	}
	timer(0, 0);
	stop = true;
	pthread_join(thread, NULL);
	CHECK(ended > FEW);
	CHECK(right > FEW);
	CHECK(looks > 10);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	printf("prying: %d looks saw nothing; %d calls right, %d ended\n", looks, right, ended);
}

int main(void)
{
	return in_both_modes(test);
}
