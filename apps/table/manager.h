/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's part of the table, which its tests use as well. */
#ifndef TABLE_MANAGER_H
#define TABLE_MANAGER_H

#include "object.h"

/* An empty table, before it is published. secret: random. 0 or -errno. */
int table_init(struct table *table, uint64_t secret);

#endif
