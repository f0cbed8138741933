/* SPDX-License-Identifier: Apache-2.0 */
/* The IP addresses of a port, as operators write them. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>
#include <rvs/rvs.h>

/* One more, 10.0.0.1 or 2001:db8::1, that the port may send from. False: it is none, or there
 * are too many. */
bool address_add(struct rvs_policy *policy, const char *text);

#endif
