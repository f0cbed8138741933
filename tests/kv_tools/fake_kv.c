/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_kv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
	char key[ELISA_KV_KEY_MAX];
	size_t key_length;
	char *value;
	struct elisa_kv_item is; /* cas 0: there is no item */
};

static struct item items[FAKE_KV_ITEMS];
static uint64_t last_cas;

int fake_kv_error;
uint32_t fake_kv_many;
void (*fake_kv_meanwhile)(void);

static void forget(struct item *item)
{
	free(item->value);
	*item = (struct item){0};
}

void fake_kv_clear(void)
{
	for (size_t i = 0; i < FAKE_KV_ITEMS; i++)
		forget(&items[i]);
	last_cas = 0;
	fake_kv_error = 0;
	fake_kv_meanwhile = NULL;
}

static struct item *find(const void *key, size_t key_length)
{
	for (size_t i = 0; i < FAKE_KV_ITEMS; i++)
		if (items[i].is.cas && items[i].key_length == key_length &&
		    !memcmp(items[i].key, key, key_length))
			return &items[i];
	return NULL;
}

/* It must be there; what a client must never have passed on is refused. */
static int need(const void *key, size_t key_length, struct item **item)
{
	if (fake_kv_error)
		return fake_kv_error;
	if (!key_length || key_length > ELISA_KV_KEY_MAX)
		return -EINVAL;
	*item = find(key, key_length);
	return *item ? 0 : -ENOENT;
}

int elisa_kv_get(struct elisa_kv *kv, const void *key, size_t key_length, void *value, size_t room,
		 struct elisa_kv_item *out)
{
	struct item *item;
	const int error = need(key, key_length, &item);

	(void)kv;
	if (error)
		return error;
	if (out)
		*out = item->is;
	if (room && item->is.length > room)
		return -EMSGSIZE;
	if (room)
		memcpy(value, item->value, item->is.length);
	return 0;
}

int elisa_kv_get_many(struct elisa_kv *kv, struct elisa_kv_wanted *wanted, size_t count,
		      void *values, size_t room)
{
	size_t used = 0, i;
	int error = 0;

	fake_kv_many++;
	for (i = 0; i < count; i++) {
		/* room is never 0 in the middle: the fake would copy nothing */
		error = used < room ?
				elisa_kv_get(kv, wanted[i].key, wanted[i].key_length,
					     (char *)values + used, room - used, &wanted[i].item) :
				-EMSGSIZE;
		if (error && error != -ENOENT)
			break;
		wanted[i].value = error ? NULL : (char *)values + used;
		used += error ? 0 : wanted[i].item.length;
	}
	return i || !error ? (int)i : error;
}

int elisa_kv_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl)
{
	struct item *item;
	const int error = need(key, key_length, &item);

	(void)kv;
	if (error)
		return error;
	if (ttl < 0)
		forget(item);
	else
		item->is.ttl = ttl;
	return 0;
}

int elisa_kv_get_and_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl,
			   void *value, size_t room, struct elisa_kv_item *item)
{
	const int error = elisa_kv_get(kv, key, key_length, value, room, item);

	if (error)
		return error;
	if (item && ttl >= 0)
		item->ttl = ttl;
	return elisa_kv_touch(kv, key, key_length, ttl);
}

static int check_put(const struct elisa_kv_change *put, const struct item *old)
{
	if (put->length > ELISA_KV_VALUE_MAX)
		return -EFBIG;
	if (put->cas && !old)
		return -ENOENT;
	if (put->cas && put->cas != old->is.cas)
		return -ESTALE;
	if (put->mode == ELISA_KV_ADD)
		return old ? -EEXIST : 0;
	return put->mode == ELISA_KV_SET || old ? 0 : -ENOENT;
}

static int put_in(struct item *item, const struct elisa_kv_change *put)
{
	const bool joins = put->mode == ELISA_KV_APPEND || put->mode == ELISA_KV_PREPEND;
	const size_t old = joins ? item->is.length : 0;
	char *value;

	if (old + put->length > ELISA_KV_VALUE_MAX)
		return -EFBIG;
	value = malloc(old + put->length + 1);
	if (!value)
		return -ENOMEM;
	if (put->length)
		memcpy(value + (put->mode == ELISA_KV_APPEND ? old : 0), put->value, put->length);
	if (old)
		memcpy(value + (put->mode == ELISA_KV_PREPEND ? put->length : 0), item->value, old);
	free(item->value);
	memcpy(item->key, put->key, put->key_length);
	item->key_length = put->key_length;
	item->value = value;
	item->is.length = old + put->length;
	item->is.cas = ++last_cas;
	if (!joins) {
		item->is.flags = put->flags;
		item->is.ttl = put->ttl;
	}
	return 0;
}

int elisa_kv_put(struct elisa_kv *kv, const struct elisa_kv_change *put, uint64_t *cas)
{
	struct item *item;
	int error;

	(void)kv;
	if (fake_kv_meanwhile)
		fake_kv_meanwhile();
	error = need(put->key, put->key_length, &item);
	if (error && error != -ENOENT)
		return error;
	error = check_put(put, item);
	for (size_t i = 0; i < FAKE_KV_ITEMS && !item && !error; i++)
		if (!items[i].is.cas)
			item = &items[i];
	if (!error)
		error = item ? put_in(item, put) : -ENOSPC;
	if (error)
		return error;
	if (cas)
		*cas = item->is.cas;
	if (put->ttl < 0)
		forget(item);
	return 0;
}

int elisa_kv_delete(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t cas)
{
	struct item *item;
	int error;

	(void)kv;
	if (fake_kv_meanwhile)
		fake_kv_meanwhile();
	error = need(key, key_length, &item);
	if (!error && cas && cas != item->is.cas)
		error = -ESTALE;
	if (!error)
		forget(item);
	return error;
}

static int count(const void *key, size_t key_length, uint64_t by, bool down, uint64_t *number,
		 struct elisa_kv_item *out)
{
	char text[24], *end;
	struct item *item;
	uint64_t old;
	int error = need(key, key_length, &item);

	if (error)
		return error;
	if (!item->is.length || item->is.length > 20)
		return -EDOM;
	memcpy(text, item->value, item->is.length);
	text[item->is.length] = 0;
	errno = 0;
	old = strtoull(text, &end, 10);
	if (*end || errno || text[0] < '0' || text[0] > '9')
		return -EDOM;
	*number = down ? (old > by ? old - by : 0) : old + by;
	error = snprintf(text, sizeof(text), "%llu", (unsigned long long)*number);
	free(item->value);
	item->value = strdup(text);
	item->is.length = (size_t)error;
	item->is.cas = ++last_cas;
	if (out)
		*out = item->is;
	return 0;
}

int elisa_kv_increment(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t by,
		       uint64_t *number, struct elisa_kv_item *item)
{
	(void)kv;
	return count(key, key_length, by, false, number, item);
}

int elisa_kv_decrement(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t by,
		       uint64_t *number, struct elisa_kv_item *item)
{
	(void)kv;
	return count(key, key_length, by, true, number, item);
}

int elisa_kv_flush(struct elisa_kv *kv)
{
	(void)kv;
	for (size_t i = 0; i < FAKE_KV_ITEMS && !fake_kv_error; i++)
		forget(&items[i]);
	return fake_kv_error;
}

int elisa_kv_statistics(struct elisa_kv *kv, struct elisa_kv_statistic *statistics, size_t room)
{
	(void)kv;
	if (fake_kv_error)
		return fake_kv_error;
	if (room)
		statistics[0] = (struct elisa_kv_statistic){"cmd_get", 7};
	return room ? 1 : 0;
}
