/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code of the export: the switch. Guests call it for their own port, and the manager calls it
 * for all ports. No argument may become an address.
 *
 * A call may be stopped for ever at any instruction. What can be left behind, and why it is safe:
 *
 * - A guest's call sets `inside` of its vCPU before it takes anything, and clears it last. If it
 *   stops between, the host ends the call and tells the manager. The manager calls VMNET_ABORTED or
 *   VMNET_GONE, and the switch releases what the call held. Until then, further calls of that vCPU
 *   are refused. `aborts` tells a stopped call from a later one of the same vCPU.
 * - A call of the manager that attaches a port sets `opening` first. If it stops, the next one
 *   detaches the port before anything else (undo_opening()).
 * - A detach sets `leaving` first, and clears it last. If it stops, or waits for calls that are
 *   inside, the next look continues it.
 * - `serving` names the attachment that is served. It is set after everything of the attachment
 *   before is gone, and cleared after all its calls are released.
 */
#include <elisa/function.h>
#include "vmnet.h"

__attribute__((visibility("default"))) long entry_function(long op, long a1, long a2, long a3,
							   long a4, long a5);

static struct vmnet_state *state(void)
{
	return (struct vmnet_state *)(ELISA_OBJECT_BASE + VMNET_SWITCH_OFFSET);
}

static struct rvs *the_switch(void)
{
	return (struct rvs *)((uint8_t *)state() + state()->switch_offset);
}

static uint8_t *region_of(uint32_t port)
{
	return (uint8_t *)(ELISA_OBJECT_BASE + VMNET_PLACES_OFFSET) + port * state()->place_size;
}

static uint32_t sender_number(uint32_t port, uint32_t vcpu)
{
	return port * VMNET_VCPUS + vcpu;
}

/* ----------------------------------------------------------------------------------- guests */

/* Rings the manager, but only once until it looks. So a guest that rings all the time cannot keep
 * the manager from its other work. */
static long ask_manager(struct vmnet_port *port)
{
	if (!__atomic_exchange_n(&port->asked, 1, __ATOMIC_SEQ_CST))
		elisa_ring(VMNET_MANAGER);
	return 0;
}

/* Joins. The old vNIC of this place is served until the manager has seen its end, since `serving`
 * names the attachment. */
static long join(struct vmnet_port *port, long version)
{
	if (version != VMNET_VERSION)
		return -(VMNET_OTHER_VERSION + (VMNET_VERSION << 16));
	if (!elisa_self()->donated)
		return -VMNET_NOTHING_DONATED;
	if (__atomic_load_n(&port->joined, __ATOMIC_RELAXED) == elisa_self()->attachment)
		/* the guest only wants to know whether the switch is there */
		return 0;
	__atomic_store_n(&port->donated, elisa_self()->donated, __ATOMIC_RELAXED);
	__atomic_store_n(&port->joined, elisa_self()->attachment, __ATOMIC_RELEASE);
	return ask_manager(port);
}

static void wake_all(void)
{
	struct rvs_port_info info;

	for (uint32_t port = VMNET_MANAGER + 1; port < state()->ports; port++)
		if (state()->port[port].attached && !rvs_port_info(the_switch(), port, &info) &&
		    info.features & RVIF_F_NOTIFY)
			elisa_ring(port);
}

/* Rings receivers. A port has one doorbell for all its queues. */
static void wake(const struct rvs_result *result)
{
	uint32_t i;

	if (result->more_wakes) {
		wake_all();
		return;
	}
	for (i = 0; i < result->wakes; i++)
		if (!i || result->wake[i].port != result->wake[i - 1].port)
			elisa_ring(result->wake[i].port);
}

static long forward(struct vmnet_port *port, uint32_t number, uint32_t queue, uint32_t hold)
{
	struct vmnet_sender *sender;
	struct rvs_result result;
	long error;

	if (__atomic_load_n(&port->serving, __ATOMIC_ACQUIRE) != elisa_self()->attachment ||
	    __atomic_load_n(&port->leaving, __ATOMIC_RELAXED))
		return -VMNET_NOT_SERVED;
	if (elisa_self()->vcpu >= VMNET_VCPUS)
		return -VMNET_TOO_MANY_VCPUS;
	sender = &port->sender[elisa_self()->vcpu];
	if (sender->inside)
		return -VMNET_STOPPED;
	sender->aborts = elisa_self()->aborts;
	__atomic_store_n(&sender->inside, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	error = rvs_forward(the_switch(), sender_number(number, elisa_self()->vcpu), number, queue,
			    VMNET_BUDGET | hold, state()->now, &result);
	if (!error)
		wake(&result);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&sender->inside, 0, __ATOMIC_RELAXED);
	if (error)
		return error;
	return result.pending + (result.held ? VMNET_HOLD : 0);
}

static long guest_op(long op, long a1)
{
	const uint32_t number = elisa_self()->place;
	struct vmnet_port *port;

	if (number >= state()->ports)
		return -VMNET_NOT_SERVED;
	port = &state()->port[number];
	switch (op) {
	case VMNET_JOIN:
		return join(port, a1);
	case VMNET_FORWARD:
		return forward(port, number, (uint32_t)(a1 & ~VMNET_HOLD),
			       a1 & VMNET_HOLD ? RVS_HOLD : 0);
	case VMNET_CHANGED:
		return ask_manager(port);
	}
	return -VMNET_BAD_OP;
}

/* ----------------------------------------------------------------------------- the manager */

/* Handles that the manager was stopped while it attached the port. The port's state is unknown
 * then, so it must be detached before anything else. */
static void undo_opening(struct vmnet_port *port)
{
	if (!port->opening)
		return;
	__atomic_store_n(&port->attached, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&port->leaving, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&port->opening, 0, __ATOMIC_SEQ_CST);
}

/*
 * Detaches a port, or continues a detach that has begun. A later look finishes it, whatever happens
 * to the port meanwhile: its guest may be in a call, or other guests in calls that send to it.
 */
static long detach(struct vmnet_port *port, uint32_t number)
{
	uint32_t parts = 0;

	undo_opening(port);
	if (!port->attached)
		return 0;
	__atomic_store_n(&port->leaving, 1, __ATOMIC_SEQ_CST);
	while (rvs_port_detach(the_switch(), number) == -RVS_BUSY)
		if (++parts == VMNET_PARTS)
			return -RVS_BUSY;
	__atomic_store_n(&port->attached, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&port->leaving, 0, __ATOMIC_RELEASE);
	return 0;
}

static long attach(struct vmnet_port *port, uint32_t number, uint32_t epoch)
{
	int reason;

	if (port->refused && port->epoch == epoch)
		return VMNET_DOWN;
	__atomic_store_n(&port->opening, 1, __ATOMIC_SEQ_CST);
	reason = -rvs_port_attach(the_switch(), number, region_of(number), port->donated,
				  &port->policy);
	if (reason != RVIF_NOT_UP) {
		port->epoch = epoch;
		port->refused = reason != 0;
		port->attached = !reason;
	}
	__atomic_store_n(&port->opening, 0, __ATOMIC_SEQ_CST);
	if (reason == RVIF_NOT_UP)
		return VMNET_DOWN;
	return reason ? VMNET_REFUSED + (reason << 8) : VMNET_WENT_UP;
}

/* Looks at a port. An attachment that joined is served once the one before it is gone. Then its
 * driver decides whether the port is up. */
static long look(struct vmnet_port *port, uint32_t number)
{
	const struct rvif_header *header = (const struct rvif_header *)(void *)region_of(number);
	uint64_t joined;
	uint32_t epoch, up;

	/* before it reads anything of the port, so that a guest that changes it afterwards rings
	 * again */
	__atomic_store_n(&port->asked, 0, __ATOMIC_SEQ_CST);
	joined = __atomic_load_n(&port->joined, __ATOMIC_ACQUIRE);
	undo_opening(port);
	if (!port->serving) {
		if (!joined || !port->enabled || detach(port, number))
			return VMNET_DOWN;
		rvs_port_forget(the_switch(), number);
		port->refused = 0;
		__atomic_store_n(&port->serving, joined, __ATOMIC_RELEASE);
	}
	if (port->serving != joined || port->donated < RVIF_HEADER_SIZE)
		return VMNET_DOWN;
	up = rvif_load_acquire(&header->driver.state) == RVIF_DRIVER_UP && port->enabled;
	epoch = rvif_load(&header->driver.epoch);
	if (port->attached && (port->leaving || !up || epoch != port->epoch))
		return detach(port, number) ? VMNET_UP : VMNET_WENT_DOWN;
	if (port->attached)
		return VMNET_UP;
	return up ? attach(port, number, epoch) : VMNET_DOWN;
}

/* Releases what a stopped call held. Returns how many receive queues it held, which belong to other
 * ports. Its transmit queue is its own. */
static long release(uint32_t sender)
{
	const long held = rvs_sender_holds(the_switch(), sender);

	rvs_sender_gone(the_switch(), sender);
	return held;
}

/* Handles the end of an attachment. No vCPU runs in it any more, and the port is not served until
 * the next look. `serving` is cleared after the calls are released, so the manager can repeat this
 * call if it was stopped. */
static long gone(struct vmnet_port *port, uint32_t number, uint64_t attachment)
{
	uint64_t was = __atomic_load_n(&port->joined, __ATOMIC_ACQUIRE);
	uint32_t vcpu;
	long held = 0;

	/* a later attachment may have joined already */
	if (was <= attachment)
		__atomic_compare_exchange_n(&port->joined, &was, 0, 0, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
	if (!port->serving || port->serving > attachment)
		return 0;
	for (vcpu = 0; vcpu < VMNET_VCPUS; vcpu++) {
		if (port->sender[vcpu].inside)
			held += release(sender_number(number, vcpu));
		__atomic_store_n(&port->sender[vcpu].inside, 0, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&port->serving, 0, __ATOMIC_RELEASE);
	detach(port, number);
	return held;
}

/* Releases a stopped call, but only if that call is still inside. A later call of the vCPU has a
 * larger number of aborts. */
static long aborted(struct vmnet_port *port, uint32_t number, uint32_t vcpu, uint64_t aborts,
		    uint64_t attachment)
{
	struct vmnet_sender *sender;
	long held;

	if (vcpu >= VMNET_VCPUS || port->serving != attachment)
		return 0;
	sender = &port->sender[vcpu];
	if (!__atomic_load_n(&sender->inside, __ATOMIC_ACQUIRE) || sender->aborts >= aborts)
		return 0;
	held = release(sender_number(number, vcpu));
	__atomic_store_n(&sender->inside, 0, __ATOMIC_RELEASE);
	return held;
}

static long set_static(uint32_t number, uint64_t mac, long add)
{
	const uint8_t *bytes = (const uint8_t *)&mac;

	return add ? rvs_static_add(the_switch(), number, bytes) :
		     rvs_static_remove(the_switch(), number, bytes);
}

static long manager_op(long op, long a1, long a2, long a3, long a4)
{
	const uint32_t number = (uint32_t)a1;
	struct vmnet_port *port;

	if (op == VMNET_ASK_VERSION)
		return VMNET_SWITCH_VERSION;
	if (op == VMNET_AGE)
		return rvs_table_age(the_switch(), state()->now);
	if (op == VMNET_WAKE) {
		wake_all();
		return 0;
	}
	if (number >= state()->ports)
		return -RVS_BAD_PORT;
	port = &state()->port[number];
	switch (op) {
	case VMNET_LOOK:
		return look(port, number);
	case VMNET_GONE:
		return gone(port, number, (uint64_t)a2);
	case VMNET_ABORTED:
		return aborted(port, number, (uint32_t)a2, (uint64_t)a3, (uint64_t)a4);
	case VMNET_STATIC:
		return set_static(number, (uint64_t)a2, a3);
	}
	return -VMNET_BAD_OP;
}

long entry_function(long op, long a1, long a2, long a3, long a4, long a5)
{
	(void)a5;
	if (op < VMNET_OPS_OF_GUESTS)
		return guest_op(op, a1);
	if (elisa_self()->place != VMNET_MANAGER)
		return -VMNET_BAD_OP;
	return manager_op(op, a1, a2, a3, a4);
}
