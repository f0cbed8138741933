/* SPDX-License-Identifier: Apache-2.0 */
/* How a daemon is told to end or to read its configuration again, and how it tells that it is
 * ready. */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <signal.h>

extern volatile sig_atomic_t service_stop;   /* a signal that ends programs has come */
extern volatile sig_atomic_t service_reload; /* SIGHUP has come; the daemon clears it */

/* Makes signals set these flags from now on. */
void service_begin(void);

/* Works as ready_tell(). A failure is reported to the standard error, under this name. */
void service_ready(const char *name, int fd);

/*
 * Reports progress before the daemon is ready, or while it ends. To be called at each step. It
 * tells systemd each second, which then waits for another 90 seconds.
 */
void service_goes_on(void);

#endif
