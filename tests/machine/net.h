/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of harness VMs: an export with the switch's code, a manager that does what elisa-vmnet
 * does, and guests with vNICs. This process is the driver of each vNIC.
 *
 * Each frame contains its sender, its receiver and its number. So a receiver notices frames that
 * are missing, doubled, out of order or changed.
 */
#ifndef ELISA_TEST_NET_H
#define ELISA_TEST_NET_H

#include <rvif/driver.h>
#include "../../apps/vmnet/vmnet.h"
#include "../../gate/gate_page.h"
#include "harness.h"

#define NET_NAME   "t.net"
#define NET_STUB   ELISA_STUB_XSAVE /* the harness has one stub entry for a slot in all VMs */
#define NICS	   8
#define NET_PLACES 25 /* 16 of the ports are idle; the switch must fit the VM */
#define TO_ALL	   NICS
#define BUFFER	   2048
#define PLACE_SIZE (2 << 20)
#define SUSPEND_MS 500	  /* of the export: longer than the end of a VM takes, on any kernel */
#define VNIC_GPA   OBJECT /* in a guest */

struct net {
	struct vm *manager;
	struct vmnet_state *state;
	struct rvs *rvs;
	uint64_t size; /* of state and rvs */
	uint32_t id, slot, places;
	uint64_t attachment[NET_PLACES]; /* 0: none */
};

struct nic {
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
	struct net *net;
	struct vm *vm;
	uint32_t number; /* the last byte of its MAC address */
	uint32_t slot, place;
	uint32_t sent[NICS + 1];    /* to each port, and to all */
	uint32_t expected[NICS][2]; /* from each port: to us, to all */
	uint64_t received;	    /* good frames */
	uint64_t missing;	    /* frames that were sent before a later one that came */
	uint32_t again[NICS];	    /* from each port: frames that had come before */
	uint64_t strangers;	    /* from a sender that is not in expected */
	uint32_t known;		    /* bit i: frames of nic i must be as they were sent */
};

/* Creates the export and attaches the manager. Makes the manager's VM if there is none. */
void net_open(struct net *net, uint32_t places);
/* Ends the export, as the end of the manager's process does. */
void net_close(struct net *net);
/*
 * Takes the manager's events and does what elisa-vmnet does for them. Looks at all ports. Returns
 * how many are up.
 */
uint32_t net_manage(struct net *net);
/* Makes a call as the manager. */
long net_call(struct net *net, long op, long a1, long a2, long a3, long a4);

/* Brings up a vNIC. Makes its VM if there is none. */
void nic_open(struct nic *nic, struct net *net, uint32_t number, const struct rvif_config *how);
/* Only attaches, donates the pages and joins. */
void nic_connect(struct nic *nic, struct net *net, uint32_t number,
		 const struct rvif_config *config);
/* Ends the VM, whatever its vCPU is doing. */
void nic_kill(struct nic *nic);
/* Makes a call for the vNIC's own port. */
struct outcome nic_call(struct nic *nic, long op, long a1);
/* Posts one frame, without publishing it. */
void nic_post(struct nic *nic, uint32_t to, uint32_t length);
/*
 * Publishes the posted frames and kicks until no more frames go. Returns 0 or the transport's
 * error.
 */
int nic_send(struct nic *nic);
/* Takes back the descriptors of sent frames. */
void nic_reap(struct nic *nic);
/*
 * Takes all frames that have come, checks them and posts their buffers again. Returns their number.
 */
uint32_t nic_receive(struct nic *nic);
/*
 * Starts a call that forwards the published frames, and interrupts the run in the middle of it.
 * Returns false if the call ended before.
 */
bool nic_enter(struct nic *nic, uint32_t queue);
bool nic_inside(struct nic *nic);
/* Checks that nothing was written between the buffers. */
void nic_untouched(struct nic *nic);
/*
 * Returns what the switch counted. nic_drops() checks that for each port its sent frames and drops
 * add up.
 */
struct rvs_stats nic_stats(struct nic *nic);
uint64_t nic_drops(struct nic *nic);

#endif
