/* SPDX-License-Identifier: Apache-2.0 */
/* A libelisa without a driver; see the header. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fake_elisa.h"

struct fake_elisa fake_elisa = {.rights = ELISA_HELLO_MAY_EXPORT};

struct elisa {
	int nothing;
};

static struct elisa device;
long fake_call_error;

void fake_stub(void);
__asm__(".pushsection .text\n"
	".type fake_stub, @function\n"
	"fake_stub:\n"
	"	endbr64\n"
	"	lea (%rdi,%rsi), %rax\n"
	"	add %rdx, %rax\n"
	"	add %r10, %rax\n"
	"	add %r8, %rax\n"
	"	add %r9, %rax\n"
	"	mov fake_call_error(%rip), %rdx\n"
	"	ret\n"
	".popsection\n");

int elisa_open(const char *path, struct elisa **handle)
{
	(void)path;
	*handle = &device;
	return -fake_elisa.open_error;
}

int elisa_close(struct elisa *handle)
{
	(void)handle;
	return 0;
}

uint32_t elisa_rights(const struct elisa *handle)
{
	(void)handle;
	return fake_elisa.rights;
}

const char *elisa_error(struct elisa *handle)
{
	return handle ? "fake failure" : "open: fake failure";
}

int elisa_export_create_private(struct elisa *handle, const char *name, uint32_t flags,
				uint32_t limit_us, uint8_t ticket[ELISA_TICKET_SIZE],
				struct elisa_export **made)
{
	(void)handle;
	(void)name;
	fake_elisa.flags = flags;
	fake_elisa.limit_us = limit_us;
	memset(ticket, 7, ELISA_TICKET_SIZE);
	*made = NULL;
	return 0;
}

int elisa_export_map(struct elisa_export *export_, uint64_t offset, const void *address,
		     size_t length, uint32_t prot)
{
	(void)export_;
	(void)length;
	fake_elisa.maps++;
	fake_elisa.address = (uintptr_t)address;
	fake_elisa.offset = offset;
	fake_elisa.prot = prot;
	return -fake_elisa.map_error;
}

int elisa_export_map_physical(struct elisa_export *export_, uint64_t offset, uint64_t address,
			      size_t length, uint32_t prot)
{
	fake_elisa.physical = address;
	return elisa_export_map(export_, offset, NULL, length, prot);
}

int elisa_export_publish(struct elisa_export *export_, uint64_t entry)
{
	(void)export_;
	(void)entry;
	return 0;
}

int elisa_export_destroy(struct elisa_export *export_)
{
	(void)export_;
	return 0;
}

struct elisa *elisa_export_handle(const struct elisa_export *export_)
{
	(void)export_;
	return &device;
}

int elisa_attach_private(struct elisa *handle, const uint8_t ticket[ELISA_TICKET_SIZE],
			 uint32_t flags, void *exchange, size_t length,
			 struct elisa_attachment **made)
{
	(void)handle;
	fake_elisa.flags = flags;
	(void)exchange;
	(void)length;
	if (fake_elisa.attach_error || ticket[0] != 7)
		return -EPERM;
	fake_call_error = fake_elisa.call_error;
	*made = calloc(1, sizeof(**made));
	(*made)->call = (uint64_t)(uintptr_t)fake_stub;
	fake_elisa.attached++;
	return 0;
}

int elisa_detach(struct elisa_attachment *attachment)
{
	free(attachment);
	fake_elisa.detached++;
	return 0;
}

const char *elisa_call_strerror(long error)
{
	return error ? "fake call error" : "no error";
}

int elisa_export_places(struct elisa_export *export_, uint64_t offset, uint32_t count, size_t size,
			uint32_t per_vmm)
{
	(void)export_;
	(void)size;
	(void)per_vmm;
	fake_elisa.places = count;
	fake_elisa.places_offset = offset;
	return 0;
}

int elisa_export_stacks(struct elisa_export *export_, uint64_t offset, size_t size, uint32_t vcpus)
{
	(void)export_;
	fake_elisa.stack_offset = offset;
	fake_elisa.stack_size = size;
	fake_elisa.stack_vcpus = vcpus;
	return -fake_elisa.stack_error;
}

int elisa_fd(const struct elisa *handle)
{
	(void)handle;
	return fake_elisa.event_fd ? fake_elisa.event_fd : -1;
}

int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room)
{
	(void)handle;
	return room && read(fake_elisa.event_fd, events, sizeof(*events)) == sizeof(*events);
}
