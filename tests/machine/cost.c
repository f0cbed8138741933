// SPDX-License-Identifier: Apache-2.0
/*
 * The costs of ELISA for VMs that do not use it, in instructions.
 *
 * The test measures an exit without the module, with the module, and while other VMs are attached.
 * It fails if the exit is more than 1 % or 1.5 % longer. It also measures an attachment, whose
 * costs must not depend on the object's size.
 */
#include <unistd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <x86intrin.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define EXITS	 1000
#define ROUNDS	 15
#define BIG_GPA	 (256ULL << 20)
#define BIG_SIZE (64ULL << 20)

#define MANY	 16 /* number of bystanders, and of attached VMs of VCPUS vCPUs */

static struct vm *bystander;

/*
 * Returns the instructions of one VMCALL with its exit. The least of some rounds is free of
 * interrupts.
 */
static double exit_cost_of(struct vm *vm)
{
	double least = 1e9, each;
	struct outcome out;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct kvm_regs regs = {.rsi = EXITS};

		out = run_at(vm, 0, 0, kernel_code(vmcall_loop), &regs);
		CHECK_EQ(out.exit, 0);
		each = (double)out.value / EXITS;
		if (each < least)
			least = each;
	}
	return least;
}

static double exit_cost(void)
{
	return exit_cost_of(bystander);
}

/*
 * Returns the most expensive exit of many bystanders, while many vCPUs are attached. The bystanders
 * and the attached VMs are made alternately.
 */
static double worst_of_many(const char *name)
{
	struct vm *vm[MANY], *attached[MANY];
	double worst = 0, each;
	int i, j;

	for (i = 0; i < MANY; i++) {
		vm[i] = vm_new(1);
		attached[i] = vm_new(VCPUS);
		CHECK_EQ(attach_try(attached[i], name, 0), 0);
		for (j = 0; j < VCPUS; j++)
			CHECK_EQ(hypercall(attached[i], j, ELISA_HC_VCPU_SYNC), 0);
	}
	/* KVM does extra work for APICs during the second after a vCPU was made */
	sleep(2);
	for (i = 0; i < MANY; i++) {
		each = exit_cost_of(vm[i]);
		if (each > worst)
			worst = each;
	}
	for (i = 0; i < MANY; i++) {
		vm_free(vm[i]);
		vm_free(attached[i]);
	}
	return worst;
}

/* Exports @pages of the manager's big memory. Returns the instructions of attach and sync. */
static uint64_t attach_cost(struct vm *manager, struct vm *guest, const char *name, uint32_t pages)
{
	uint32_t id = export_new(manager, name, ELISA_EXPORT_GENERAL_REGS, 0), done = 0, i;
	struct elisa_hc_map *map = &manager->page->map;
	uint64_t cost;

	while (done < pages) {
		memset(manager->page, 0, PAGE_SIZE);
		map->id = id;
		map->offset = (uint64_t)(done + 2) * PAGE_SIZE;
		map->prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
		map->count = pages - done < ELISA_HC_MAP_PAGES ? pages - done : ELISA_HC_MAP_PAGES;
		for (i = 0; i < map->count; i++)
			map->gpa[i] = BIG_GPA + (uint64_t)(done + i) * PAGE_SIZE;
		done += map->count;
		CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_MAP), 0);
	}
	cost = __rdtsc();
	CHECK_EQ(attach_try(guest, name, 0), 0);
	i = guest->page->attach.slot;
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	cost = __rdtsc() - cost;
	map_stub(guest, i, ELISA_MODE_STRICT, ELISA_STUB_TRUSTING);
	CHECK_EQ(call(guest, 0, i, DO_WRITE, ELISA_OBJECT_BASE + (uint64_t)(pages + 1) * PAGE_SIZE,
		      pages)
			 .value,
		 pages);
	CHECK_EQ(detach(guest, 0, i), 0);
	CHECK_EQ(destroy(manager, id), 0);
	return cost;
}

static void attach_costs(struct vm *manager, struct vm *guest)
{
	static const uint32_t sizes[] = {1, 256, BIG_SIZE / PAGE_SIZE};
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = BIG_GPA, .memory_size = BIG_SIZE};
	uint64_t cost, least[3];
	char name[] = "t.size0";
	int i, round;

	region.userspace_addr = (uintptr_t)mmap(NULL, BIG_SIZE, PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(!ioctl(manager->fd, KVM_SET_USER_MEMORY_REGION, &region));
	for (i = 0; i < 3; i++) {
		name[6] = '0' + i;
		least[i] = ~0ULL;
		for (round = 0; round < 3; round++) {
			cost = attach_cost(manager, guest, name, sizes[i]);
			if (cost < least[i])
				least[i] = cost;
		}
		printf("result attach_insns_%ukib=%llu\n", sizes[i] * 4,
		       (unsigned long long)least[i]);
	}
	for (i = 0; i < 3; i++)
		CHECK(least[i] <= least[0] * 1.05 && least[0] <= least[i] * 1.05);
}

int main(void)
{
	struct elisa_host_attachment attachment;
	double without, loaded, attached, worst, gone;
	struct vm *manager, *guest;
	uint64_t first;
	uint32_t slot;

	bystander = vm_new(1);
	sleep(2);
	CHECK_EQ(module_unload(), 0);
	exit_cost();
	without = exit_cost();
	CHECK_EQ(module_load(), 0);
	loaded = exit_cost();
	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.cost", ELISA_EXPORT_GENERAL_REGS, 0);
	first = __rdtsc();
	slot = attach(guest, "t.cost", ELISA_STUB_TRUSTING, 0);
	printf("result attach_insns_first_of_host=%llu (with the hooks)\n",
	       (unsigned long long)(__rdtsc() - first));
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	sleep(2);
	attached = exit_cost();
	worst = worst_of_many("t.cost");
	CHECK_EQ(admin_list(ELISA_HOST_ATTACHMENTS, &attachment, sizeof(attachment), 1), 1);
	printf("result attachment_bytes_per_vcpu=%u\n", attachment.pages * PAGE_SIZE);
	CHECK(attachment.pages * PAGE_SIZE <= 64 << 10);
	attach_costs(vm_new(1), vm_new(1));
	vm_free(guest);
	vm_free(manager);
	while (host_flags() & ELISA_HOST_ARMED)
		usleep(10000);
	gone = exit_cost();
	printf("result exit_insns_without=%.1f\n", without);
	printf("result exit_insns_loaded=%.1f (%+.2f %%)\n", loaded, (loaded / without - 1) * 100);
	printf("result exit_insns_attached_elsewhere=%.1f (%+.2f %%)\n", attached,
	       (attached / without - 1) * 100);
	printf("result exit_insns_worst_of_%d_with_%d_vcpus_attached=%.1f (%+.2f %%)\n", MANY,
	       MANY * VCPUS, worst, (worst / without - 1) * 100);
	printf("result exit_insns_after=%.1f (%+.2f %%)\n", gone, (gone / without - 1) * 100);
	CHECK(loaded <= without * 1.01);
	CHECK(gone <= without * 1.01);
	CHECK(attached <= without * 1.015);
	CHECK(worst <= without * 1.015);
	printf("cost: bystanders pay what is allowed; attaching costs the same for all sizes\n");
	return 0;
}
