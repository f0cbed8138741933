/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmnet: what the switch's code in the sub context and the manager's daemon agree on. The caller
 * chooses the arguments of a call. The host says which attachment calls (struct elisa_self). A
 * place of the export is a port of the switch; the first one is the manager's own.
 */
#ifndef VMNET_H
#define VMNET_H

#include <elisa/abi.h>
#include <rvif/vmnet.h>
#include <rvs/rvs.h>

#define VMNET_PLACES_OFFSET  (8ULL << 30) /* offset in the object area of the vNICs */
#define VMNET_SWITCH_OFFSET  (1ULL << 30) /* struct vmnet_state, then the switch */
#define VMNET_CODE_OFFSET    0ULL
#define VMNET_MANAGER	     0u	 /* the manager's place */
#define VMNET_VCPUS	     32u /* vCPUs of a guest that may call */
#define VMNET_PARTS	     8	 /* parts of the table that a call searches */
#define VMNET_SWITCH_VERSION 1	 /* version of the manager's calls and of struct vmnet_state */
#define VMNET_BUDGET	     64u

/* What the manager may call, by the first argument. A guest's calls are in <rvif/vmnet.h>. A call
 * that was stopped at any instruction can be made again. */
enum vmnet_manager_op {
	/* Attaches port a1 to the switch if its vNIC asks for it, or detaches it. Returns enum
	 * vmnet_link. */
	VMNET_LOOK = VMNET_OPS_OF_GUESTS,
	/* Attachment a2, which had port a1, has ended, as have all attachments before it. The next
	 * look does what cannot be done yet. Returns how many receive queues of other ports its
	 * calls still held. */
	VMNET_GONE,
	/* The host aborted a call of vCPU a2 of attachment a4, which has port a1; it was the vCPU's
	 * a3rd abort. Returns how many receive queues of other ports the call held. */
	VMNET_ABORTED,
	/* Rings all receivers that may sleep, after calls were aborted or attachments ended: such
	 * calls may have delivered frames without ringing. Returns 0. */
	VMNET_WAKE,
	/* Removes addresses that were not heard for long, in a part of the table. Returns 1 if
	 * there is more to do. */
	VMNET_AGE,
	/* Adds (a3 not 0) or removes a static address of port a1. a2: its 6 bytes as in memory. */
	VMNET_STATIC,
	/* Returns VMNET_SWITCH_VERSION. The daemon may make other calls only if it is the daemon's
	 * own version. This number means the same in all versions. */
	VMNET_ASK_VERSION = 0x1000,
};

enum vmnet_link {
	VMNET_DOWN,
	VMNET_UP,
	VMNET_WENT_UP,
	VMNET_WENT_DOWN,
	VMNET_REFUSED, /* enum rvif_reason << 8 is added */
};

/* A vCPU of a guest is a sender of the switch, because it is in one call at a time. */
struct vmnet_sender {
	uint64_t aborts; /* elisa_self.aborts when the call began */
	uint32_t inside;
};

struct vmnet_port {
	/* written by VMNET_JOIN */
	uint64_t joined;  /* the attachment that joined; 0: none */
	uint64_t donated; /* bytes that it has donated */
	uint32_t asked;	  /* the manager was rung and has not looked since; VMNET_LOOK clears it */
	uint32_t unused;
	/* written by the manager's calls */
	uint64_t serving; /* the attachment that is served; 0: none */
	uint32_t attached;
	uint32_t epoch; /* the driver's epoch, when the port was attached or refused */
	uint32_t refused;
	uint32_t leaving; /* a detach is under way: no call of its guest begins */
	uint32_t opening; /* an attach is under way, or was stopped */
	/* written by the manager's process */
	uint32_t enabled;
	struct rvs_policy policy;
	struct vmnet_sender sender[VMNET_VCPUS];
};

/* Memory of the manager, at VMNET_SWITCH_OFFSET of the object area. */
struct vmnet_state {
	uint64_t switch_offset; /* distance of the switch from here */
	uint64_t place_size;
	uint32_t ports;
	uint32_t now; /* seconds; the manager's process sets it */
	struct vmnet_port port[];
};

#endif
