// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM's ioctl begins before the vCPU makes its first call, and sleeps on the vCPU's mutex.
 *
 * The ioctl gets the mutex when a call is suspended. The attack would succeed if the ioctl read or
 * changed the function's registers. The call must end with ELISA_CALL_VMM, and no secret may be in
 * the answer. An ioctl that KVM refuses at once does not wait, and must not end a call.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gate/gate_page.h"
#include "harness.h"

#define GO	   (SEEN + 0x800) /* the guest waits until this word is set */
#define NOT_OF_KVM _IO('x', 1)

static struct vm *manager, *guest;
static volatile bool paused, done;

static void get_fpu(void)
{
	struct kvm_fpu fpu;
	unsigned int i;

	SYS(ioctl(guest->vcpu[0], KVM_GET_FPU, &fpu));
	for (i = 0; i < sizeof(fpu) / 8; i++)
		CHECK(((uint64_t *)&fpu)[i] != SECRET);
}

static void set_fpu(void)
{
	struct kvm_fpu fpu;

	memset(&fpu, 0x11, sizeof(fpu));
	fpu.mxcsr = 0x1f80;
	SYS(ioctl(guest->vcpu[0], KVM_SET_FPU, &fpu));
}

static void set_xcr0(void)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = 3};

	SYS(ioctl(guest->vcpu[0], KVM_SET_XCRS, &xcrs));
}

static void refused(void)
{
	int status;
	pid_t child;

	CHECK_EQ(ioctl(guest->vcpu[0], NOT_OF_KVM, 0) ? errno : 0, EINVAL);
	/* KVM does not show the vCPU to another process */
	child = SYS(fork());
	if (!child) {
		struct kvm_regs regs;

		_exit(ioctl(guest->vcpu[0], KVM_GET_REGS, &regs) ? errno : 0);
	}
	SYS(waitpid(child, &status, 0));
	CHECK_EQ(status, EIO << 8);
}

static void *in_thread(void *request)
{
	((void (*)(void))request)();
	done = true;
	return NULL;
}

static void pause_here(struct vm *vm, int vcpu)
{
	(void)vm;
	(void)vcpu;
	while (paused)
		usleep(1000);
}

static void *run(void *out)
{
	*(struct outcome *)out = finish(guest, 0);
	return NULL;
}

static void until(volatile bool *what)
{
	int ms;

	for (ms = 0; !*what && ms < 5000; ms++)
		usleep(1000);
	CHECK(*what);
}

static void attach_unseen(bool armed)
{
	uint32_t slot;

	guest = vm_new(2);
	/* vCPU 1 makes all requests, so the host does not know vCPU 0 yet */
	memset(guest->page, 0, PAGE_SIZE);
	strcpy(guest->page->attach.name, "t.early");
	guest->page->attach.root = ROOT;
	guest->page->attach.user_cs = USER_CS;
	guest->page->attach.user_ss = USER_SS;
	CHECK_EQ(hypercall(guest, 1, ELISA_HC_ATTACH), 0);
	slot = guest->page->attach.slot;
	map_stub(guest, slot, guest->page->attach.mode, ELISA_STUB_TRUSTING);
	if (armed)
		CHECK_EQ(hypercall(guest, 1, ELISA_HC_VCPU_SYNC), 0);
	/* vCPU 0 makes its first hypercall and its first call in the same KVM_RUN */
	guest->page->call = ELISA_HC_VCPU_SYNC;
	start_at(guest, 0, 0, kernel_code(sync_and_call),
		 &(struct kvm_regs){.rax = ELISA_HC_RAX,
				    .rbx = ELISA_HC_MAGIC,
				    .rcx = HYPERCALL_PAGE,
				    .rdi = DO_WAIT,
				    .r11 = stub_entry(slot),
				    .r12 = GO,
				    .r13 = user_code(user_call),
				    .r14 = USER_STACK,
				    .rflags = 0x202});
}

/*
 * Begins @request in the middle of the KVM_RUN that makes the call. If @early, this is before vCPU
 * 0's first hypercall, otherwise while the call is running. Returns how the call ended.
 */
static struct outcome meet(void (*request)(void), bool armed, bool early)
{
	volatile uint64_t *data = object_data(manager);
	pthread_t runner, other;
	struct outcome out;

	data[1] = data[2] = 0;
	done = false;
	paused = true;
	attach_unseen(armed);
	CHECK(!pthread_create(&runner, NULL, run, &out));
	usleep(20000);
	if (early)
		CHECK(!pthread_create(&other, NULL, in_thread, request));
	usleep(20000);
	CHECK(!done || !early);
	*vm_u64(guest, GO) = 1;
	until_at_least(&data[1], 1);
	if (!early)
		CHECK(!pthread_create(&other, NULL, in_thread, request));
	else
		pthread_kill(runner, SIGALRM);
	until(&done);
	paused = false;
	let_go(manager);
	pthread_join(runner, NULL);
	pthread_join(other, NULL);
	CHECK_EQ(out.exit, 0);
	vm_free(guest);
	return out;
}

static void test(void)
{
	void (*const touch[])(void) = {get_fpu, set_fpu, set_xcr0};
	struct outcome out;
	unsigned int i;

	manager = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.early", 0, 60000000);
	on_signal = pause_here;
	timer(0, 0);
	for (i = 0; i < 6; i++) {
		out = meet(touch[i / 2], i % 2, true);
		CHECK_EQ(out.error, ELISA_CALL_VMM);
		CHECK_EQ(out.value, 0);
	}
	out = meet(refused, true, false);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
	printf("early_ioctl: 6 ioctls that came before the call ended it, 2 refused ones did not\n");
}

int main(void)
{
	return in_both_modes(test);
}
