/* SPDX-License-Identifier: Apache-2.0 */
/* Prepares the table, in the manager's process. */
#include "manager.h"

int table_init(struct table *made, uint64_t secret)
{
	int ret = elisa_callers_init(&made->callers, made->record, TABLE_PLACES, TABLE_VCPUS);

	if (!ret)
		ret = elisa_pool_init(&made->pool, made->memory, TABLE_MEMORY, TABLE_SLAB_SHIFT,
				      TABLE_PLACES, NULL);
	if (!ret)
		ret = elisa_index_init(&made->index, made->bucket, TABLE_BUCKETS);
	if (ret)
		return ret;
	for (uint32_t place = 0; place < TABLE_PLACES; place++)
		elisa_pool_limit(&made->pool, place, TABLE_SHARE);
	made->secret = secret;
	return 0;
}
