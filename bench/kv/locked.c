/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store that a programmer would write first: a hash table with one lock, in memory that
 * processes share. It has no quotas, no eviction and no TTL, and it is lost if a process dies
 * inside.
 */
#include <err.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include "speed.h"

enum {
	BUCKETS = 1 << 17
};

struct entry {
	uint32_t next;
	char key[KEY_BYTES], value[VALUE_BYTES];
};

struct table {
	pthread_mutex_t lock;
	uint32_t bucket[BUCKETS]; /* numbers of entries, from 1 */
	uint32_t used;
	struct entry entry[KEYS + 1];
};

static struct table *table;
static char value_read[VALUE_BYTES];

static uint32_t *bucket_of(const char *key)
{
	uint64_t hash, second;

	memcpy(&hash, key, 8);
	memcpy(&second, key + 8, 8);
	hash = (hash ^ second * 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
	return &table->bucket[hash >> 47];
}

static struct entry *find(const char *key)
{
	uint32_t number = *bucket_of(key);

	while (number && memcmp(table->entry[number].key, key, KEY_BYTES))
		number = table->entry[number].next;
	return number ? &table->entry[number] : NULL;
}

static int get(const char *key)
{
	const struct entry *entry;

	pthread_mutex_lock(&table->lock);
	entry = find(key);
	if (entry)
		memcpy(value_read, entry->value, VALUE_BYTES);
	pthread_mutex_unlock(&table->lock);
	return entry != NULL;
}

static int set(const char *key, const char *value)
{
	struct entry *entry;

	pthread_mutex_lock(&table->lock);
	entry = find(key);
	if (!entry && table->used < KEYS) {
		entry = &table->entry[++table->used];
		memcpy(entry->key, key, KEY_BYTES);
		entry->next = *bucket_of(key);
		*bucket_of(key) = table->used;
	}
	if (entry)
		memcpy(entry->value, value, VALUE_BYTES);
	pthread_mutex_unlock(&table->lock);
	return entry != NULL;
}

static void become(uint32_t client)
{
	(void)client;
}

const struct speed_store *speed_locked(void)
{
	static const struct speed_store store = {"locked", 0, become, get, set};
	pthread_mutexattr_t shared;

	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (table == MAP_FAILED)
		err(1, "mmap");
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&table->lock, &shared);
	return &store;
}
