/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's part of the table, which its tests use, too. */
#ifndef TABLE_MANAGER_H
#define TABLE_MANAGER_H

#include "object.h"

/* Prepares an empty table, before it is published. secret: random. Returns 0 or -errno. */
int table_init(struct table *table, uint64_t secret);

#endif
