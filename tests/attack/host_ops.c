// SPDX-License-Identifier: Apache-2.0
/*
 * The host's administrator works with kernel tools while guests make calls.
 *
 * The administrator switches ftrace off, probes the hooked functions, and unloads modules. One
 * hypercall sleeps meanwhile. The failure would be calls without the hooks' protection, or an
 * unloaded module that is still in use. isolation_works() notices the first one, and the result of
 * each system call the second one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <elisa/kvm_hooks.h>

#include "attack.h"

#define TRACING					     "/sys/kernel/tracing/"
#define SLEEP_GPA				     (64ULL << 20)

#define HOOKED_NAME(id, module, function, prototype) module ":" function,
static const char *const hooked[] = {ELISA_KVM_HOOKS(HOOKED_NAME)};
#define HOOKED (int)(sizeof(hooked) / sizeof(hooked[0]))

static struct pair pair;

static int put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_APPEND), r;

	CHECK(fd >= 0);
	r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Tells whether calls still work and forbidden actions are still refused. */
static bool isolation_works(void)
{
	struct kvm_regs regs = {.rcx = ELISA_INDEX_SUB(pair.slot), .rflags = 0x200};
	struct outcome out;

	out = call(pair.guest, 0, pair.slot, DO_CPUID, 0, 0);
	if (out.exit || out.error != ELISA_CALL_FORBIDDEN)
		return false;
	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	(void)get_sregs(pair.guest, 0);
	let_go(pair.manager);
	if (finish(pair.guest, 0).error != ELISA_CALL_VMM)
		return false;
	return attack_pair_works(&pair) &&
	       run_at(pair.guest, 0, 3, user_code(user_vmfunc), &regs).exit == FAULT(UD);
}

static void ftrace_off(void)
{
	attack_try(put("/proc/sys/kernel/ftrace_enabled", "0") < 0, "ftrace was switched off");
	attack_try(isolation_works(), "after ftrace_enabled=0");
}

/* Sets probes while the hooks are in place. The hooks must go on working beside each probe. */
static void probes(void)
{
	char text[80];
	int i, r;

	for (i = 0; i < HOOKED; i++) {
		sprintf(text, "p:attack%d %s", i, hooked[i]);
		r = put(TRACING "kprobe_events", text);
		attack_try(!r, "%s: no probe (%d)", hooked[i], r);
		if (r)
			continue;
		sprintf(text, TRACING "events/kprobes/attack%d/enable", i);
		r = put(text, "1");
		attack_try(isolation_works(), "with a probe on %s (%d)", hooked[i], r);
		put(text, "0");
		sprintf(text, "-:attack%d", i);
		put(TRACING "kprobe_events", text);
	}
}

/*
 * Sets a probe before the module places its hooks. Either the host refuses the attach request
 * before VMFUNC is on, or probe and hooks both work.
 */
static void probe_first(const char *function)
{
	uint64_t failed;
	char text[80];
	int i, r;

	CHECK_EQ(detach(pair.guest, 0, pair.slot), 0);
	for (i = 0; i < 100 && host_flags() & ELISA_HOST_ARMED; i++) {
		call(pair.guest, 0, pair.slot, DO_ADD, 1, 2); /* the vCPU lets go of the hooks */
		usleep(100000);
	}
	CHECK(!(host_flags() & ELISA_HOST_ARMED));
	sprintf(text, "p:first %s", function);
	CHECK_EQ(put(TRACING "kprobe_events", text), 0);
	CHECK_EQ(put(TRACING "events/kprobes/first/enable", "1"), 0);
	r = attach_try(pair.guest, "t.host", 0);
	attack_try(!r || (r == -EBUSY && pair.guest->page->why == ELISA_WHY_HOOK),
		   "%s: attach gives %d", function, r);
	failed = *object_data(pair.manager);
	if (r) {
		attack_try(call(pair.guest, 0, pair.slot, DO_COUNT, 0, 0).exit == FAULT(UD),
			   "VMFUNC is on without hooks");
		attack_try(*object_data(pair.manager) == failed, "the function ran");
	} else {
		CHECK_EQ(hypercall(pair.guest, 0, ELISA_HC_VCPU_SYNC), 0);
		attack_try(isolation_works(), "with an older probe on %s", function);
	}
	CHECK_EQ(put(TRACING "events/kprobes/first/enable", "0"), 0);
	put(TRACING "kprobe_events", "-:first");
	if (r) {
		CHECK_EQ(attach_patiently(pair.guest, "t.host"), 0);
		CHECK_EQ(hypercall(pair.guest, 0, ELISA_HC_VCPU_SYNC), 0);
	}
	attack_try(isolation_works(), "after the probe on %s", function);
}

static int remove_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static struct vm *sleeper;

static void *hypercall_that_sleeps(void *answer)
{
	*(int *)answer = hypercall_raw(sleeper, 0, 0, SLEEP_GPA, NULL);
	return NULL;
}

static int user_fault(void *memory)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.range = {(uintptr_t)memory, PAGE_SIZE},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, UFFDIO_API, &api));
	CHECK(!ioctl(fd, UFFDIO_REGISTER, &range));
	return fd;
}

static void *sleeping_page(struct vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = SLEEP_GPA, .memory_size = PAGE_SIZE};
	void *memory =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	CHECK(memory != MAP_FAILED);
	region.userspace_addr = (uintptr_t)memory;
	CHECK(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
	return memory;
}

/*
 * The page of the hypercall is on userfaultfd, so the hypercall sleeps. Other vCPUs must go on, the
 * module must stay loaded, and SIGKILL must end the sleeping process.
 */
static void sleeping(void)
{
	struct elisa_hc_page page = {.call = ELISA_HC_HELLO, .hello.abi = ELISA_ABI_VERSION};
	struct uffdio_copy copy = {.len = PAGE_SIZE, .src = (uintptr_t)&page};
	pthread_t thread;
	int answer = 1, fd, status;
	void *memory;
	pid_t child;

	sleeper = vm_new(1);
	memory = sleeping_page(sleeper);
	fd = user_fault(memory);
	CHECK(!pthread_create(&thread, NULL, hypercall_that_sleeps, &answer));
	usleep(50000);
	attack_try(isolation_works(), "while a hypercall sleeps");
	attack_try(hypercall(pair.manager, 0, ELISA_HC_COUNT) == -ENOSYS, "hypercalls wait");
	attack_try(remove_module("elisa") == -EAGAIN, "unloaded with a hypercall in it");
	attack_try(answer == 1, "it did not sleep");
	copy.dst = (uintptr_t)memory;
	CHECK(!ioctl(fd, UFFDIO_COPY, &copy));
	pthread_join(thread, NULL);
	attack_try(answer == 0, "it ended with %d", answer);
	close(fd);

	child = fork();
	if (!child) {
		struct vm *vm = vm_new(1);

		/* The hypercall of a VM without a grant does not sleep: it returns -EFAULT. */
		user_fault(sleeping_page(vm));
		CHECK_EQ(hypercall_raw(vm, 0, 0, SLEEP_GPA, NULL), -EFAULT);
		CHECK(grant(ELISA_GRANT_ATTACH, "t.*", 0) > 0);
		hypercall_raw(vm, 0, 0, SLEEP_GPA, NULL);
		_exit(0);
	}
	usleep(100000);
	attack_try(waitpid(child, &status, WNOHANG) == 0, "it did not sleep");
	CHECK(!kill(child, SIGKILL));
	attack_try(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "cannot be killed");
	attack_try(isolation_works(), "after a hypercall was killed");
}

int main(void)
{
	pair = attack_pair("t.host", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0, 1);
	attack_try(isolation_works(), "at the start");
	ftrace_off();
	probes();
	sleeping();
	attack_try(remove_module("elisa") == -EAGAIN, "elisa was unloaded");
	attack_try(remove_module("kvm_intel") < 0, "kvm_intel was unloaded");
	probe_first("kvm_intel:vmx_handle_exit");
	probe_first("kvm:kvm_vcpu_ioctl");
	vm_free(pair.guest);
	vm_free(pair.manager);
	vm_free(sleeper);
	/* no VM is left, but elisa.ko is still loaded */
	attack_try(remove_module("kvm_intel") < 0, "kvm_intel was unloaded under elisa");
	return 0;
}
