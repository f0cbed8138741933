/* SPDX-License-Identifier: Apache-2.0 */
/* The signals that end a program in order. */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include <signal.h>

/* Collects all signals that would otherwise end the process, except SIGKILL and signals that report
 * a fault of its own. SIGHUP is among them unless it is ignored, as under nohup(1). */
void signals_that_end(sigset_t *set);

/* Sets the handler for all of these. */
void signals_catch(void (*handler)(int));

#endif
