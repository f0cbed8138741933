/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what the host module refuses, by hypercall, with its errno, reason and value. A
 * refused request changes nothing: all memory, pins and references are back at the end of a test.
 */
#ifndef TESTS_REQUESTS_H
#define TESTS_REQUESTS_H

#include "host.h"

#define ROOT 0x7654000ULL
#define RX   (ELISA_PROT_READ | ELISA_PROT_EXEC)
#define RW   (ELISA_PROT_READ | ELISA_PROT_WRITE)

/* What a call is made with, and then its answer. */
extern struct elisa_hc_page page;

/* Set-up and teardown of a test. "shop*": 40 pages for the manager, 300 for the guest. */
int requests_start(void **state);
int requests_end(void **state);

/* Makes the call with the page as it is; the test fails unless this is the outcome. */
void expect(int machine, u32 call, int error, u32 why, u64 value);

/* By the manager. Returns the new export's id. */
u32 create(const char *name);
void map(u32 id, u64 offset, u32 count);
void publish(u32 id, u64 entry, int error, u32 why, u64 value);

#endif
