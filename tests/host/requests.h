/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of requests that the host module refuses: by hypercall, with errno, reason and value. A
 * refused request must change nothing: at the end of a test, all memory, pins and references must
 * be back.
 */
#ifndef TESTS_REQUESTS_H
#define TESTS_REQUESTS_H

#include "host.h"

#define ROOT 0x7654000ULL
#define RX   (ELISA_PROT_READ | ELISA_PROT_EXEC)
#define RW   (ELISA_PROT_READ | ELISA_PROT_WRITE)

/* The page of a call, and then its answer. */
extern struct elisa_hc_page page;

/* Set-up and teardown of a test. "shop*": 40 pages for the manager, 300 for the guest. */
int requests_start(void **state);
int requests_end(void **state);

/* Makes the call with the page as it is. The test fails if the outcome is another one. */
void expect(int machine, u32 call, int error, u32 why, u64 value);

/* Requests of the manager. create() returns the new export's id. */
u32 create(const char *name);
void map(u32 id, u64 offset, u32 count);
void publish(u32 id, u64 entry, int error, u32 why, u64 value);

#endif
