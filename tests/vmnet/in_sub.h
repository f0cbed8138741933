/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the export's code in this process: the object area, the places and the host's page
 * are mapped where a sub context has them, and calls are made as a guest or as the manager.
 */
#ifndef IN_SUB_H
#define IN_SUB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elisa/function.h>
#include <rvif/driver.h>
#include "internal.h"
#include "vmnet.h"

#define PORTS	   4 /* and the manager's */
#define PLACE_SIZE (1ull << 20)
#define RING	   8

long entry_function(long op, long a1, long a2, long a3, long a4, long a5);

extern struct elisa_self *self;
extern struct vmnet_state *state;
extern struct rvs *rvs;
extern const struct rvs_config sizes; /* of that */

extern uint32_t rung[PORTS + 1]; /* how often */
extern uint32_t wanted;		 /* features of the vNICs that are made */

struct nic {
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
};

/* For cmocka: a switch whose ports are enabled, without a guest. */
int sub_start(void **unused);
int sub_end(void **unused);

/* As whom the next call is made. */
void as(uint32_t place, uint64_t attachment, uint32_t vcpu);
/* A call of the manager's; the next one is made as the last one before. */
long manager(long op, long a1, long a2, long a3, long a4);
long forward(uint32_t place, uint64_t attachment, uint32_t vcpu);

/* A vNIC in the place's memory, as a driver in the guest would make it, up. */
void make_nic(struct nic *nic, uint32_t place);
/* Attachment 10 + place, joined and up. */
void bring_up(struct nic *nic, uint32_t place);
/* The offset of the vNIC's buffer of this number; the first RING of them are to send. */
uint32_t buffer(const struct nic *nic, uint32_t i);
/* A frame of 64 bytes between the addresses of two places. */
void post(struct nic *nic, uint32_t to, uint32_t from);

#define SUB_TEST(f) cmocka_unit_test_setup_teardown(f, sub_start, sub_end)

#endif
