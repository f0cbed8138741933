/* SPDX-License-Identifier: Apache-2.0 */
/* The test's export and its attachments. */
#include <stdlib.h>
#include <sys/mman.h>
#include "internal.h"

static int there_is_one;

int elisa_test_new(elisa_test_function *function, struct elisa_test **made)
{
	struct elisa_test *test = calloc(1, sizeof(*test));
	int error;

	*made = NULL;
	if (!test)
		return -ENOMEM;
	if (__atomic_exchange_n(&there_is_one, 1, __ATOMIC_SEQ_CST)) {
		free(test);
		return -EBUSY;
	}
	error = signals_open();
	if (error) {
		__atomic_store_n(&there_is_one, 0, __ATOMIC_SEQ_CST);
		free(test);
		return error;
	}
	test->function = function;
	*made = test;
	return 0;
}

void elisa_test_free(struct elisa_test *test)
{
	if (!test)
		return;
	for (uint32_t i = 0; i < ELISA_TEST_PLACES; i++)
		if (test->attachment[i].used)
			elisa_test_detach(&test->attachment[i]);
	signals_close();
	free(test);
	__atomic_store_n(&there_is_one, 0, __ATOMIC_SEQ_CST);
}

int elisa_test_memory(struct elisa_test *test, void *at, size_t size)
{
	if (test->parts == ELISA_TEST_PARTS)
		return -ENOSPC;
	test->part[test->parts++] = (struct elisa_step_memory){at, size};
	return 0;
}

void elisa_test_manager(struct elisa_test *test,
			void (*event)(void *context, const struct elisa_event *event),
			void *context)
{
	test->event = event;
	test->event_context = context;
}

void elisa_test_limit(struct elisa_test *test, uint32_t limit_us)
{
	test->limit_us = limit_us;
}

uint64_t elisa_test_rings(const struct elisa_test *test, uint32_t place)
{
	return place < ELISA_TEST_PLACES ? __atomic_load_n(&test->rings[place], __ATOMIC_SEQ_CST) :
					   0;
}

static void tell(struct elisa_test *test, uint32_t type, uint64_t attachment, int64_t value)
{
	const struct elisa_event event = {.type = type, .attachment = attachment, .value = value};

	if (test->event)
		test->event(test->event_context, &event);
}

/* Allocates a buffer between two inaccessible pages. *size is rounded up to pages. */
static uint8_t *buffer_new(size_t *size)
{
	uint8_t *at;

	*size = (*size + ELISA_PAGE_SIZE - 1) / ELISA_PAGE_SIZE * ELISA_PAGE_SIZE;
	at = mmap(NULL, *size + 2 * ELISA_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (mprotect(at + ELISA_PAGE_SIZE, *size, PROT_READ | PROT_WRITE)) {
		munmap(at, *size + 2 * ELISA_PAGE_SIZE);
		return NULL;
	}
	return at + ELISA_PAGE_SIZE;
}

static void buffer_free(uint8_t *buffer, size_t size)
{
	if (buffer)
		munmap(buffer - ELISA_PAGE_SIZE, size + 2 * ELISA_PAGE_SIZE);
}

static struct elisa_test_attachment *find(struct elisa_test *test, uint32_t place, int *error)
{
	struct elisa_test_attachment *free = NULL;

	*error = -ENOSPC;
	for (uint32_t i = 0; i < ELISA_TEST_PLACES; i++) {
		struct elisa_test_attachment *one = &test->attachment[i];

		if (!one->used) {
			free = free ? free : one;
		} else if (place != ELISA_NO_PLACE && one->self[0].place == place) {
			*error = -EBUSY;
			return NULL;
		}
	}
	return free;
}

int elisa_test_attach(struct elisa_test *test, uint32_t place, size_t exchange,
		      struct elisa_test_attachment **made)
{
	struct elisa_test_attachment *one;
	int error;

	*made = NULL;
	if ((place >= ELISA_TEST_PLACES && place != ELISA_NO_PLACE) ||
	    exchange > (size_t)ELISA_EXCHANGE_MAX_PAGES * ELISA_PAGE_SIZE)
		return -EINVAL;
	one = find(test, place, &error);
	if (!one)
		return error;
	*one = (struct elisa_test_attachment){.test = test, .exchange_size = exchange};
	one->stacks = stacks_new();
	if (exchange)
		one->exchange = buffer_new(&one->exchange_size);
	if (!one->stacks || (exchange && !one->exchange)) {
		stacks_free(one->stacks);
		buffer_free(one->exchange, one->exchange_size);
		return -ENOMEM;
	}
	test->attachments++;
	for (uint32_t vcpu = 0; vcpu < ELISA_TEST_VCPUS; vcpu++)
		one->self[vcpu] = (struct elisa_self){.attachment = test->attachments,
						      .place = place,
						      .vcpu = vcpu,
						      .exchange = (uintptr_t)one->exchange,
						      .exchange_size = one->exchange_size};
	one->used = 1;
	tell(test, ELISA_EVENT_ATTACH, test->attachments,
	     place == ELISA_NO_PLACE ? -1 : (int64_t)place);
	*made = one;
	return 0;
}

void elisa_test_detach(struct elisa_test_attachment *attachment)
{
	elisa_test_hostile(attachment, 0);
	attachment->used = 0;
	stacks_free(attachment->stacks);
	buffer_free(attachment->exchange, attachment->exchange_size);
	tell(attachment->test, ELISA_EVENT_DETACH, attachment->self[0].attachment, 0);
}

uint64_t elisa_test_number(const struct elisa_test_attachment *attachment)
{
	return attachment->self[0].attachment;
}

void *elisa_test_exchange(struct elisa_test_attachment *attachment)
{
	return attachment->exchange;
}

/* --------------------------------------------------------------------- a hostile guest */

static void *write_anything(void *argument)
{
	struct elisa_test_attachment *attachment = argument;
	volatile uint8_t *buffer = attachment->exchange;
	uint64_t random = 0x9e3779b97f4a7c15;

	while (__atomic_load_n(&attachment->hostile_runs, __ATOMIC_RELAXED)) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		/* mostly to the first 64 bytes, where a buffer has its header */
		buffer[(random >> 8) % (random & 1 ? 64 : attachment->exchange_size)] =
			(uint8_t)(random >> 56);
	}
	return NULL;
}

int elisa_test_hostile(struct elisa_test_attachment *attachment, int on)
{
	const int runs = attachment->hostile_runs;

	if (!on == !runs || !attachment->exchange)
		return 0;
	__atomic_store_n(&attachment->hostile_runs, !runs, __ATOMIC_RELAXED);
	if (runs)
		return -pthread_join(attachment->hostile, NULL);
	if (!pthread_create(&attachment->hostile, NULL, write_anything, attachment))
		return 0;
	attachment->hostile_runs = 0;
	return -EAGAIN;
}
