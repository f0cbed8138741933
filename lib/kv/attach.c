/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that is open: its attachment and the slots of its exchange buffer.
 *
 * What can happen when the manager ends. Every thread's next call fails, and each of these threads
 * comes to attach_again(). The first one takes the lock, clears `connected`, and waits until all
 * slots are free. Then it detaches, and attaches anew. If that fails, the next try is after
 * RETRY_MS, and calls fail at once until then.
 *
 * Why no thread calls while the attachment changes: a thread takes a slot by an atomic exchange,
 * and reads `connected` afterwards. The changing thread clears `connected`, and looks at the slots
 * afterwards. So the changing thread sees the slot, or the other thread sees that there is no
 * attachment and gives its slot back. A call that is under way ends at the latest with the time
 * limit of the export.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "internal.h"

#define THREADS	   16
#define RETRY_MS   100
#define NAP_NS	   50000
#define SPACES_MAX 256u
#define FLAGS	   ELISA_KV_TRUST_MANAGER

_Thread_local uint32_t kv_hint;
static uint32_t threads_seen;

static uint64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void nap(void)
{
	const struct timespec time = {.tv_nsec = NAP_NS};

	nanosleep(&time, NULL);
}

/* ----------------------------------------------------------------------------------- slots */

static bool try_slot(struct elisa_kv *kv, uint32_t slot)
{
	return !__atomic_load_n(&kv->slot[slot].taken, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&kv->slot[slot].taken, 1, __ATOMIC_SEQ_CST);
}

static uint32_t take_slot(struct elisa_kv *kv)
{
	if (!kv_hint)
		kv_hint = __atomic_add_fetch(&threads_seen, 1, __ATOMIC_RELAXED);
	for (;;) {
		for (uint32_t i = 0; i < kv->slots; i++) {
			const uint32_t slot = ((kv_hint & kv->slot_mask) + i) % kv->slots;

			if (try_slot(kv, slot))
				return slot;
		}
		nap();
	}
}

/* -------------------------------------------------------------------------------- attaching */

static int library_failed(struct elisa_kv *kv, int error, int as)
{
	return kv_fail_text(as ? as : error, "store \"%s\": %s", kv->store,
			    elisa_error(kv->handle));
}

static int attach(struct elisa_kv *kv, int as)
{
	const uint32_t flags = kv->flags & ELISA_KV_TRUST_MANAGER ? ELISA_ATTACH_TRUST_MANAGER : 0;
	const size_t length = (size_t)kv->slots * KV_SLOT_SIZE;
	uint8_t ticket[ELISA_TICKET_SIZE];
	int error;

	if (kv->store[0] == '/') {
		error = kv_read_ticket(kv->store, ticket);
		if (error)
			return error;
		error = elisa_attach_private(kv->handle, ticket, flags, kv->exchange, length,
					     &kv->attachment);
		explicit_bzero(ticket, sizeof(ticket));
	} else {
		error = elisa_attach(kv->handle, kv->store, flags, kv->exchange, length,
				     &kv->attachment);
	}
	if (error)
		return library_failed(kv, error, as);
	kv->stub = *kv->attachment;
	kv->general = elisa_attachment_general(kv->attachment);
	__atomic_store_n(&kv->connected, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* Ends the attachment. The caller holds the lock and no slot. When this returns 0, no thread calls
 * any more. */
static int detach(struct elisa_kv *kv)
{
	int error;

	__atomic_store_n(&kv->connected, 0, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < kv->slots; i++)
		while (__atomic_load_n(&kv->slot[i].taken, __ATOMIC_SEQ_CST))
			nap();
	error = elisa_detach(kv->attachment);
	if (error)
		return library_failed(kv, error, 0);
	kv->attachment = NULL;
	return 0;
}

static int attach_again(struct elisa_kv *kv)
{
	int error = 0;

	pthread_mutex_lock(&kv->lock);
	if (__atomic_load_n(&kv->connected, __ATOMIC_RELAXED))
		goto out;
	if (milliseconds() < kv->next_try) {
		error = kv_fail_text(-ENOTCONN,
				     "store \"%s\": it is gone; the next try is in some %d ms",
				     kv->store, RETRY_MS);
		goto out;
	}
	if (kv->attachment && detach(kv))
		error = -ENOTCONN;
	else
		error = attach(kv, -ENOTCONN);
	if (error) {
		error = -ENOTCONN;
		kv->next_try = milliseconds() + RETRY_MS;
	}
out:
	pthread_mutex_unlock(&kv->lock);
	return error;
}

int kv_begin(struct elisa_kv *kv, struct kv_use *use)
{
	int error;

	for (;;) {
		kv_use_slot(kv, use, take_slot(kv));
		if (__builtin_expect(__atomic_load_n(&kv->connected, __ATOMIC_SEQ_CST), 1))
			break;
		kv_end(use);
		error = attach_again(kv);
		if (error)
			return error;
	}
	return 0;
}

void kv_lost(struct elisa_kv *kv)
{
	__atomic_store_n(&kv->connected, 0, __ATOMIC_SEQ_CST);
}

/* ------------------------------------------------------------------------ opening, closing */

static int check(const struct elisa_kv_options *options)
{
	if (options->space >= SPACES_MAX)
		return kv_fail_text(-EINVAL, "name space %u: it is above %u", options->space,
				    SPACES_MAX - 1);
	if (options->threads > KV_SLOTS_MAX)
		return kv_fail_text(-EINVAL, "%u threads: they are more than %u", options->threads,
				    KV_SLOTS_MAX);
	if (options->flags & ~FLAGS)
		return kv_fail_text(-EINVAL, "flags %#x: %#x are unknown", options->flags,
				    options->flags & ~FLAGS);
	return 0;
}

static void release(struct elisa_kv *kv)
{
	elisa_close(kv->handle);
	if (kv->exchange)
		munmap(kv->exchange, (size_t)kv->slots * KV_SLOT_SIZE);
	pthread_mutex_destroy(&kv->lock);
	pthread_mutex_destroy(&kv->upload);
	free(kv->store);
	free(kv);
}

/* Allocates the exchange buffer. The store accesses it too, so a child of fork() must not get a
 * copy of its pages. */
static int make_exchange(struct elisa_kv *kv)
{
	const size_t length = (size_t)kv->slots * KV_SLOT_SIZE;
	void *exchange = mmap(NULL, length, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (exchange == MAP_FAILED)
		return kv_fail(-ENOMEM);
	kv->exchange = exchange;
	return madvise(exchange, length, MADV_DONTFORK) ? kv_fail(-errno) : 0;
}

int elisa_kv_open(const struct elisa_kv_options *options, struct elisa_kv **made)
{
	static const struct elisa_kv_options none;
	const uint32_t slots = options && options->threads ? options->threads : THREADS;
	struct elisa_kv *kv = NULL;
	int error;

	*made = NULL;
	options = options ? options : &none;
	error = check(options);
	if (error)
		return error;
	if (posix_memalign((void **)&kv, 64, sizeof(*kv) + slots * sizeof(kv->slot[0])))
		return kv_fail(-ENOMEM);
	memset(kv, 0, sizeof(*kv) + slots * sizeof(kv->slot[0]));
	pthread_mutex_init(&kv->lock, NULL);
	pthread_mutex_init(&kv->upload, NULL);
	kv->slots = slots;
	while (2 * kv->slot_mask + 1 < slots)
		kv->slot_mask = 2 * kv->slot_mask + 1;
	kv->space = options->space;
	kv->flags = options->flags;
	kv->store = strdup(options->store ? options->store : "kv");
	error = kv->store ? make_exchange(kv) : kv_fail(-ENOMEM);
	if (!error) {
		error = elisa_open(options->device, &kv->handle);
		if (error)
			kv_fail_text(error, "%s", elisa_error(NULL));
	}
	if (!error)
		error = attach(kv, 0);
	if (error)
		release(kv);
	else
		*made = kv;
	return error;
}

int elisa_kv_close(struct elisa_kv *kv)
{
	int error = 0;

	if (!kv)
		return 0;
	pthread_mutex_lock(&kv->lock);
	if (kv->attachment)
		error = detach(kv);
	pthread_mutex_unlock(&kv->lock);
	if (!error)
		release(kv);
	return error;
}
