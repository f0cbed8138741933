/* SPDX-License-Identifier: Apache-2.0 */
/* What enum rvs_verdict is called in reports. For tools: the switch itself has no pointers to
 * relocate. */
#ifndef RVS_DROP_NAMES_H
#define RVS_DROP_NAMES_H

#include "rvs.h"

#define RVS_DROP_TEXT(name, text) [RVS_DROP_##name] = #text,

static const char *const rvs_drop_names[RVS_DROPS] = {[RVS_GOOD] = "good",
						      RVS_DROP_LIST(RVS_DROP_TEXT)};

#endif
