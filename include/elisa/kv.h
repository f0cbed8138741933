/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libelisa-kv: a key-value store that VMs share (elisa-kv(8)), for guests. Its operations run in
 * this process's own sub context: none of them causes an exit.
 *
 * Conventions. A function that returns int returns 0 (or a count) or one of the errors below;
 * elisa_kv_error() then has the text. Threads may share a struct elisa_kv; only elisa_kv_close()
 * must not run beside another use. It belongs to the process that opened it: a child of fork()
 * opens its own. No function of the library exits, prints or asserts.
 *
 * A key has 1 to ELISA_KV_KEY_MAX bytes of any value, a value up to ELISA_KV_VALUE_MAX bytes. An
 * item has flags, which mean what its users like. It also has a CAS number, which changes whenever
 * the item does, and is never 0.
 *
 * Errors, of all functions that name no others:
 *   -EINVAL    an argument: the key's length, the value's, the mode
 *   -ENOTCONN  there is no store at present; later calls try again
 *   -EBUSY     other callers were in the way for too long; nothing happened
 *   -EIO       the host ended the call: its change has happened or has not. Functions that read,
 *              or read and touch, have then tried once more
 *   -EACCES    this VM has no right to that in this name space
 *   -EPERM     this VM may change its own items only, and the item is another VM's
 *   -ENOMEM    this process has no memory for it
 */
#ifndef ELISA_KV_H
#define ELISA_KV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_KV_KEY_MAX   250u
#define ELISA_KV_VALUE_MAX (1u << 20)
#define ELISA_KV_FOREVER   0 /* a time to live; below 0: the item expires at once */

struct elisa_kv;

#define ELISA_KV_TRUST_MANAGER 1u /* as ELISA_ATTACH_TRUST_MANAGER, <elisa/elisa.h>: faster calls */

/* A field that is 0 or NULL has a default. */
struct elisa_kv_options {
	const char *store;  /* the export's name, or the path of a file with a ticket; default
			     * "kv" */
	const char *device; /* path of the guest driver's device */
	uint32_t space;	    /* the name space, 0 to 255 */
	uint32_t flags;
	uint32_t threads; /* how many call at the same time; more wait; default 16, at most 64 */
};

/*
 * Attach to a store. options may be NULL. *kv: out, NULL after a failure. If the store's manager
 * ends, calls fail with -ENOTCONN. Once the manager is back, a call attaches again. Errors:
 * -EINVAL, -ENOENT (no driver, no such export, no ticket), -EACCES (of the device), -ENOMEM and
 * those of elisa_open() and elisa_attach().
 */
int elisa_kv_open(const struct elisa_kv_options *options, struct elisa_kv **kv);

/* Close the store. NULL is allowed. On failure, which is rare (-EINTR), it stays open. */
int elisa_kv_close(struct elisa_kv *kv);

/*
 * Return the text of this thread's last failure: what was wrong, and with which value. "no error"
 * if nothing failed. The text lasts until the thread's next call into the library.
 */
const char *elisa_kv_error(void);

/* ------------------------------------------------------------------------------- reading */

/* An item without its key and value. */
struct elisa_kv_item {
	uint64_t cas;
	int64_t ttl; /* seconds left, at least 1; or ELISA_KV_FOREVER */
	size_t length;
	uint32_t flags;
};

/*
 * Get the item of a key. Up to room bytes of its value are copied to value; room 0: none. item:
 * out, may be NULL. Errors: -ENOENT; -EMSGSIZE (the value is longer than room, nothing of it is to
 * be used; item is filled in).
 */
int elisa_kv_get(struct elisa_kv *kv, const void *key, size_t key_length, void *value, size_t room,
		 struct elisa_kv_item *item);

/* Get an item as elisa_kv_get() does; the item then lives for ttl seconds from now on. */
int elisa_kv_get_and_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl,
			   void *value, size_t room, struct elisa_kv_item *item);

/* A key to look up by elisa_kv_get_many(), and what was found. */
struct elisa_kv_wanted {
	const void *key;
	size_t key_length;
	const void *value;	   /* out; NULL: there is no such item */
	struct elisa_kv_item item; /* out, if there is an item */
};

/*
 * Get the items of the first keys, as many as one call of the store returns; call again for the
 * others. The values lie one after the other in values. Each item is consistent by itself, but the
 * items are not a snapshot. Returns how many keys were looked up, at least 1 if count is not 0.
 * Errors: -EMSGSIZE (the first item's value is longer than room; its item is filled in).
 */
int elisa_kv_get_many(struct elisa_kv *kv, struct elisa_kv_wanted *wanted, size_t count,
		      void *values, size_t room);

/* ------------------------------------------------------------------------------ changing */

enum elisa_kv_mode {
	ELISA_KV_SET,	  /* store it in any case */
	ELISA_KV_ADD,	  /* only if there is no item: else -EEXIST */
	ELISA_KV_REPLACE, /* only if there is an item: else -ENOENT */
	ELISA_KV_APPEND,  /* put it behind the value of the item; -ENOENT if there is none */
	ELISA_KV_PREPEND, /* put it before the value of the item; -ENOENT if there is none */
};

/* A change of an item. The last two modes leave the item's flags and time to live as they are. */
struct elisa_kv_change {
	const void *key, *value;
	size_t key_length, length;
	enum elisa_kv_mode mode;
	uint32_t flags;
	int64_t ttl;  /* seconds */
	uint64_t cas; /* not 0: only if the item has this CAS number */
};

/*
 * Store an item, or change the value of one. cas: out, the item's new number; may be NULL. Errors:
 * -ENOENT, -EEXIST; -ESTALE (the item has another CAS number); -EFBIG (the value would be longer
 * than ELISA_KV_VALUE_MAX); -EDQUOT (this VM's quota has no room for it); -ENOSPC (the name space
 * has none).
 */
int elisa_kv_put(struct elisa_kv *kv, const struct elisa_kv_change *put, uint64_t *cas);

/* Delete an item. cas: 0, or only if the item has this number. Errors: -ENOENT, -ESTALE. */
int elisa_kv_delete(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t cas);

/* Let the item live for ttl seconds from now on. Errors: -ENOENT. */
int elisa_kv_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl);

/*
 * Add to an item's value modulo 2^64, or subtract from it down to 0. The value is a decimal number
 * up to 2^64 - 1. number: out, the new number; item: out, of the new value; both may be NULL.
 * Errors: -ENOENT; -EDOM (the value is no such number); -EDQUOT, -ENOSPC as above.
 */
int elisa_kv_increment(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t by,
		       uint64_t *number, struct elisa_kv_item *item);
int elisa_kv_decrement(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t by,
		       uint64_t *number, struct elisa_kv_item *item);

/* Remove all items that are in the name space now. */
int elisa_kv_flush(struct elisa_kv *kv);

/* ---------------------------------------------------------------------------- statistics */

#define ELISA_KV_STATISTICS 64 /* at least as many as there are */

struct elisa_kv_statistic {
	const char *name; /* as memcached names it; a static string */
	uint64_t value;
};

/* Get the store's statistics that this VM may see, up to room of them. Returns how many. */
int elisa_kv_statistics(struct elisa_kv *kv, struct elisa_kv_statistic *statistics, size_t room);

#ifdef __cplusplus
}
#endif

#endif
