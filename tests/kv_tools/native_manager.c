/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into elisa-kv, a libelisa of managers without a host: an export is memory of this process
 * that no guest comes to. Two items are in the store when it is published.
 */
#include <elisa/extra.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include "manager.h"

static struct {
	int created, published, places;
	struct kv_store *store;
	int64_t distance;
	uint32_t suspend_us;
} made;

struct elisa {
	int fd;
};

static struct elisa device;

int elisa_open(const char *path, struct elisa **handle)
{
	(void)path;
	device.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*handle = &device;
	return device.fd < 0 ? -errno : 0;
}

int elisa_close(struct elisa *handle)
{
	(void)handle;
	return made.created ? -EBUSY : 0;
}

int elisa_fd(const struct elisa *handle)
{
	return handle->fd;
}

const char *elisa_error(struct elisa *handle)
{
	(void)handle;
	return "refused";
}

void elisa_set_suspend_limit(struct elisa *handle, uint32_t suspend_us)
{
	(void)handle;
	made.suspend_us = suspend_us;
}

int elisa_export_create(struct elisa *handle, const char *name, uint32_t flags, uint32_t limit_us,
			struct elisa_export **export_)
{
	(void)handle;
	(void)limit_us;
	*export_ = (struct elisa_export *)&made;
	made.created = 1;
	return flags == (ELISA_EXPORT_GENERAL_REGS | ELISA_EXPORT_FAULTS) &&
			       strcmp(name, "refused") ?
		       0 :
		       -EPERM;
}

int elisa_export_map(struct elisa_export *export_, uint64_t offset, const void *address,
		     size_t length, uint32_t prot)
{
	(void)export_;
	(void)offset;
	(void)length;
	(void)prot;
	made.store = (struct kv_store *)(uintptr_t)address;
	return 0;
}

int elisa_export_places(struct elisa_export *export_, uint64_t offset, uint32_t count, size_t size,
			uint32_t per_vmm)
{
	(void)export_;
	(void)offset;
	made.places = (int)count;
	return size == ELISA_PAGE_SIZE && per_vmm && per_vmm <= count ? 0 : -EINVAL;
}

int elisa_export_place_ticket(struct elisa_export *export_, uint32_t place,
			      const uint8_t ticket[ELISA_TICKET_SIZE])
{
	(void)export_;
	(void)ticket;
	return place < (uint32_t)made.places ? 0 : -EINVAL;
}

int elisa_export_destroy(struct elisa_export *export_)
{
	(void)export_;
	made.created = 0;
	return 0;
}

int elisa_extra_load(struct elisa_export *export_, const char *file, uint64_t offset,
		     struct elisa_extra_image **image)
{
	(void)export_;
	(void)offset;
	*image = (struct elisa_extra_image *)&made;
	return strcmp(file, "refused") ? 0 : -ENOENT;
}

int elisa_extra_symbol(struct elisa_extra_image *image, const char *name, uint64_t *offset)
{
	(void)image;
	*offset = 0x1000;
	return strcmp(name, "kv_store_distance") ? -ENOENT : 0;
}

void *elisa_extra_address(struct elisa_extra_image *image, const char *name)
{
	(void)image;
	(void)name;
	return &made.distance;
}

void elisa_extra_unload(struct elisa_extra_image *image)
{
	(void)image;
}

static void put(const char *key_, uint32_t ttl)
{
	uint8_t key[KV_KEY_MAX], value[] = "value";
	const struct kv_record record = {.ttl = ttl,
					 .key_length = (uint32_t)strlen(key_),
					 .length = sizeof(value),
					 .key = memcpy(key, key_, strlen(key_)),
					 .value = value};

	if (kv_manager_put(made.store, 0, &record))
		abort();
}

int elisa_extra_publish(struct elisa_extra_image *image, const char *function)
{
	(void)image;
	if (made.distance != (1ll << 30) - 0x1000 || strcmp(function, "entry_function"))
		return -EINVAL;
	made.published = 1;
	put("for ever", KV_TTL_NEVER);
	put("for a second", 1);
	return 0;
}

int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room)
{
	static int told;

	(void)handle;
	if (told++ || room < 2)
		return 0;
	events[0] = (struct elisa_event){.type = ELISA_EVENT_ATTACH, .attachment = 7, .value = 0};
	events[1] = (struct elisa_event){.type = ELISA_EVENT_FAULT, .attachment = 7, .vcpu = 3};
	return 2;
}

int elisa_fault_text(struct elisa_export *export_, const struct elisa_event *event, char *text,
		     size_t size)
{
	(void)export_;
	(void)event;
	return snprintf(text, size, "what it did");
}
