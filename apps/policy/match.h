/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules apply to a VMM, and what they give it together. */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "identity.h"
#include "rules.h"

/* Tells whether the rule applies. Pid files are below `root`, which is "" except in tests. */
bool match_rule(const struct rule *rule, const struct identity *identity, const char *root);

/*
 * Collects the grants of all rules for a VMM, in the rules' order: of grants that match one name,
 * the module uses the oldest. A grant is left out if an earlier rule gives the same right for the
 * same name. Stores up to `room` grants. Returns how many there are, which may be more.
 */
size_t match_all(const struct rules *rules, const struct identity *identity, const char *root,
		 struct elisa_host_grant *grants, const struct rule **reasons, size_t room);

#endif
