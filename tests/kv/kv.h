/* SPDX-License-Identifier: Apache-2.0 */
/* A store in this process with two spaces, and guests that call its function. */
#ifndef TEST_KV_H
#define TEST_KV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elisa/sub_test.h>
#include "check.h"
#include "kv_function.h"
#include "manager.h"

enum {
	PLACES = 3,
	VCPUS = 2,
	SHARED = 0,  /* all guests may read and write in it */
	PRIVATE = 1, /* guest 1's */
	KEY = 0,     /* offsets in the exchange buffer */
	VALUE = 256,
	EXCHANGE = 16384
};

extern struct elisa_test *test;
extern struct kv_store *tested;
extern struct elisa_test_attachment *guest[PLACES];

/* Of the next start(). */
struct sizes {
	uint64_t cells, private_cells;
	uint32_t cell_size;
};

void kv_start(struct sizes sizes);
int kv_end(void **state);

/* A store of 512 cells in the shared space, 64 in the private one. */
int kv_usual(void **state);

/* A call of a guest, which must come to its end. key and value may be NULL. */
long kv_do(int who, enum kv_op op, int space, const char *key, const void *value, size_t length,
	   uint64_t number, long meta);

/* In the shared space: a text as the value. The result of the operation. */
long kv_text(int who, enum kv_op op, const char *key, const char *value);
long kv_set(int who, const char *key, const char *value);

/* The value's length or an error. item and value are of the reply. */
long kv_see(int who, int space, const char *key, struct kv_item *item, void *value, size_t room);

/* This text is what the key has. */
void kv_must_be(int who, const char *key, const char *text);

/* Nothing is lost, all counts are right. */
void kv_must_be_sound(void);

uint64_t kv_stat_of(int who, int space, enum kv_stat stat);

#endif
