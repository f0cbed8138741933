/* SPDX-License-Identifier: Apache-2.0 */
/* A store as its clients in a VM see it: what kv_load measures. */
#ifndef ELISA_BENCH_KV_LOAD_H
#define ELISA_BENCH_KV_LOAD_H

#include <stddef.h>

#define LOAD_VALUE_MAX 102400

struct load_store {
	/* Returns the value's length, or -1: there is no such item. On failure, ends the
	 * program. */
	long (*get)(const char *key, size_t key_length, char *value);
	void (*set)(const char *key, size_t key_length, const char *value, size_t length);
};

/* By libelisa-kv. trust: its calls may change vector registers. */
const struct load_store *load_elisa(int trust);
/* By memcached's text protocol: at HOST:PORT, or at the path of a socket. */
const struct load_store *load_text(const char *address);

#endif
