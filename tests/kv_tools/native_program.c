/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into a program of elisa-kv's guests, it gives it a store in its own process instead of a
 * VM's, of KV_NATIVE_MIB MiB in each name space.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include "native_elisa.h"

/* What the manager's daemon does. */
static void *keep_time(void *unused)
{
	const struct timespec second = {.tv_sec = 1};
	uint64_t now = 100;

	(void)unused;
	for (;;) {
		nanosleep(&second, NULL);
		kv_store_time(native.store, ++now);
	}
	return NULL;
}

static void __attribute__((constructor)) before_main(void)
{
	const char *mib = getenv("KV_NATIVE_MIB");
	sigset_t all, before;
	pthread_t clock;

	if (native_start((mib ? strtoull(mib, NULL, 10) : 64) << 20))
		abort();
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&clock, NULL, keep_time, NULL))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
