/* SPDX-License-Identifier: Apache-2.0 */
/* A store and its guests in processes; guest.h says what for. */
#include <dlfcn.h>
#include <err.h>
#include <sys/mman.h>
#include "guest.h"

bench_function *bench_call;
uint8_t *bench_exchange;

static void *map(void *at, size_t size, int how)
{
	void *memory = mmap(at, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

struct kv_store *bench_store(const char *function_file, uint32_t guests, uint32_t spaces,
			     uint64_t memory)
{
	struct kv_space_config space[BENCH_SPACES_MAX];
	const struct kv_config config = {.places = guests,
					 .vcpus = 1,
					 .spaces = spaces,
					 .space = space,
					 .secret = 0x243f6a8885a308d3,
					 .first_cas = 1};
	void *function = dlopen(function_file, RTLD_NOW);
	struct kv_store *store;
	int64_t *distance;

	for (uint32_t i = 0; i < spaces; i++)
		space[i] = (struct kv_space_config){.memory = memory, .cell_size = 128};
	store = map(NULL, kv_store_size(&config), MAP_SHARED);
	if (!function)
		errx(1, "%s", dlerror());
	*(void **)&bench_call = dlsym(function, "entry_function");
	distance = dlsym(function, "kv_store_distance");
	if (!bench_call || !distance)
		errx(1, "%s: not the function of elisa-kv", function_file);
	if (kv_store_init(store, &config))
		errx(1, "the store cannot be made");
	*distance = (intptr_t)store - (intptr_t)distance;
	for (uint32_t i = 0; i < guests * spaces; i++) {
		kv_store_rights(store, i / spaces, i % spaces, KV_MAY_READ | KV_MAY_WRITE);
		kv_store_quota(store, i / spaces, i % spaces, UINT64_MAX, UINT64_MAX);
	}
	return store;
}

void bench_become(uint32_t place)
{
	struct elisa_self *self =
		map((void *)ELISA_SELF_ADDRESS, ELISA_PAGE_SIZE, MAP_PRIVATE | MAP_FIXED);

	bench_exchange = map(NULL, BENCH_EXCHANGE, MAP_PRIVATE);
	self->attachment = place + 1;
	self->place = place;
	self->exchange = (uintptr_t)bench_exchange;
	self->exchange_size = BENCH_EXCHANGE;
}

double bench_seconds(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
