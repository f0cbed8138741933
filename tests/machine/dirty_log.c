// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM begins to log writes to memory that is shared, as for a live migration.
 *
 * KVM does not see the writes of functions, so the log would miss them. The host must end the
 * shares and the running calls before the VMM's ioctl returns. No write may come later. Other
 * memory slots may be logged at any time. The test lets a function count in the memory and compares
 * the count after the ioctl.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define DISPLAY	     (256ULL << 20)
#define DISPLAY_SIZE (1 << 20)
#define MANY	     100000000

static struct vm *manager, *guest;
static void *display;
static uint32_t slot;

static void set_slot(struct vm *vm, uint32_t number, uint64_t gpa, uint64_t size, void *memory,
		     bool logged)
{
	struct kvm_userspace_memory_region region = {.slot = number,
						     .flags = logged ? KVM_MEM_LOG_DIRTY_PAGES : 0,
						     .guest_phys_addr = gpa,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)memory};

	SYS(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

static void log_writes(struct vm *vm, bool logged)
{
	set_slot(vm, 0, 0, MEMORY_SIZE, vm->memory, logged);
}

static void works(void)
{
	struct outcome out = call(guest, 0, slot, DO_ADD, 1, 2);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 3);
}

static void is_revoked(void)
{
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(detach(guest, 0, slot), 0);
}

static void share(unsigned int exchange)
{
	export_new(manager, "t.log", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.log", ELISA_STUB_TRUSTING, exchange);
	works();
}

static void a_display_is_logged(void)
{
	set_slot(guest, 1, DISPLAY, DISPLAY_SIZE, display, true);
	set_slot(manager, 1, DISPLAY, DISPLAY_SIZE, display, true);
	works();
}

static void a_call_is_under_way(void)
{
	struct outcome out;
	int r;

	wait_in_sub(guest, 0, slot, manager);
	log_writes(manager, true);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_REVOKED);
	is_revoked();
	CHECK_EQ(events(manager, ELISA_EVENT_DIRTY_LOG, 0), 1);
	r = attach_try(guest, "t.log", 0);
	CHECK_EQ(r, -ENOENT);
	until_pages_held(0);
	log_writes(manager, false);
}

static void *calls(void *unused)
{
	struct outcome out = call_loop(guest, 0, slot, DO_COUNT, MANY, 0);

	(void)unused;
	CHECK_EQ(out.error, ELISA_CALL_REVOKED);
	return NULL;
}

/* The function writes as fast as it can until the host ends it. No write comes after the ioctl. */
static void no_write_comes_later(void)
{
	const volatile uint64_t *count = object_data(manager);
	uint64_t last;
	pthread_t thread;

	share(0);
	last = *count;
	CHECK(!pthread_create(&thread, NULL, calls, NULL));
	until_at_least(count, last + 1000);
	log_writes(manager, true);
	last = *count;
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(*count, last);
	is_revoked();
	log_writes(manager, false);
}

static void a_guests_buffer_is_logged(void)
{
	/* a guest without an exchange buffer shares no page of its own, and loses none */
	share(0);
	log_writes(guest, true);
	works();
	log_writes(guest, false);
	CHECK_EQ(detach(guest, 0, slot), 0);
	slot = attach(guest, "t.log", ELISA_STUB_TRUSTING, 1);
	works();
	log_writes(guest, true);
	is_revoked();
	CHECK_EQ(attach_try(guest, "t.log", 1), -EBUSY);
	log_writes(guest, false);
	slot = attach(guest, "t.log", ELISA_STUB_TRUSTING, 1);
	works();
}

static void the_loss_is_accepted(void)
{
	CHECK(grant(ELISA_GRANT_ATTACH | ELISA_GRANT_DIRTY_LOG, "none", 0) > 0);
	log_writes(manager, true);
	log_writes(guest, true);
	works();
	CHECK_EQ(detach(guest, 0, slot), 0);
	slot = attach(guest, "t.log", ELISA_STUB_TRUSTING, 1);
	works();
}

int main(void)
{
	manager = vm_new(1);
	guest = vm_new(1);
	display =
		mmap(NULL, DISPLAY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(display != MAP_FAILED);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	share(0);
	a_display_is_logged();
	a_call_is_under_way();
	no_write_comes_later();
	a_guests_buffer_is_logged();
	the_loss_is_accepted();
	printf("dirty_log: shared memory that is logged is shared no more\n");
	return 0;
}
