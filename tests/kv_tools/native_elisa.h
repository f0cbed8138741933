/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libelisa for guests whose one export is elisa-kv's function on a store of this process: calls
 * are made as to a VM's stub, and run to their end here. For tests of what calls the store, and for
 * programs of tests that need one without a VM.
 */
#ifndef NATIVE_ELISA_H
#define NATIVE_ELISA_H

#include <elisa/elisa.h>
#include "kv_function.h"
#include "manager.h"

#define NATIVE_PLACES 4u
#define NATIVE_VCPUS  8u /* threads at a time */
#define NATIVE_SPACES 2u

struct native {
	struct kv_store *store;
	int open_error, attach_error; /* what they fail with; 0: they do not */
	long call_error; /* what the next call ends with, before it has done anything */
	long late_error; /* the same, when it has done all */
	uint32_t spared; /* calls that neither of these ends, before */
	long answer;	 /* instead of the function's, if it is negative */
	long claim;	 /* the same, behind the function, if it is positive */
	void (*behind)(uint8_t *exchange,
		       size_t size); /* what the store does then; NULL: nothing */
	int is_general;		     /* what attachments say of themselves */
	uint32_t attached, detached, calls;
	uint8_t ticket[ELISA_TICKET_SIZE]; /* of the last attachment */
	char name[ELISA_NAME_SIZE];
};

extern struct native native;

/* A store of so many bytes in each space, in which every place may do all. 0 or -errno. */
int native_start(uint64_t memory);
/* Ends it; attachments that are left are gone, as if the manager had ended. */
void native_end(void);

#endif
