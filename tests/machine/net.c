// SPDX-License-Identifier: Apache-2.0
/*
 * The manager's part of net.h, as in apps/vmnet. It must do no more for the switch than elisa-vmnet
 * does. Otherwise the tests would show a behaviour that no installation has.
 */
#include <string.h>
#include "net.h"

#define NAME	  "t.net"
#define CODE_GPA  OBJECT
#define STATE_GPA (OBJECT + 0x100000)
#define LIMIT_US  200000
#define BUCKETS	  256

extern const uint8_t switch_image[], switch_image_end[];

static const uint8_t manager_ticket[ELISA_TICKET_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};

/* --------------------------------------------------------------------------------- manager */

static uint64_t pages(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ULL);
}

static void make_switch(struct net *net)
{
	const struct rvs_config sizes = {.ports = net->places,
					 .senders = net->places * VMNET_VCPUS,
					 .queues = 3,
					 .buckets = BUCKETS,
					 .max_age = 300,
					 .seed = (uint64_t)random()};
	const uint64_t head =
		pages(sizeof(*net->state) + net->places * sizeof(net->state->port[0]));
	uint32_t place;

	net->state = (void *)(net->manager->memory + STATE_GPA);
	net->rvs = (void *)((uint8_t *)net->state + head);
	net->size = head + pages(rvs_size(&sizes));
	CHECK(net->size <= MEMORY_SIZE - STATE_GPA);
	memset(net->state, 0, head);
	CHECK_EQ(rvs_init(net->rvs, net->size - head, &sizes), 0);
	net->state->switch_offset = head;
	net->state->place_size = PLACE_SIZE;
	net->state->ports = net->places;
	for (place = 1; place < net->places; place++) {
		net->state->port[place].policy = (struct rvs_policy){
			.flags = RVS_CHECK_SOURCE | RVS_KICK, .features = RVIF_F_ALL};
		net->state->port[place].enabled = 1;
	}
}

static void map(struct net *net, uint64_t offset, uint64_t gpa, uint64_t size, uint32_t prot)
{
	struct elisa_hc_map *request = &net->manager->page->map;
	uint64_t done = 0;

	while (done < size) {
		memset(net->manager->page, 0, PAGE_SIZE);
		request->id = net->id;
		request->prot = prot;
		request->offset = offset + done;
		for (; request->count < ELISA_HC_MAP_PAGES && done < size; done += PAGE_SIZE)
			request->gpa[request->count++] = gpa + done;
		CHECK_EQ(hypercall(net->manager, 0, ELISA_HC_EXPORT_MAP), 0);
	}
}

static void make_export(struct net *net)
{
	struct elisa_hc_page *page = net->manager->page;

	memset(page, 0, PAGE_SIZE);
	strcpy(page->export_.name, NET_NAME);
	page->export_.flags = ELISA_EXPORT_GENERAL_REGS;
	page->export_.limit_us = LIMIT_US;
	page->export_.suspend_us = SUSPEND_MS * 1000;
	CHECK_EQ(hypercall(net->manager, 0, ELISA_HC_EXPORT_CREATE), 0);
	net->id = page->export_.id;
	memcpy(net->manager->memory + CODE_GPA, switch_image, switch_image_end - switch_image);
	map(net, VMNET_CODE_OFFSET, CODE_GPA, switch_image_end - switch_image,
	    ELISA_PROT_READ | ELISA_PROT_EXEC);
	map(net, VMNET_SWITCH_OFFSET, STATE_GPA, net->size, ELISA_PROT_READ | ELISA_PROT_WRITE);
	memset(page, 0, PAGE_SIZE);
	page->places = (struct elisa_hc_places){net->id, net->places, VMNET_PLACES_OFFSET,
						PLACE_SIZE / PAGE_SIZE};
	CHECK_EQ(hypercall(net->manager, 0, ELISA_HC_EXPORT_PLACES), 0);
	memset(page, 0, PAGE_SIZE);
	page->ticket.id = net->id;
	page->ticket.place = VMNET_MANAGER;
	memcpy(page->ticket.ticket, manager_ticket, ELISA_TICKET_SIZE);
	CHECK_EQ(hypercall(net->manager, 0, ELISA_HC_EXPORT_TICKET), 0);
	memset(page, 0, PAGE_SIZE);
	page->publish.id = net->id;
	CHECK_EQ(hypercall(net->manager, 0, ELISA_HC_EXPORT_PUBLISH), 0);
}

static void attach_manager(struct net *net)
{
	struct elisa_hc_page *page = net->manager->page;

	memset(page, 0, PAGE_SIZE);
	page->attach.root = ROOT;
	page->attach.user_cs = USER_CS;
	page->attach.user_ss = USER_SS;
	memcpy(page->attach.ticket, manager_ticket, ELISA_TICKET_SIZE);
	CHECK_EQ(hypercall(net->manager, 0, ELISA_HC_ATTACH), 0);
	CHECK_EQ(page->attach.place, VMNET_MANAGER);
	net->slot = attached(net->manager, NET_STUB);
}

void net_open(struct net *net, uint32_t places)
{
	if (!net->manager)
		net->manager = vm_new(1);
	net->places = places;
	memset(net->attachment, 0, sizeof(net->attachment));
	make_switch(net);
	make_export(net);
	attach_manager(net);
}

void net_close(struct net *net)
{
	CHECK_EQ(destroy(net->manager, net->id), 0);
	CHECK_EQ(detach(net->manager, 0, net->slot), 0);
}

static struct outcome call_four(struct vm *vm, uint32_t slot, long op, long a1, long a2, long a3,
				long a4)
{
	const struct kvm_regs regs = {.rdi = op,
				      .rsi = a1,
				      .rdx = a2,
				      .r10 = a3,
				      .r8 = a4,
				      .r11 = stub_entry(slot),
				      .rflags = 0x200};

	return run_at(vm, 0, 3, user_code(user_call), &regs);
}

long net_call(struct net *net, long op, long a1, long a2, long a3, long a4)
{
	struct outcome out = call_four(net->manager, net->slot, op, a1, a2, a3, a4);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	return out.value;
}

static uint32_t place_of(const struct net *net, uint64_t attachment)
{
	uint32_t place;

	for (place = 1; place < net->places; place++)
		if (net->attachment[place] == attachment)
			return place;
	return 0;
}

static void take_event(struct net *net, const struct elisa_event *event)
{
	uint32_t place = place_of(net, event->attachment);

	if (event->export_id != net->id)
		return; /* of an earlier export */
	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		if (event->value > 0 && event->value < net->places)
			net->attachment[event->value] = event->attachment;
		break;
	case ELISA_EVENT_DETACH:
		if (!place)
			break;
		CHECK_EQ(net_call(net, VMNET_GONE, place, (long)event->attachment, 0, 0), 0);
		net->attachment[place] = 0;
		break;
	case ELISA_EVENT_ABORT:
		if (place)
			CHECK(net_call(net, VMNET_ABORTED, place, event->vcpu, (long)event->aborts,
				       (long)event->attachment) >= 0);
		break;
	default:
		CHECK(false);
	}
}

uint32_t net_manage(struct net *net)
{
	const struct elisa_hc_events *taken;
	uint32_t i, up = 0;
	long link;

	do {
		taken = take_events(net->manager);
		for (i = 0; i < taken->count; i++)
			take_event(net, &taken->event[i]);
	} while (taken->count);
	for (i = 1; i < net->places; i++) {
		if (!net->attachment[i])
			continue;
		link = net_call(net, VMNET_LOOK, i, 0, 0, 0);
		CHECK(link >= 0 && (link & 0xff) <= VMNET_REFUSED);
		up += link == VMNET_UP || link == VMNET_WENT_UP;
	}
	return up;
}
