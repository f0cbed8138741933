/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Larger stacks for an export's function. The host gives each vCPU of an attachment a stack of a
 * few pages. Larger stacks lie in the object area. A stub in front of the function switches to
 * them. The stacks are the manager's memory, so they count for its grant, and attaching costs no
 * more.
 *
 * Two callers must never be on one stack. The host says which attachment calls. An attachment has
 * its place for itself until no CPU runs in it any more. A vCPU is in one call of an attachment at
 * a time. So the place and the vCPU are the number of the stack, and no stack is taken or given
 * back. A call that never ends, or that was ended in the middle, blocks its own stack only. The
 * next call of its vCPU begins at the stack's top again.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"

/* The page of the stub: its code, then the values that it reads. */
struct stub {
	uint8_t code[128];
	uint64_t self;
	uint64_t base;	 /* of all stacks, with the gaps between them */
	uint64_t stride; /* a stack, and an unmapped gap of the same size below it */
	uint64_t entry;
	uint32_t places;
	uint32_t vcpus;
};

struct elisa_stacks {
	struct stub *stub; /* a page */
	uint64_t offset;   /* of the stub */
	uint8_t *memory;
	size_t size; /* of each */
	size_t count;
	bool published;
};

/*
 * Switches stacks and calls the function. The host's stub calls it instead of the function, on the
 * host's stack. RAX, R10 and R11 are free: they hold no argument, and the caller does not need
 * them. The old RSP is kept at the top of the new stack. The function's frames lie below it, and
 * RSP is 16-byte aligned at the call. A caller without a stack faults.
 */
extern const uint8_t elisa_stack_stub[];
__asm__(".pushsection .rodata\n"
	".hidden elisa_stack_stub\n"
	"elisa_stack_stub:\n"
	"	mov elisa_stack_stub + 128(%rip), %rax\n"
	"	mov 16(%rax), %r10d\n"
	"	mov 20(%rax), %r11d\n"
	"	mov elisa_stack_stub + 164(%rip), %eax\n"
	"	cmp elisa_stack_stub + 160(%rip), %r10d\n"
	"	jae 1f\n"
	"	cmp %eax, %r11d\n"
	"	jae 1f\n"
	"	imul %rax, %r10\n"
	"	lea 1(%r10, %r11), %r10\n"
	"	imul elisa_stack_stub + 144(%rip), %r10\n"
	"	add elisa_stack_stub + 136(%rip), %r10\n"
	"	mov %rsp, -16(%r10)\n"
	"	lea -16(%r10), %rsp\n"
	"	call *elisa_stack_stub + 152(%rip)\n"
	"	pop %rsp\n"
	"	ret\n"
	"1:	ud2\n"
	"	.org elisa_stack_stub + 128\n"
	".popsection\n");
_Static_assert(offsetof(struct elisa_self, place) == 16 &&
		       offsetof(struct elisa_self, vcpu) == 20 &&
		       offsetof(struct stub, self) == 128 && offsetof(struct stub, base) == 136 &&
		       offsetof(struct stub, stride) == 144 &&
		       offsetof(struct stub, entry) == 152 &&
		       offsetof(struct stub, places) == 160 && offsetof(struct stub, vcpus) == 164,
	       "in the stub above");

static void *new_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void elisa_stacks_free(struct elisa_stacks *stacks)
{
	if (!stacks)
		return;
	if (stacks->stub)
		munmap(stacks->stub, ELISA_PAGE_SIZE);
	if (stacks->memory)
		munmap(stacks->memory, stacks->count * stacks->size);
	free(stacks);
}

/* Makes the stacks of an export. Returns NULL without memory. */
static struct elisa_stacks *stacks_new(uint64_t offset, uint32_t places, uint32_t vcpus,
				       size_t size)
{
	struct elisa_stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return NULL;
	stacks->offset = offset;
	stacks->size = size;
	stacks->count = (size_t)places * vcpus;
	stacks->stub = new_memory(ELISA_PAGE_SIZE);
	stacks->memory = new_memory(stacks->count * size);
	if (!stacks->stub || !stacks->memory) {
		elisa_stacks_free(stacks);
		return NULL;
	}
	memcpy(stacks->stub->code, elisa_stack_stub, sizeof(stacks->stub->code));
	stacks->stub->self = ELISA_SELF_ADDRESS;
	stacks->stub->base = ELISA_OBJECT_BASE + offset + ELISA_PAGE_SIZE;
	stacks->stub->stride = 2 * size;
	stacks->stub->places = places;
	stacks->stub->vcpus = vcpus;
	return stacks;
}

/* Returns where a stack lies in the object area: in the upper half of its stride. */
static uint64_t stack_offset(const struct elisa_stacks *stacks, size_t i)
{
	return stacks->offset + ELISA_PAGE_SIZE + (2 * i + 1) * stacks->size;
}

bool elisa_stacks_below(const struct elisa_stacks *stacks, uint64_t offset)
{
	uint64_t at;

	if (!stacks || offset < stacks->offset + ELISA_PAGE_SIZE)
		return false;
	at = offset - stacks->offset - ELISA_PAGE_SIZE;
	return at / (2 * stacks->size) < stacks->count && at % (2 * stacks->size) < stacks->size;
}

/* Maps all stacks, or none. The first failure stays the handle's last one: undoing succeeds. */
static int map_all(struct elisa_export *export_, const struct elisa_stacks *stacks)
{
	size_t i = 0;
	int ret = elisa_export_map(export_, stacks->offset, stacks->stub, ELISA_PAGE_SIZE,
				   ELISA_PROT_READ | ELISA_PROT_EXEC);

	if (ret < 0)
		return ret;
	for (i = 0; !ret && i < stacks->count; i++)
		ret = elisa_export_map(export_, stack_offset(stacks, i),
				       stacks->memory + i * stacks->size, stacks->size,
				       ELISA_PROT_READ | ELISA_PROT_WRITE);
	if (!ret)
		return 0;
	while (--i)
		elisa_export_unmap(export_, stack_offset(stacks, i - 1), stacks->size);
	elisa_export_unmap(export_, stacks->offset, ELISA_PAGE_SIZE);
	return ret;
}

ELISA_PUBLIC int elisa_export_stacks(struct elisa_export *export_, uint64_t offset, size_t size,
				     uint32_t vcpus)
{
	static const char doing[] = "make stacks in export";
	struct elisa_stacks *stacks;
	int ret;

	if (!export_)
		return elisa_fail_text(NULL, EINVAL, "%s: the export is NULL; create one first",
				       doing);
	if (!export_->places)
		return elisa_fail_text(export_->handle, EINVAL,
				       "%s '%s': it has no places, which number the stacks; call "
				       "elisa_export_places() first",
				       doing, export_->name);
	if (export_->stacks)
		return elisa_fail_text(export_->handle, EBUSY,
				       "%s '%s': it has stacks already; make them once", doing,
				       export_->name);
	if (!vcpus || vcpus > ELISA_STACK_MAX_VCPUS)
		return elisa_fail_text(export_->handle, EINVAL,
				       "%s '%s': stacks for %u vCPUs of each attachment; give 1 to "
				       "%d",
				       doing, export_->name, vcpus, ELISA_STACK_MAX_VCPUS);
	if (!size || size % ELISA_PAGE_SIZE || offset % ELISA_PAGE_SIZE ||
	    offset >= ELISA_OBJECT_SIZE ||
	    size > (ELISA_OBJECT_SIZE - offset - ELISA_PAGE_SIZE) / 2 / vcpus / export_->places)
		return elisa_fail_text(
			export_->handle, EINVAL,
			"%s '%s': %u x %u stacks of %#zx bytes and as much between them from %#llx "
			"on; give multiples of %d that fit into the object area's %#llx bytes",
			doing, export_->name, export_->places, vcpus, size,
			(unsigned long long)offset, ELISA_PAGE_SIZE, ELISA_OBJECT_SIZE);
	stacks = stacks_new(offset, export_->places, vcpus, size);
	if (!stacks)
		return elisa_fail(export_->handle, ENOMEM, ELISA_OK, 0, doing, export_->name);
	ret = map_all(export_, stacks);
	if (ret < 0)
		elisa_stacks_free(stacks);
	else
		export_->stacks = stacks;
	return ret;
}

int elisa_stacks_enter(struct elisa_export *export_, uint64_t *entry)
{
	struct elisa_stacks *stacks = export_->stacks;
	uint64_t function = ELISA_OBJECT_BASE + *entry;

	if (!stacks)
		return 0;
	if (stacks->published && stacks->stub->entry != function)
		return elisa_fail(export_->handle, EBUSY, ELISA_WHY_PUBLISHED, export_->id,
				  "publish export", export_->name);
	stacks->stub->entry = function;
	*entry = stacks->offset;
	return 0;
}

void elisa_stacks_published(struct elisa_export *export_)
{
	if (export_->stacks)
		export_->stacks->published = true;
}
