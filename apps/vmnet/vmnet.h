/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmnet: what the switch's code in the sub context and the manager's daemon agree on. The arguments
 * of a call are the caller's choice; which attachment calls is the host's word (struct elisa_self).
 * A place of the export is a port of the switch; the first one is the manager's own.
 */
#ifndef VMNET_H
#define VMNET_H

#include <elisa/abi.h>
#include <rvif/vmnet.h>
#include <rvs/rvs.h>

#define VMNET_PLACES_OFFSET  (8ULL << 30) /* in the object area: where vNICs are */
#define VMNET_SWITCH_OFFSET  (1ULL << 30) /* struct vmnet_state, the switch behind it */
#define VMNET_CODE_OFFSET    0ULL
#define VMNET_MANAGER	     0u	 /* its place */
#define VMNET_VCPUS	     32u /* of a guest, that may call */
#define VMNET_PARTS	     8	 /* of the table, in which a call looks for a port's addresses */
#define VMNET_SWITCH_VERSION 1	 /* of the manager's calls and struct vmnet_state */
#define VMNET_BUDGET	     64u

/* What the manager may call, by the first argument; a guest's are in <rvif/vmnet.h>. A call that
 * was stopped, at any instruction, can be made again. */
enum vmnet_manager_op {
	/* Attach port a1 if its vNIC wants it, detach it if not. Returns enum
	 * vmnet_link. */
	VMNET_LOOK = VMNET_OPS_OF_GUESTS,
	/* Attachment a2, which had port a1, is gone, as are all before it. The next look does what
	 * cannot be done yet. How many receive queues of others its calls still held. */
	VMNET_GONE,
	/* A call of vCPU a2 of attachment a4, which has port a1, was aborted, its a3rd one. How
	 * many receive queues of others it held. */
	VMNET_ABORTED,
	/* Rings all that may sleep, after calls were aborted or attachments went: they may have
	 * given frames and not have come to ring. Returns 0. */
	VMNET_WAKE,
	/* Removes addresses not heard of for long, in a part of the table. 1: there is more. */
	VMNET_AGE,
	/* Address a2 (as in memory, 6 bytes) is for good behind port a1: add if a3, else remove. */
	VMNET_STATIC,
	/* Returns VMNET_SWITCH_VERSION. Only if it is the daemon's own may the rest be called: this
	 * number means the same in all versions. */
	VMNET_ASK_VERSION = 0x1000,
};

enum vmnet_link {
	VMNET_DOWN,
	VMNET_UP,
	VMNET_WENT_UP,
	VMNET_WENT_DOWN,
	VMNET_REFUSED, /* + enum rvif_reason << 8 */
};

/* A vCPU of a guest is a sender of the switch: it is in one call at a time. */
struct vmnet_sender {
	uint64_t aborts; /* elisa_self.aborts when it went in */
	uint32_t inside;
};

struct vmnet_port {
	/* by VMNET_JOIN */
	uint64_t joined;  /* the attachment; 0: none */
	uint64_t donated; /* bytes */
	uint32_t asked;	  /* the manager was rung, and has not looked since; by it, too */
	uint32_t unused;
	/* by the manager's calls */
	uint64_t serving; /* the attachment whose vNIC it is; 0: none */
	uint32_t attached;
	uint32_t epoch; /* of the driver, when it was attached or refused */
	uint32_t refused;
	uint32_t leaving; /* it is being detached: no call of its guest begins */
	uint32_t opening; /* it is being attached, or the call that did so was stopped */
	/* by the manager's process */
	uint32_t enabled;
	struct rvs_policy policy;
	struct vmnet_sender sender[VMNET_VCPUS];
};

/* Memory of the manager, at VMNET_SWITCH_OFFSET of the object area. */
struct vmnet_state {
	uint64_t switch_offset; /* of the switch, from here */
	uint64_t place_size;
	uint32_t ports;
	uint32_t now; /* seconds, by the manager's process */
	struct vmnet_port port[];
};

#endif
