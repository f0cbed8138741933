/* SPDX-License-Identifier: Apache-2.0 */
/* The IP addresses of a port, as operators write them. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>
#include <rvs/rvs.h>

/* Adds an address from which the port may send, such as 10.0.0.1 or 2001:db8::1. Returns false if
 * the text is no address, or there are too many. */
bool address_add(struct rvs_policy *policy, const char *text);

#endif
