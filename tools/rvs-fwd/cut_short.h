/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Survives a file that is cut short while its memory is used. The access fails with SIGBUS. The
 * loop then jumps to where it began, and goes on without that file.
 */
#ifndef RVS_FWD_CUT_SHORT_H
#define RVS_FWD_CUT_SHORT_H

#include <setjmp.h>
#include "fwd.h"

/* The place where the loop begins. run() sets it by sigsetjmp(). */
extern sigjmp_buf cut_short;

/* The process survives such accesses between "begin" and "end". */
void cut_short_catch(void);
void cut_short_begin(void);
void cut_short_end(void);

/* Drops the file whose memory failed. Called after the jump. */
void cut_short_drop(struct fwd *fwd);

#endif
