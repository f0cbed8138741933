/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub's registers are those of a VM's (<elisa/call.h>): there is one stub for each attachment,
 * and which one was called says whose call it is. A thread is a vCPU.
 */
#include "native_elisa.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define STUB_SIZE 16

struct native native;

struct elisa {
	int unused;
};

/* One for each place. */
static struct attachment {
	struct elisa_attachment public;
	int used, gone;
	struct elisa_self self[NATIVE_VCPUS];
} attachments[NATIVE_PLACES];

static struct elisa device;
static uint64_t store_size, attachments_made;
static uint32_t threads;
static __thread uint32_t vcpu; /* and 1 */
static __thread const struct elisa_self *self_now;

struct elisa_result native_call(long a0, long a1, long a2, long a3, long a4, long a5, long stub);

/* The first instruction of a stub is a jump; RAX says of which one. */
extern const uint8_t native_stubs[];
__asm__(".text\n"
	".balign 16\n"
	"native_stubs:\n"
	".rept 4\n"
	"	jmp native_stub\n"
	"	.balign 16\n"
	".endr\n"
	"native_stub:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	sub $512, %rsp\n"
	"	and $-16, %rsp\n"
	"	fxsave (%rsp)\n"
	"	mov %r10, %rcx\n"
	"	lea native_stubs(%rip), %r11\n"
	"	sub %r11, %rax\n"
	"	sub $8, %rsp\n"
	"	push %rax\n"
	"	call native_call\n"
	"	add $16, %rsp\n"
	"	fxrstor (%rsp)\n"
	"	mov %rbp, %rsp\n"
	"	pop %rbp\n"
	"	ret\n");

const struct elisa_self *elisa_self(void)
{
	return self_now;
}

void elisa_ring(uint32_t place)
{
	(void)place;
}

struct elisa_result native_call(long a0, long a1, long a2, long a3, long a4, long a5, long stub)
{
	const struct attachment *attachment = &attachments[stub / STUB_SIZE];
	struct elisa_result result = {0, ELISA_CALL_NOT_ATTACHED};
	const int spared = native.spared > 0;

	__atomic_fetch_add(&native.calls, 1, __ATOMIC_RELAXED);
	if (!vcpu)
		vcpu = 1 + __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED) % NATIVE_VCPUS;
	if (__atomic_load_n(&attachment->gone, __ATOMIC_ACQUIRE))
		return result;
	native.spared -= (uint32_t)spared;
	result.error = spared ? 0 : __atomic_exchange_n(&native.call_error, 0, __ATOMIC_RELAXED);
	if (result.error)
		return result;
	self_now = &attachment->self[vcpu - 1];
	result.value = native.answer < 0 ? native.answer : entry_function(a0, a1, a2, a3, a4, a5);
	result.value = native.claim > 0 ? native.claim : result.value;
	if (native.behind)
		native.behind((uint8_t *)(uintptr_t)self_now->exchange, self_now->exchange_size);
	if (!spared)
		result.error = __atomic_exchange_n(&native.late_error, 0, __ATOMIC_RELAXED);
	return result;
}

/* ---------------------------------------------------------------------------------- store */

int native_start(uint64_t memory)
{
	const struct kv_space_config space[NATIVE_SPACES] = {{memory, 128}, {memory, 128}};
	const struct kv_config config = {.places = NATIVE_PLACES,
					 .vcpus = NATIVE_VCPUS,
					 .spaces = NATIVE_SPACES,
					 .space = space,
					 .secret = 1,
					 .first_cas = 1};
	void *store;
	int error;

	store_size = kv_store_size(&config);
	if (!store_size)
		return -EINVAL;
	store = mmap(NULL, store_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (store == MAP_FAILED)
		return -errno;
	native = (struct native){.store = store};
	error = kv_store_init(native.store, &config);
	kv_store_time(native.store, 100);
	kv_store_distance = (intptr_t)store - (intptr_t)&kv_store_distance;
	for (uint32_t i = 0; i < NATIVE_PLACES * NATIVE_SPACES; i++) {
		kv_store_rights(native.store, i / NATIVE_SPACES, i % NATIVE_SPACES,
				KV_MAY_READ | KV_MAY_WRITE | KV_MAY_FLUSH);
		kv_store_quota(native.store, i / NATIVE_SPACES, i % NATIVE_SPACES, UINT64_MAX,
			       UINT64_MAX);
	}
	return error;
}

void native_end(void)
{
	for (uint32_t i = 0; i < NATIVE_PLACES; i++)
		__atomic_store_n(&attachments[i].gone, 1, __ATOMIC_RELEASE);
	munmap(native.store, store_size);
	native.store = NULL;
}

/* -------------------------------------------------------------------------------- library */

int elisa_open(const char *path, struct elisa **handle)
{
	(void)path;
	*handle = native.open_error ? NULL : &device;
	return native.open_error;
}

int elisa_close(struct elisa *handle)
{
	(void)handle;
	return 0;
}

const char *elisa_error(struct elisa *handle)
{
	return handle ? "the attachment failed" : "the device failed";
}

const char *elisa_call_strerror(long error)
{
	return error == ELISA_CALL_REVOKED ? "revoked" : "ended";
}

static int attach(void *exchange, size_t length, struct elisa_attachment **made)
{
	uint32_t place = 0;

	*made = NULL;
	if (native.attach_error)
		return native.attach_error;
	while (place < NATIVE_PLACES && attachments[place].used)
		place++;
	if (place == NATIVE_PLACES)
		return -EDQUOT;
	attachments[place] = (struct attachment){
		.public.call = (uint64_t)native_stubs + (uint64_t)place * STUB_SIZE, .used = 1};
	attachments_made++;
	for (uint32_t i = 0; i < NATIVE_VCPUS; i++)
		attachments[place].self[i] =
			(struct elisa_self){.attachment = attachments_made,
					    .place = place,
					    .vcpu = i,
					    .exchange = (uint64_t)(uintptr_t)exchange,
					    .exchange_size = length};
	native.attached++;
	kv_manager_event(native.store, &(struct elisa_event){.type = ELISA_EVENT_ATTACH,
							     .attachment = attachments_made,
							     .value = place});
	*made = &attachments[place].public;
	return 0;
}

int elisa_attach(struct elisa *handle, const char *name, uint32_t flags, void *exchange,
		 size_t length, struct elisa_attachment **made)
{
	(void)handle;
	(void)flags;
	strncpy(native.name, name, sizeof(native.name) - 1);
	return attach(exchange, length, made);
}

int elisa_attach_private(struct elisa *handle, const uint8_t ticket[ELISA_TICKET_SIZE],
			 uint32_t flags, void *exchange, size_t length,
			 struct elisa_attachment **made)
{
	(void)handle;
	(void)flags;
	memcpy(native.ticket, ticket, sizeof(native.ticket));
	return attach(exchange, length, made);
}

int elisa_detach(struct elisa_attachment *attachment)
{
	for (uint32_t i = 0; i < NATIVE_PLACES; i++)
		if (attachment == &attachments[i].public)
			attachments[i].used = 0;
	native.detached++;
	return 0;
}

int elisa_attachment_general(const struct elisa_attachment *attachment)
{
	(void)attachment;
	return native.is_general;
}
