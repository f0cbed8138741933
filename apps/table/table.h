/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of keys and values that VMs share: what a guest calls. Keys and values lie in the
 * caller's exchange buffer; arguments are offsets there, and lengths. Every guest may read every
 * entry. Only the place that put an entry may change and delete it.
 */
#ifndef TABLE_H
#define TABLE_H

#define TABLE_KEY_MAX	250
#define TABLE_VALUE_MAX 3000

/*
 * The first argument; then key, its length, value, its length. The result is negative, as in
 * <errno.h>: -EFAULT (not in the exchange buffer), -EINVAL (a length), -ENOENT, -EPERM (another
 * place put it), -EDQUOT (this place has used its share), -ENOSPC, -EBUSY (try again).
 */
enum table_op {
	TABLE_GET,    /* returns the value's length; copies as much as the given length allows */
	TABLE_PUT,    /* returns 0 */
	TABLE_DELETE, /* returns 0 */
	TABLE_USED    /* returns the bytes that the caller's entries take */
};

#endif
