// SPDX-License-Identifier: Apache-2.0
/*
 * KVM changes a VM's memory by itself or for the VMM, between calls and while a call is suspended.
 *
 * The changes are moved slots, dropped roots, dropped pages, dirty logging, read-only slots, page
 * protection, and another VM. At last the guest gets VMX. The failure would be a suspended call
 * that does not resume, or a later call that does not work.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "attack.h"

#define CR4_VMXE (1 << 13)
#define MORE_GPA (64ULL << 20)
#define SIZE	 (1 << 20)

static struct pair pair;
static uint8_t *more;

static void set_slot(uint32_t number, uint64_t gpa, uint64_t size, void *memory, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {.slot = number,
						     .guest_phys_addr = gpa,
						     .memory_size = size,
						     .flags = flags,
						     .userspace_addr = (uintptr_t)memory};

	CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

static void move_slot(void)
{
	static int moved;

	set_slot(1, MORE_GPA + (moved++ % 8 << 24), SIZE, more, 0);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
	close(fd);
}

/* KVM zaps the EPT of all VMs when this parameter changes. */
static void zap_all(void)
{
	write_file("/sys/module/kvm/parameters/nx_huge_pages", "force");
	write_file("/sys/module/kvm/parameters/nx_huge_pages", "off");
}

static void drop_pages(void)
{
	CHECK(!madvise(pair.guest->memory, MEMORY_SIZE, MADV_DONTNEED));
}

static void log_on(void)
{
	static int on;

	on = !on;
	set_slot(0, 0, MEMORY_SIZE, pair.guest->memory, on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

static void take_log(void)
{
	static uint8_t bitmap[MEMORY_SIZE / PAGE_SIZE / 8];
	struct kvm_dirty_log log = {.dirty_bitmap = bitmap};

	ioctl(pair.guest->fd, KVM_GET_DIRTY_LOG, &log);
}

static void read_only(void)
{
	set_slot(1, MORE_GPA, 0, more, 0);
	set_slot(1, MORE_GPA, SIZE, more, KVM_MEM_READONLY);
	set_slot(1, MORE_GPA, 0, more, 0);
	set_slot(1, MORE_GPA, SIZE, more, 0);
}

static void other_page_protection(void)
{
	CHECK(!mprotect(pair.guest->memory, MEMORY_SIZE, PROT_READ));
	CHECK(!mprotect(pair.guest->memory, MEMORY_SIZE, PROT_READ | PROT_WRITE));
}

static void another_vm(void)
{
	struct vm *vm = vm_new(2);
	struct kvm_regs regs = {.rsi = 100, .rflags = 0x200};

	attack_try(run_at(vm, 1, 3, user_code(user_spin), &regs).exit == 0, "another VM");
	vm_free(vm);
}

static const struct {
	const char *name;
	void (*change)(void);
} changes[] = {
	{"move a slot", move_slot},
	{"zap all", zap_all},
	{"drop pages", drop_pages},
	{"dirty logging", log_on},
	{"take the log", take_log},
	{"read-only slot", read_only},
	{"protection", other_page_protection},
	{"another VM", another_vm},
};
#define CHANGES (int)(sizeof(changes) / sizeof(changes[0]))

static void change_in_call(int i)
{
	struct outcome out;

	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	changes[i].change();
	timer(1000, 0); /* the vCPU enters sub and exits again */
	CHECK(run_once(pair.guest, 0));
	changes[i].change();
	let_go(pair.manager);
	out = finish(pair.guest, 0);
	attack_try(!out.exit && !out.error && out.value == 7, "%s: exit %#x, error %ld",
		   changes[i].name, out.exit, out.error);
	changes[i].change();
	attack_try(attack_pair_works(&pair), "%s: no call afterwards", changes[i].name);
	out = call(pair.guest, 0, pair.slot, DO_UD, 0, 0);
	attack_try(!out.exit && out.error == ELISA_CALL_FAULT, "%s: a fault gives %ld",
		   changes[i].name, out.error);
}

/* Gives the guest VMX, so that it may run VMs of its own. */
static void nested(void)
{
	struct kvm_sregs good = get_sregs(pair.guest, 0), vmx = good;

	vmx.cr4 |= CR4_VMXE;
	if (set_sregs(pair.guest, 0, &vmx)) {
		printf("kvm_ops: this host gives guests no VMX\n");
		return;
	}
	attack_try(attack_pair_works(&pair), "with VMXE");
	CHECK_EQ(set_sregs(pair.guest, 0, &good), 0);
	attack_try(attack_pair_works(&pair), "after VMXE");
}

int main(void)
{
	unsigned long round, rounds = attack_scale(20);
	int i;

	pair = attack_pair("t.kvm", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0, 1);
	more = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(more != MAP_FAILED);
	set_slot(1, MORE_GPA, SIZE, more, 0);
	for (round = 0; round < rounds; round++)
		for (i = 0; i < CHANGES; i++)
			change_in_call(i);
	nested();
	return 0;
}
