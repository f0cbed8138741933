// SPDX-License-Identifier: Apache-2.0
/*
 * The host switches APICv off for a VM while the VM is attached, and on again afterwards. Other VMs
 * keep APICv.
 *
 * With APICv, an EOI of the guest causes no exit. So the test counts the exits of each interrupt,
 * before, during and after an attachment. On a host without APICv (enable_apicv=0) nothing may
 * change.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define INTERRUPTS 50
#define PATIENCE   500 /* times 10 ms, for the host's work item */

static struct vm *manager, *guest, *bystander;

/*
 * Returns the exits for each interrupt, without the one that ends a run. With APICv there are none.
 */
static uint64_t exits_of_an_eoi(struct vm *vm)
{
	const struct kvm_regs regs = {.rsi = 100, .rflags = 0x202};
	const uint64_t before = vcpu_stat(vm, 0, "exits");

	for (int i = 0; i < INTERRUPTS; i++) {
		const uint64_t seen_before = seen(vm)->interrupts;

		msi(vm, 0, 0x41);
		CHECK_EQ(run_at(vm, 0, 3, user_code(user_spin), &regs).exit, 0);
		CHECK_EQ(seen(vm)->interrupts, seen_before + 1);
	}
	return (vcpu_stat(vm, 0, "exits") - before) / INTERRUPTS - 1;
}

static bool has_apicv(struct vm *vm)
{
	return !exits_of_an_eoi(vm);
}

static bool gets_it_back(void)
{
	for (int i = 0; i < PATIENCE && !has_apicv(guest); i++)
		usleep(10000);
	return has_apicv(guest);
}

int main(void)
{
	char on = 'N';
	FILE *parameter = fopen("/sys/module/kvm_intel/parameters/enable_apicv", "r");
	bool host;

	CHECK(parameter);
	CHECK_EQ(fscanf(parameter, "%c", &on), 1);
	fclose(parameter);
	host = on == 'Y';
	manager = vm_new(1);
	guest = vm_new(1);
	bystander = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.apicv", ELISA_EXPORT_GENERAL_REGS, 0);
	CHECK_EQ(has_apicv(guest), host);
	for (int round = 0; round < 3; round++) {
		uint32_t slot = attach(guest, "t.apicv", ELISA_STUB_TRUSTING, 0);

		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
		CHECK(!has_apicv(guest));
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
		CHECK_EQ(has_apicv(bystander), host);
		CHECK_EQ(detach(guest, 0, slot), 0);
		CHECK_EQ(host ? gets_it_back() : has_apicv(guest), host);
	}
	printf("apicv: the host has %s\n",
	       host ? "it: off while attached, on afterwards, on in another VM" : "none");
	return 0;
}
