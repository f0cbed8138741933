/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tool kit for the code of exports, which runs in the sub context and may be stopped for ever
 * at any instruction. Build and link as pkg-config libelisa-sub says (general registers only), or
 * libelisa-sub-sse. A manager's process prepares the same memory and gets the events of aborts: it
 * links libelisa-sub-manager. docs/writing-an-application.md leads through all of it.
 *
 * Three rules hold for every part:
 *
 * - Memory of the object area is named by distances, never by addresses, because a manager's
 *   process may have it at another address. What belongs together (a lock and what it protects)
 *   must lie in one piece that is mapped as a whole.
 * - No function waits without an end. A function that would have to wait longer returns -EBUSY, and
 *   the guest calls again.
 * - Functions return 0 or a negative number of <errno.h>. They use no C library.
 */
#ifndef ELISA_SUB_H
#define ELISA_SUB_H

#include <elisa/copy.h>
#include <elisa/function.h>
#include <elisa/sub/caller.h>
#include <elisa/sub/change.h>
#include <elisa/sub/clock.h>
#include <elisa/sub/exchange.h>
#include <elisa/sub/hash.h>
#include <elisa/sub/index.h>
#include <elisa/sub/lock.h>
#include <elisa/sub/pool.h>
#include <elisa/sub/queue.h>
#include <elisa/sub/rwlock.h>
#include <elisa/sub/seqlock.h>

#endif
