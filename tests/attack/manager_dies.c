// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's call is in an export when the manager's VMM is killed, or unmaps or changes the object.
 *
 * The failure would be a guest that hangs or continues with another stack, or pages that the host
 * keeps. The test checks the error and RSP of the call, and the host's lists of exports and VMs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attack.h"

static struct vm *guest;
static uint32_t slot;
static struct outcome in_thread;

static void *caller(void *unused)
{
	start_call(guest, 0, slot, DO_WAIT, 0, 0);
	in_thread = finish(guest, 0);
	return unused;
}

/*
 * The manager's process. It tells the parent when the export exists, and when a guest's call is in
 * it.
 */
static void manage(int from_parent, int to_parent)
{
	struct vm *manager;
	char byte;

	CHECK_EQ(read(from_parent, &byte, 1), 1); /* granted */
	manager = vm_new(1);
	export_new(manager, "t.killed", 0, 60000000);
	CHECK_EQ(write(to_parent, "e", 1), 1);
	until_at_least(&object_data(manager)[1], 1);
	CHECK_EQ(write(to_parent, "c", 1), 1);
	for (;;)
		pause();
}

static void killed(void)
{
	struct elisa_host_export exports[2];
	int to_child[2], to_parent[2];
	struct elisa_host_vm vms[4];
	pthread_t thread;
	char byte;
	pid_t pid;

	CHECK(!pipe(to_child) && !pipe(to_parent));
	pid = fork();
	if (!pid) {
		manage(to_child[0], to_parent[1]);
		_exit(1);
	}
	CHECK(grant_to(pid, ELISA_GRANT_EXPORT, "t.killed", 0) > 0);
	CHECK_EQ(write(to_child[1], "g", 1), 1);
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	slot = attach(guest, "t.killed", ELISA_STUB_XSAVE, 2);
	CHECK(!pthread_create(&thread, NULL, caller, NULL));
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	CHECK(!kill(pid, SIGKILL));
	CHECK(waitpid(pid, NULL, 0) == pid);
	pthread_join(thread, NULL);
	attack_try(!in_thread.exit && in_thread.error == ELISA_CALL_REVOKED &&
			   in_thread.regs.rsp == USER_STACK,
		   "killed: exit %#x, error %ld", in_thread.exit, in_thread.error);
	attack_try(call(guest, 0, slot, DO_ADD, 1, 2).error == ELISA_CALL_REVOKED, "later calls");
	attack_try(admin_list(ELISA_HOST_EXPORTS, exports, sizeof(exports[0]), 2) == 0,
		   "the export is left");
	attack_try(admin_list(ELISA_HOST_VMS, vms, sizeof(vms[0]), 4) == 1 && vms[0].pages == 0,
		   "pages are left");
	CHECK_EQ(detach(guest, 0, slot), 0);
	close(to_child[0]), close(to_child[1]), close(to_parent[0]), close(to_parent[1]);
}

/* Unmaps the data in the middle of a call. Then changes and unmaps the code, between calls. */
static void changed(void)
{
	struct pair pair = attack_pair("t.changed", ELISA_EXPORT_GENERAL_REGS, 1000000,
				       ELISA_STUB_TRUSTING, 0, 1);
	struct elisa_hc_page *page = pair.manager->page;
	struct outcome out;

	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	memset(page, 0, PAGE_SIZE);
	page->unmap.id = pair.export_id;
	page->unmap.offset = PAGE_SIZE;
	page->unmap.count = 1;
	CHECK_EQ(hypercall(pair.manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
	out = finish(pair.guest, 0);
	attack_try(!out.exit && out.error == ELISA_CALL_FAULT, "unmapped: exit %#x, error %ld",
		   out.exit, out.error);
	attack_try(attack_pair_works(&pair), "the code is there still");
	/* The whole code page becomes HLT. */
	memset(pair.manager->memory + OBJECT, 0xf4, PAGE_SIZE); /* HLT */
	out = call(pair.guest, 0, pair.slot, DO_ADD, 1, 2);
	attack_try(!out.exit && out.error == ELISA_CALL_FAULT, "changed: exit %#x, error %ld",
		   out.exit, out.error);
	memset(page, 0, PAGE_SIZE);
	page->unmap.id = pair.export_id;
	page->unmap.count = 1;
	CHECK_EQ(hypercall(pair.manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
	out = call(pair.guest, 0, pair.slot, DO_ADD, 1, 2);
	attack_try(!out.exit && out.error == ELISA_CALL_FAULT, "no code: exit %#x, error %ld",
		   out.exit, out.error);
	attack_try(out.regs.rsp == USER_STACK, "the caller's stack");
	vm_free(pair.guest);
	vm_free(pair.manager);
}

int main(void)
{
	unsigned long i, count = attack_scale(10);

	changed();
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_ATTACH, "t.killed", 0) > 0);
	for (i = 0; i < count; i++)
		killed();
	return 0;
}
