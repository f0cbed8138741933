/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules are about a VMM, and what they give it together. */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "identity.h"
#include "rules.h"

/* Pid files are below root, "" but in tests. */
bool match_rule(const struct rule *rule, const struct identity *identity, const char *root);

/*
 * What all rules give it, in their order: of grants that match one name the module takes the
 * oldest. What an earlier rule gives under the same name and for the same is not given again. Up to
 * room grants; returns how many there are, which may be more.
 */
size_t match_all(const struct rules *rules, const struct identity *identity, const char *root,
		 struct elisa_host_grant *grants, const struct rule **reasons, size_t room);

#endif
