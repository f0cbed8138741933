/* SPDX-License-Identifier: Apache-2.0 */
/* What rvs-fwd is told of a single port: VNIC[,KEY=VALUE]... */
#ifndef RVS_FWD_PORT_H
#define RVS_FWD_PORT_H

#include <rvs/rvs.h>
#include "options.h"

/*
 * Takes the settings off the end of an argument, which is the path alone afterwards, into the
 * policy. What is no setting is a part of the path. 0, or the exit status after a message.
 */
int port_settings(const struct program *program, char *argument, struct rvs_policy *policy);

#endif
