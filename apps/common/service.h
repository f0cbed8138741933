/* SPDX-License-Identifier: Apache-2.0 */
/* How a daemon is told to end and to read its configuration again, and tells that it is ready. */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <signal.h>

extern volatile sig_atomic_t service_stop;   /* a signal that ends programs has come */
extern volatile sig_atomic_t service_reload; /* SIGHUP has come; the daemon clears it */

/* From now on signals set these. */
void service_begin(void);

/* ready_tell(); what cannot be told is said in the standard error, as name's. */
void service_ready(const char *name, int fd);

/*
 * Reports progress before the daemon is ready, or while it ends. Call it at each step. It tells
 * systemd each second, which then waits for another 90 seconds.
 */
void service_goes_on(void);

#endif
