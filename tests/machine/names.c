// SPDX-License-Identifier: Apache-2.0
/*
 * How a guest finds an export: a public one by its name, a private one by its ticket.
 *
 * Both sides always need a grant. The failure would be an attachment without the right name, ticket
 * or grant. The test tries each of them wrong, and compares the reason of the refusal.
 */
#include <errno.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

static struct vm *manager, *guest;

static uint32_t create(const char *name, const uint8_t *ticket, int error, enum elisa_why why)
{
	memset(manager->page, 0, PAGE_SIZE);
	strcpy(manager->page->export_.name, name);
	if (ticket) {
		manager->page->export_.flags = ELISA_EXPORT_PRIVATE;
		memcpy(manager->page->export_.ticket, ticket, ELISA_TICKET_SIZE);
	}
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_CREATE), error);
	CHECK_EQ(manager->page->why, why);
	return manager->page->export_.id;
}

static void publish(uint32_t id, uint64_t gpa)
{
	memcpy(manager->memory + gpa, functions, functions_end - functions);
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->map.id = id;
	manager->page->map.prot = ELISA_PROT_READ | ELISA_PROT_EXEC;
	manager->page->map.count = 1;
	manager->page->map.gpa[0] = gpa;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_MAP), 0);
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->publish.id = id;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PUBLISH), 0);
}

static uint32_t find(const char *name, const uint8_t *ticket, int error, enum elisa_why why)
{
	struct elisa_hc_attach *request = &guest->page->attach;

	memset(guest->page, 0, PAGE_SIZE);
	strcpy(request->name, name);
	if (ticket)
		memcpy(request->ticket, ticket, ELISA_TICKET_SIZE);
	request->root = ROOT;
	request->user_cs = USER_CS;
	request->user_ss = USER_SS;
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_ATTACH), error);
	CHECK_EQ(guest->page->why, why);
	if (error)
		return ELISA_SLOTS;
	map_stub(guest, request->slot, request->mode, ELISA_STUB_TRUSTING | ELISA_STUB_FULL);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	return request->slot;
}

int main(void)
{
	uint8_t ticket[ELISA_TICKET_SIZE], wrong[ELISA_TICKET_SIZE];
	uint32_t public, private, hidden, slot;
	int i, g;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT, "*", 0) > 0);
	g = grant(ELISA_GRANT_ATTACH, "t.*", 0);
	CHECK(g > 0);
	for (i = 0; i < ELISA_TICKET_SIZE; i++)
		ticket[i] = wrong[i] = i + 1;
	wrong[31] ^= 1;
	public = create("t.public", NULL, 0, ELISA_OK);
	private = create("t.private", ticket, 0, ELISA_OK);
	publish(public, OBJECT);
	publish(private, OBJECT + 0x10000);
	create("t.public", NULL, -EEXIST, ELISA_WHY_NAME_TAKEN);
	create("t.other", ticket, -EEXIST, ELISA_WHY_NAME_TAKEN);

	/*
	 * The name alone does not lead to a private export, nor does a ticket with one wrong bit.
	 */
	find("t.private", NULL, -ENOENT, ELISA_WHY_NO_EXPORT);
	find("t.private", wrong, -ENOENT, ELISA_WHY_NO_EXPORT);
	find("t.public", wrong, -ENOENT, ELISA_WHY_NO_EXPORT);
	slot = find("t.private", ticket, 0, ELISA_OK);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	slot = find("t.public", NULL, 0, ELISA_OK);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 3, 4).value, 7);

	/*
	 * A ticket selects an export, and a grant allows it. The grant must match the export's own
	 * name.
	 */
	memset(ticket, 9, sizeof(ticket));
	hidden = create("u.hidden", ticket, 0, ELISA_OK);
	publish(hidden, OBJECT + 0x20000);
	find("u.hidden", ticket, -EPERM, ELISA_WHY_NO_GRANT);
	find("t.public", ticket, -EPERM, ELISA_WHY_NO_GRANT);
	CHECK(grant(ELISA_GRANT_ATTACH, "u.hidden", 0) > 0);
	slot = find("t.public", ticket, 0, ELISA_OK);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 5, 6).value, 11);

	/* the attachments of the revoked grant end, others do not */
	CHECK_EQ(revoke_grant(g), 0);
	CHECK_EQ(call(guest, 0, 0, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(call(guest, 0, 1, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 5, 6).value, 11);
	printf("names: public by name, private by ticket, both by grant only\n");
	return 0;
}
