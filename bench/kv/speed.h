/* SPDX-License-Identifier: Apache-2.0 */
/* The stores that are measured, with one interface. Each client is a process. */
#ifndef BENCH_KV_SPEED_H
#define BENCH_KV_SPEED_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
	KEY_BYTES = 16,
	VALUE_BYTES = 64,
	KEYS = 100000,
	CLIENTS_MAX = 2
};

struct speed_store {
	const char *name;
	clockid_t server;				/* clock of its CPU time; 0: there is no
							 * server */
	void (*become)(uint32_t client);		/* called in each client's process */
	int (*get)(const char *key);			/* 1: found */
	int (*set)(const char *key, const char *value); /* 1: stored */
};

/* To be called before the clients are started. */
const struct speed_store *speed_elisa(const char *function_file);
const struct speed_store *speed_locked(void);
const struct speed_store *speed_memcached(const char *socket_path, int pid);

#endif
