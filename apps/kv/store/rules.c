/* SPDX-License-Identifier: Apache-2.0 */
/* Which item may be stored where; rules.h says it. */
#include "rules.h"

int kv_may_change(const struct kv_call *call, const struct kv_found *found)
{
	if (call->rights & KV_MAY_WRITE || !found->live || found->head->place == call->place)
		return 0;
	return -EPERM;
}

int kv_may_store(const struct kv_call *call, enum kv_op op, uint64_t cas,
		 const struct kv_found *found)
{
	if (cas && !found->live) {
		if (!kv_is_number(op))
			kv_count(call, KV_STAT_CAS_MISSES);
		return -ENOENT;
	}
	if (op == KV_ADD && found->live)
		return -EEXIST;
	if (op != KV_SET && op != KV_ADD && !found->live)
		return -ENOENT;
	if (kv_may_change(call, found))
		return -EPERM;
	if (cas && kv_cas(found->head->cell.version) != cas) {
		if (!kv_is_number(op))
			kv_count(call, KV_STAT_CAS_BADVAL);
		return -ESTALE;
	}
	return 0;
}
