/* SPDX-License-Identifier: Apache-2.0 */
/* What each of the examples defines: the callbacks that elisa-exec(1) looks for. */
#ifndef ELISA_TEST_COMPAT_EXAMPLE_H
#define ELISA_TEST_COMPAT_EXAMPLE_H

#include <libelisa.h>
#include <libelisa_extra/irq.h>
#include <libelisa_extra/map.h>
#include "function.h"

int elisa__exec_init(void);
int elisa__server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry);
int elisa__server_exit_cb(uint64_t *user);
int elisa__client_cb(int sockfd);
int elisa__client_work(void);

#endif
