/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what operators ask and tell the daemon: a fake manager with a switch and two VMs,
 * and requests to it. What is no reply, or another one than wanted, fails the test.
 */
#ifndef ASKING_H
#define ASKING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fake_manager.h"
#include "net.h"

extern struct net *net;
extern int ring; /* the file that came with the last reply; -1: none */
/* Who asks. It may change things when a test begins. */
extern struct control_user user;

/* For cmocka: the ports of the fake manager, of which the VMs at places 1 and 2 are up, as
 * attachments 11 and 12. Each of them sent a frame to the other. */
int asking_start(void **unused);
int asking_end(void **unused);

/* The whole reply, for the caller to put. */
json_object *reply_to(const char *line);
/* Its result, for the caller to put. */
json_object *asked(const char *line);
void told(const char *line);
void refused(const char *line, const char *why);
/* A key's value, which has to be there. */
uint64_t number(json_object *object, const char *key);

bool is_served(uint32_t place);
void after(double seconds);
/* The attachment of this place ends. */
void leaves(uint64_t attachment, uint32_t place);

#define ASKING_TEST(f) cmocka_unit_test_setup_teardown(f, asking_start, asking_end)

#endif
