/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of harness VMs: the switch's code in an export, a manager that
 * does what elisa-vmnet does, and guests with vNICs whose drivers are this
 * process. Frames tell their sender, their receiver and which one they are, so
 * that a receiver notices what is missing, doubled, out of order or not whole.
 */
#ifndef ELISA_TEST_NET_H
#define ELISA_TEST_NET_H

#include <rvif/driver.h>
#include "../../apps/vmnet/vmnet.h"
#include "../../gate/gate_page.h"
#include "harness.h"

#define NET_NAME   "t.net"
#define NET_STUB   ELISA_STUB_XSAVE /* the harness knows one entry of a slot, for all VMs */
#define NICS	   8
#define NET_PLACES 25 /* of the ports 16 are idle; the switch has to fit the VM */
#define TO_ALL	   NICS
#define BUFFER	   2048
#define PLACE_SIZE (2 << 20)
#define SUSPEND_MS 500	  /* of the export: longer than a VM takes to end, on any kernel */
#define VNIC_GPA   OBJECT /* in a guest */

struct net {
	struct vm *manager;
	struct vmnet_state *state;
	struct rvs *rvs;
	uint64_t size; /* of both */
	uint32_t id, slot, places;
	uint64_t attachment[NET_PLACES]; /* 0: none */
};

struct nic {
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
	struct net *net;
	struct vm *vm;
	uint32_t number; /* the last byte of its address */
	uint32_t slot, place;
	uint32_t sent[NICS + 1];    /* to each, and to all */
	uint32_t expected[NICS][2]; /* of each: to us, to all */
	uint64_t received;	    /* good ones */
	uint64_t missing;	    /* that were sent before one that came */
	uint32_t again[NICS];	    /* of each: that had come before */
	uint64_t strangers;	    /* from a sender that is not in expected */
	uint32_t known;		    /* bit i: frames of nic i are to be as they were sent */
};

/* Creates the export and attaches the manager, whose VM is made if there is none. */
void net_open(struct net *net, uint32_t places);
/* As if the manager's process ended. */
void net_close(struct net *net);
/* Takes the manager's events and does what elisa-vmnet does then; looks at
 * all ports. Returns how many are up. */
uint32_t net_manage(struct net *net);
/* A call by the manager. */
long net_call(struct net *net, long op, long a1, long a2, long a3, long a4);

/* A vNIC that is up, in a VM that is made if there is none. */
void nic_open(struct nic *nic, struct net *net, uint32_t number, const struct rvif_config *how);
/* Only attaches, donates and joins. */
void nic_connect(struct nic *nic, struct net *net, uint32_t number,
		 const struct rvif_config *config);
/* The VM ends, whatever its vCPU does. */
void nic_kill(struct nic *nic);
/* A call to its own port. */
struct outcome nic_call(struct nic *nic, long op, long a1);
/* One frame, not published yet. */
void nic_post(struct nic *nic, uint32_t to, uint32_t length);
/* Publishes, and kicks until nothing more goes. 0 or the transport's error. */
int nic_send(struct nic *nic);
/* Takes back what was sent. */
void nic_reap(struct nic *nic);
/* Takes all frames that have come, checks them, posts their buffers anew. Returns how many. */
uint32_t nic_receive(struct nic *nic);
/* Starts a call that forwards, of what is published, and stops the run in
 * the midst of it. False: it came to its end. */
bool nic_enter(struct nic *nic, uint32_t queue);
bool nic_inside(struct nic *nic);
/* Nothing was written between its buffers. */
void nic_untouched(struct nic *nic);
/* What the switch counted; for each port sent frames and drops have to add up. */
struct rvs_stats nic_stats(struct nic *nic);
uint64_t nic_drops(struct nic *nic);

#endif
