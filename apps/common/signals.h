/* SPDX-License-Identifier: Apache-2.0 */
/* Which signals end a program in order. */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include <signal.h>

/* All that would end the process otherwise, but for SIGKILL and those that tell of a fault of its
 * own. SIGHUP only unless it is ignored, as nohup(1) has it. */
void signals_that_end(sigset_t *set);

/* The handler for all of these. */
void signals_catch(void (*handler)(int));

#endif
