/* SPDX-License-Identifier: Apache-2.0 */
/* elisa-kv by its library, at its fastest. */
#include <err.h>
#include <errno.h>
#include <elisa/kv.h>
#include "load.h"

static struct elisa_kv *kv;

static long get(const char *key, size_t key_length, char *value)
{
	struct elisa_kv_item item;
	const int error = elisa_kv_get(kv, key, key_length, value, LOAD_VALUE_MAX, &item);

	if (error == -ENOENT)
		return -1;
	if (error)
		errx(1, "get: %s", elisa_kv_error());
	return (long)item.length;
}

static void set(const char *key, size_t key_length, const char *value, size_t length)
{
	const struct elisa_kv_change change = {
		.key = key, .key_length = key_length, .value = value, .length = length};

	if (elisa_kv_put(kv, &change, NULL))
		errx(1, "set: %s", elisa_kv_error());
}

const struct load_store *load_elisa(int trust)
{
	static const struct load_store store = {get, set};
	const struct elisa_kv_options options = {.threads = 1,
						 .flags = trust ? ELISA_KV_TRUST_MANAGER : 0};

	if (elisa_kv_open(&options, &kv))
		errx(1, "%s", elisa_kv_error());
	return &store;
}
