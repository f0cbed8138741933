// SPDX-License-Identifier: Apache-2.0
/*
 * The VMM changes the VM's memory slots while a vCPU is in sub and between calls.
 *
 * KVM then gives the vCPU another default context. The failure would be a call that ends, or that
 * returns into the old context. The test compares results and the host's counter of reloaded roots.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define NEW_GPA	 (256ULL << 20)
#define NEW_SIZE (1 << 20)

static struct vm *manager, *guest;
static uint8_t *more;

static void set_slot(uint32_t slot, uint64_t gpa, uint64_t size, void *memory, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .guest_phys_addr = gpa,
						     .memory_size = size,
						     .flags = flags,
						     .userspace_addr = (uintptr_t)memory};

	CHECK(!ioctl(guest->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

static void add_and_delete(void)
{
	set_slot(1, NEW_GPA, NEW_SIZE, more, 0);
	set_slot(1, NEW_GPA, 0, more, 0);
}

static void dirty_log(void)
{
	set_slot(0, 0, MEMORY_SIZE, guest->memory, KVM_MEM_LOG_DIRTY_PAGES);
	set_slot(0, 0, MEMORY_SIZE, guest->memory, 0);
}

static void delete_all(void)
{
	set_slot(0, 0, 0, guest->memory, 0);
	set_slot(0, 0, MEMORY_SIZE, guest->memory, 0);
}

static void host_unmaps(void)
{
	/* KVM's notifiers drop all mappings of the VM; the pages come back on access */
	CHECK(!mprotect(guest->memory, MEMORY_SIZE, PROT_READ));
	CHECK(!mprotect(guest->memory, MEMORY_SIZE, PROT_READ | PROT_WRITE));
}

static void (*const changes[])(void) = {add_and_delete, dirty_log, delete_all, host_unmaps};

int main(void)
{
	uint64_t reloads, count = 0;
	struct outcome out;
	uint32_t slot;
	int i, round;

	manager = vm_new(1);
	guest = vm_new(1);
	more = mmap(NULL, NEW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(more != MAP_FAILED);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH | ELISA_GRANT_DIRTY_LOG, "t.*", 0) > 0);
	export_new(manager, "t.memslot", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.memslot", ELISA_STUB_TRUSTING, 1);
	reloads = counter(ELISA_COUNT_ROOT_RELOADS);
	for (round = 0; round < 5; round++)
		for (i = 0; i < 4; i++) {
			wait_in_sub(guest, 0, slot, manager);
			changes[i]();
			timer(1000, 0); /* the vCPU enters sub and exits again */
			CHECK(run_once(guest, 0));
			changes[i]();
			let_go(manager);
			out = finish(guest, 0);
			CHECK_EQ(out.exit, 0);
			CHECK_EQ(out.error, 0);
			CHECK_EQ(out.value, 7);
			changes[i]();
			out = call(guest, 0, slot, DO_COUNT, 0, 0);
			CHECK_EQ(out.error, 0);
			CHECK_EQ(out.value, ++count);
			CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
		}
	CHECK(counter(ELISA_COUNT_ROOT_RELOADS) > reloads);
	/* the guest can use memory that was added later */
	set_slot(1, NEW_GPA, NEW_SIZE, more, 0);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, count + 1);
	printf("memslot: %d changes in and between calls, %llu other default contexts\n", 5 * 4 * 3,
	       (unsigned long long)(counter(ELISA_COUNT_ROOT_RELOADS) - reloads));
	return 0;
}
