/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is cut short while its memory is used: the access fails with SIGBUS, and the loop
 * goes on where it began, without that file.
 */
#ifndef RVS_FWD_CUT_SHORT_H
#define RVS_FWD_CUT_SHORT_H

#include <setjmp.h>
#include "fwd.h"

/* Where the loop begins: it is set there, by sigsetjmp(). */
extern sigjmp_buf cut_short;

/* The process is to survive such accesses from "begin" to "end". */
void cut_short_catch(void);
void cut_short_begin(void);
void cut_short_end(void);

/* After the jump: the file whose memory failed is dropped. */
void cut_short_drop(struct fwd *fwd);

#endif
