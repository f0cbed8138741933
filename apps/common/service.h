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
 * Before it is ready, or when it ends: it makes progress. Called as often as it does. systemd is
 * told each second, and waits for another 90 seconds after that.
 */
void service_goes_on(void);

#endif
