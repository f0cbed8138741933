/* SPDX-License-Identifier: Apache-2.0 */
/* A store of a few items behind <elisa/kv.h>, without locks and VMs, for tests of what uses it. */
#ifndef FAKE_KV_H
#define FAKE_KV_H

#include <elisa/kv.h>

#define FAKE_KV_ITEMS 64

/* An error that every call gives from now on; 0: none. */
extern int fake_kv_error;
/* How often several items were asked for at once. */
extern uint32_t fake_kv_many;
/* Called at the beginning of each change of an item, if it is set: another client. */
extern void (*fake_kv_meanwhile)(void);

/* All items go; CAS numbers begin anew. */
void fake_kv_clear(void);

#endif
