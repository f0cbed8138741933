// SPDX-License-Identifier: Apache-2.0
/*
 * A program of another release reads the host's lists, with records of another size.
 *
 * The module must cut off fields that the program does not know, and fill those that the module
 * does not have with 0. It must not write beyond the records. The lists also have the ABI version
 * that a VM's driver has reported.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "harness.h"

#define MORE 2 /* words that the module does not have */

static void longer_records(const struct elisa_host_grant_info *known)
{
	struct {
		struct elisa_host_grant_info known;
		uint64_t more[MORE];
	} longer[2];
	int i;

	memset(longer, 0xee, sizeof(longer));
	CHECK_EQ(admin_list(ELISA_HOST_GRANTS, longer, sizeof(longer[0]), 2), 2);
	for (i = 0; i < 2; i++) {
		CHECK(!memcmp(&longer[i].known, &known[i], sizeof(known[i])));
		CHECK(!longer[i].more[0] && !longer[i].more[1]);
	}
}

static void shorter_records(const struct elisa_host_grant_info *known)
{
	uint64_t shorter[4] = {0, 0, 77, 77};

	CHECK_EQ(admin_list(ELISA_HOST_GRANTS, shorter, 8, 2), 2);
	CHECK(!memcmp(&shorter[0], &known[0], 8) && !memcmp(&shorter[1], &known[1], 8));
	CHECK(shorter[2] == 77 && shorter[3] == 77);
}

static void sizes_that_none_has(void)
{
	static const uint32_t wrong[] = {0, 4, 12, ELISA_HOST_RECORD_MAX + 8, UINT32_MAX - 7};
	uint8_t record[2 * ELISA_HOST_RECORD_MAX];
	struct elisa_host_list list = {
		.kind = ELISA_HOST_GRANTS, .records = (uintptr_t)record, .room = 1};
	int fd = open("/dev/elisa", O_RDWR | O_CLOEXEC);
	size_t i;

	CHECK(fd >= 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		list.size = wrong[i];
		CHECK(ioctl(fd, ELISA_HOST_IOC_LIST, &list) < 0 && errno == EINVAL);
	}
	list.size = ELISA_HOST_RECORD_MAX;
	CHECK(!ioctl(fd, ELISA_HOST_IOC_LIST, &list));
	close(fd);
}

static uint32_t abi_of_first_vm(void)
{
	struct elisa_host_vm vms[2];

	CHECK(admin_list(ELISA_HOST_VMS, vms, sizeof(vms[0]), 2) >= 1);
	return vms[0].abi;
}

static void versions(struct vm *vm)
{
	CHECK_EQ(abi_of_first_vm(), 0);
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->hello.abi = ELISA_ABI_VERSION + 1;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_HELLO), -EPROTO);
	CHECK_EQ(abi_of_first_vm(), 0);
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->hello.abi = ELISA_ABI_OLDEST;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_HELLO), 0);
	CHECK_EQ(abi_of_first_vm(), ELISA_ABI_OLDEST);
}

int main(void)
{
	struct elisa_host_grant_info known[2];
	struct vm *vm = vm_new(1);

	CHECK(grant(ELISA_GRANT_EXPORT, "t.*", 0) > 0);
	CHECK(grant(ELISA_GRANT_ATTACH, "u.*", 0) > 0);
	CHECK_EQ(admin_list(ELISA_HOST_GRANTS, known, sizeof(known[0]), 2), 2);
	longer_records(known);
	shorter_records(known);
	sizes_that_none_has();
	/* the host knows a VM from its first request with a grant */
	memset(vm->page, 0, PAGE_SIZE);
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_RESET), 0);
	versions(vm);
	printf("lists: of any release\n");
	return 0;
}
