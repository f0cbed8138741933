// SPDX-License-Identifier: Apache-2.0
/*
 * How much one tenant may have of what tenants share: VMs, vCPUs, attachments of an export,
 * tickets.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

#define GUESTS 5 /* VMs of the guest's VMM, besides its first */

static struct machine more[EH_VMS_PER_VMM];
static struct kvm_vcpu vcpus[EH_VCPUS_PER_VMM];
static struct eh_refusal refusal;

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "shop*", 40);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", 300);
	current = &shim_tasks[GUEST];
	return 0;
}

/* A vCPU of a VM of the guest's VMM says something. *@made: its state. */
static int speak(struct kvm_vcpu *vcpu, struct kvm *kvm, struct eh_vcpu **made)
{
	*vcpu = machines[GUEST].vcpu;
	vcpu->kvm = kvm;
	current = &shim_tasks[GUEST];
	return eh_vcpu_get(vcpu, made, &refusal);
}

static void vcpus_of_a_vm(void **state)
{
	struct kvm_vcpu one_more;
	struct eh_vcpu *vcpu;
	unsigned int i;

	(void)state;
	more[0].kvm = machines[GUEST].kvm;
	for (i = 0; i < EH_VCPUS_PER_VM; i++)
		assert_int_equal(speak(&vcpus[i], &more[0].kvm, &vcpu), 0);
	assert_int_equal(speak(&one_more, &more[0].kvm, &vcpu), -EDQUOT);
	assert_int_equal(refusal.why, ELISA_WHY_QUOTA);
	assert_int_equal(refusal.value, EH_VCPUS_PER_VM);
	/* one goes, another one comes */
	eh_vcpu_gone(&vcpus[7]);
	assert_int_equal(speak(&vcpus[7], &more[0].kvm, &vcpu), 0);
	for (i = 0; i < EH_VCPUS_PER_VM; i++)
		eh_vcpu_gone(&vcpus[i]);
}

/* In VMs of as many vCPUs as one may have. */
static void vcpus_of_a_vmm(void **state)
{
	struct kvm_vcpu one_more;
	struct eh_vcpu *vcpu;
	unsigned int i;

	(void)state;
	for (i = 0; i <= EH_VCPUS_PER_VMM / EH_VCPUS_PER_VM; i++)
		more[i].kvm = machines[GUEST].kvm;
	for (i = 0; i < EH_VCPUS_PER_VMM; i++)
		assert_int_equal(speak(&vcpus[i], &more[i / EH_VCPUS_PER_VM].kvm, &vcpu), 0);
	/* neither in a VM that is there nor in another one, which is not there afterwards */
	eh_vcpu_gone(&vcpus[3]);
	assert_int_equal(speak(&vcpus[3], &more[1].kvm, &vcpu), -EDQUOT);
	assert_int_equal(refusal.value, EH_VCPUS_PER_VM);
	assert_int_equal(speak(&vcpus[3], &more[0].kvm, &vcpu), 0);
	assert_int_equal(speak(&one_more, &more[i / EH_VCPUS_PER_VM].kvm, &vcpu), -EDQUOT);
	assert_int_equal(refusal.why, ELISA_WHY_QUOTA);
	assert_int_equal(refusal.value, EH_VCPUS_PER_VMM);
	for (i = 0; i < EH_VCPUS_PER_VMM; i++)
		eh_vcpu_gone(&vcpus[i]);
}

static void vms_of_a_vmm(void **state)
{
	struct kvm one_more = machines[GUEST].kvm;
	struct eh_vcpu *vcpu;
	unsigned int i;

	(void)state;
	for (i = 0; i < EH_VMS_PER_VMM; i++) {
		more[i].kvm = machines[GUEST].kvm;
		assert_int_equal(eh_vm_may_speak(&more[i].kvm), EH_MAY);
		assert_int_equal(speak(&vcpus[i], &more[i].kvm, &vcpu), 0);
	}
	assert_int_equal(eh_vm_may_speak(&one_more), EH_MAY_NOT_MORE);
	/* those that are there are not concerned, nor is another VMM */
	assert_int_equal(eh_vm_may_speak(&more[5].kvm), EH_MAY);
	assert_int_equal(eh_vm_may_speak(&machines[MANAGER].kvm), EH_MAY);
	eh_vcpu_gone(&vcpus[5]);
	assert_int_equal(eh_vm_may_speak(&one_more), EH_MAY);
	for (i = 0; i < EH_VMS_PER_VMM; i++)
		if (i != 5)
			eh_vcpu_gone(&vcpus[i]);
}

/* A process that has no room for its VM gets the reason, and pays for the look. */
static void a_vm_too_many(void **state)
{
	struct eh_vcpu *vcpu;
	unsigned int i;
	u64 paid_at;

	(void)state;
	for (i = 0; i < EH_VMS_PER_VMM; i++) {
		more[i].kvm = machines[GUEST].kvm;
		assert_int_equal(speak(&vcpus[i], &more[i].kvm, &vcpu), 0);
	}
	memset(&page, 0, sizeof(page));
	shim_tick = 0;
	expect(GUEST, ELISA_HC_EVENTS, -EDQUOT, ELISA_WHY_QUOTA, EH_VMS_PER_VMM);
	spin_lock(&eh_registry);
	paid_at = eh_vmm_find(&machines[GUEST].mm)->calls.paid_at;
	spin_unlock(&eh_registry);
	assert_true(paid_at > ktime_get_mono_fast_ns());
	shim_tick = 100000;
	for (i = 0; i < EH_VMS_PER_VMM; i++)
		eh_vcpu_gone(&vcpus[i]);
}

static int attach_as(struct eh_vcpu *vcpu, struct kvm_vcpu *kvm_vcpu, u64 root)
{
	request_attach(&page, "shop", root, 0);
	return eh_attach(vcpu->vm, kvm_vcpu, &page.attach, &refusal);
}

static void attachments_of_a_vmm(void **state)
{
	struct eh_vcpu *vcpu[GUESTS];
	unsigned int i, slot, count = 0;
	u32 id = create("shop");

	(void)state;
	map(id, 0, 1);
	publish(id, 0, 0, ELISA_OK, 0);
	for (i = 0; i < GUESTS; i++) {
		more[i].kvm = machines[GUEST].kvm;
		assert_int_equal(speak(&vcpus[i], &more[i].kvm, &vcpu[i]), 0);
	}
	for (i = 0; i < GUESTS - 1; i++)
		for (slot = 0; slot < ELISA_SLOTS; slot++, count++)
			assert_int_equal(attach_as(vcpu[i], &vcpus[i], ROOT + slot * PAGE_SIZE), 0);
	assert_int_equal(count, EH_ATTACHMENTS_PER_VMM);
	assert_int_equal(attach_as(vcpu[i], &vcpus[i], ROOT), -EDQUOT);
	assert_int_equal(refusal.why, ELISA_WHY_QUOTA);
	assert_int_equal(refusal.value, EH_ATTACHMENTS_PER_VMM);
	/* there is room for others */
	request_attach(&page, "shop", ROOT, 0);
	expect(MANAGER, ELISA_HC_ATTACH, 0, ELISA_OK, 0);
	current = &shim_tasks[GUEST];
	assert_int_equal(eh_detach(vcpu[0]->vm, 3, &refusal), 0);
	assert_int_equal(attach_as(vcpu[i], &vcpus[i], ROOT), 0);
	for (i = 0; i < GUESTS; i++)
		eh_vcpu_gone(&vcpus[i]);
}

/* The directory of all tenants has a place for each ticket. */
static void tickets_of_a_vmm(void **state)
{
	const u32 exports = EH_TICKETS_PER_VMM / ELISA_MAX_PLACES;
	struct eh_export *export;
	u8 ticket[ELISA_TICKET_SIZE] = {1};
	char name[ELISA_NAME_SIZE];
	u32 id[EH_TICKETS_PER_VMM / ELISA_MAX_PLACES + 1], i, place;

	(void)state;
	for (i = 0; i <= exports; i++) {
		snprintf(name, sizeof(name), "shop%u", i);
		id[i] = create(name);
		page = (struct elisa_hc_page){
			.places = {id[i], ELISA_MAX_PLACES, 1 << 20, PAGE_SIZE}};
		expect(MANAGER, ELISA_HC_EXPORT_PLACES, 0, ELISA_OK, 0);
		export = eh_export_of(host_vm(MANAGER), id[i]);
		for (place = 0; i < exports && place < ELISA_MAX_PLACES; place++) {
			memcpy(ticket + 1, (u32[]){i, place}, 8);
			assert_int_equal(eh_place_set_ticket(export, place, ticket, &refusal), 0);
		}
		eh_export_put(export);
	}
	page = (struct elisa_hc_page){.ticket = {.id = id[exports], .place = 0, .ticket = {7}}};
	expect(MANAGER, ELISA_HC_EXPORT_TICKET, -EDQUOT, ELISA_WHY_QUOTA, EH_TICKETS_PER_VMM);
	/* another one for a place that has one */
	page = (struct elisa_hc_page){.ticket = {.id = id[0], .place = 0, .ticket = {7}}};
	expect(MANAGER, ELISA_HC_EXPORT_TICKET, 0, ELISA_OK, 0);
	/* a place that needs its own no more leaves room for one; so does the end of an export */
	page = (struct elisa_hc_page){.ticket = {.id = id[0], .place = 1}};
	expect(MANAGER, ELISA_HC_EXPORT_TICKET, 0, ELISA_OK, 0);
	page = (struct elisa_hc_page){.ticket = {.id = id[exports], .place = 0, .ticket = {8}}};
	expect(MANAGER, ELISA_HC_EXPORT_TICKET, 0, ELISA_OK, 0);
	page = (struct elisa_hc_page){.ticket = {.id = id[exports], .place = 1, .ticket = {9}}};
	expect(MANAGER, ELISA_HC_EXPORT_TICKET, -EDQUOT, ELISA_WHY_QUOTA, EH_TICKETS_PER_VMM);
	page = (struct elisa_hc_page){.destroy = {.id = id[1]}};
	expect(MANAGER, ELISA_HC_EXPORT_DESTROY, 0, ELISA_OK, 0);
	page = (struct elisa_hc_page){.ticket = {.id = id[exports], .place = 1, .ticket = {9}}};
	expect(MANAGER, ELISA_HC_EXPORT_TICKET, 0, ELISA_OK, 0);
}

/* A page that is not there could make the thread sleep for as long as the VMM likes. */
static void a_page_that_is_not_there(void **state)
{
	(void)state;
	shim_absent = true;
	memset(&page, 0, sizeof(page));
	/* the first VM's VMM has a grant: the thread may sleep */
	expect(GUEST, ELISA_HC_EVENTS, 0, ELISA_OK, 0);
	assert_int_equal(shim_faults, 2);
	/* its grants are taken back: not even if it has spoken before */
	eh_grants_free();
	assert_int_equal(host_call(GUEST, ELISA_HC_EVENTS, &page), -EFAULT);
	assert_int_equal(shim_faults, 2);
	shim_absent = false;
	expect(GUEST, ELISA_HC_EVENTS, 0, ELISA_OK, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vcpus_of_a_vm),
		TEST(vcpus_of_a_vmm),
		TEST(vms_of_a_vmm),
		TEST(a_vm_too_many),
		TEST(attachments_of_a_vmm),
		TEST(tickets_of_a_vmm),
		TEST(a_page_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
