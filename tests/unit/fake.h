/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake driver for tests. It keeps the last request and answers as the test says. It checks
 * nothing that the real driver checks.
 */
#ifndef ELISA_TEST_FAKE_H
#define ELISA_TEST_FAKE_H

#include <elisa/elisa.h>

struct fake {
	/* The answers to the next requests. */
	int open_error, error;
	uint32_t why;
	uint64_t value;
	unsigned int fail_at; /* number of the request that fails, counted from 1; 0: all */
	uint64_t call;	      /* address of the stub */
	uint32_t export_flags;
	const void *events;
	long events_size; /* bytes that read gives, or -errno */

	/* The requests that were made. */
	unsigned int requests, maps, unmaps, donations, opened, closed;
	unsigned long request;
	union {
		struct elisa_ioc_info info;
		struct elisa_ioc_export export_;
		struct elisa_ioc_map map;
		struct elisa_ioc_unmap unmap;
		struct elisa_ioc_publish publish;
		struct elisa_ioc_destroy destroy;
		struct elisa_ioc_attach attach;
		struct elisa_ioc_detach detach;
		struct elisa_ioc_places places;
		struct elisa_ioc_ticket ticket;
		struct elisa_ioc_donate donate;
		struct elisa_ioc_evict evict;
	} last;
	struct elisa_ioc_map map[16];	    /* the first ones */
	struct elisa_ioc_donate donate[16]; /* the first ones */
};

int fake_open(struct fake *fake, struct elisa **handle);

#endif
