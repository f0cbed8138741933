/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's side: create, map, publish, destroy. The library refuses malformed requests with
 * the same reasons as the driver. No part of the system may rely on the library's checks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "internal.h"

/* the flags that a program may pass; PRIVATE has a function of its own */
#define EXPORT_FLAGS (ELISA_EXPORT_FLAGS & ~ELISA_EXPORT_PRIVATE)

static bool name_is_good(const char *name, size_t length)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";

	return length > 0 && length < ELISA_NAME_SIZE && strspn(name, good) == length;
}

int elisa_check_name(struct elisa *handle, const char *name, const char *doing)
{
	size_t length = name ? strlen(name) : 0;

	if (!name_is_good(name ? name : "", length))
		return elisa_fail(handle, EINVAL, ELISA_WHY_NAME, length, doing, name);
	return 0;
}

static int create(struct elisa *handle, const char *name, uint32_t flags, uint32_t limit_us,
		  const uint8_t *ticket, struct elisa_export **made)
{
	static const char doing[] = "create export";
	struct elisa_ioc_export request = {
		.flags = flags, .limit_us = limit_us, .suspend_us = handle->suspend_us};
	struct elisa_export *export_;
	int ret;

	export_ = calloc(1, sizeof(*export_));
	if (!export_)
		return elisa_fail(handle, ENOMEM, ELISA_OK, 0, doing, name);
	export_->handle = handle;
	export_->flags = flags;
	memcpy(export_->name, name, strlen(name));
	memcpy(request.name, export_->name, sizeof(request.name));
	if (ticket)
		memcpy(request.ticket, ticket, sizeof(request.ticket));

	ret = elisa_request(handle, ELISA_IOC_EXPORT_CREATE, &request.status, doing, name);
	if (ret < 0) {
		free(export_);
		return ret;
	}
	export_->id = request.id;
	elisa_count(handle, 1);
	*made = export_;
	return 0;
}

static int check_create(struct elisa *handle, const char *name, uint32_t flags,
			struct elisa_export **made)
{
	static const char doing[] = "create export";

	if (!handle || !made)
		return elisa_fail_text(handle, EINVAL,
				       "create export: handle or made is NULL; open the device, "
				       "and give a place for the export");
	*made = NULL;
	if (flags & ~EXPORT_FLAGS)
		return elisa_fail(handle, EINVAL, ELISA_WHY_FIELD, flags, doing, name);
	return elisa_check_name(handle, name, doing);
}

ELISA_PUBLIC int elisa_export_create(struct elisa *handle, const char *name, uint32_t flags,
				     uint32_t limit_us, struct elisa_export **made)
{
	int ret = check_create(handle, name, flags, made);

	return ret < 0 ? ret : create(handle, name, flags, limit_us, NULL, made);
}

static int draw_ticket(struct elisa *handle, const char *name, uint8_t ticket[ELISA_TICKET_SIZE])
{
	size_t done = 0;

	while (done < ELISA_TICKET_SIZE) {
		ssize_t got = getrandom(ticket + done, ELISA_TICKET_SIZE - done, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return elisa_fail(handle, errno, ELISA_OK, 0, "draw a ticket for", name);
		done += (size_t)got;
	}
	return 0;
}

ELISA_PUBLIC int elisa_export_create_private(struct elisa *handle, const char *name, uint32_t flags,
					     uint32_t limit_us, uint8_t ticket[ELISA_TICKET_SIZE],
					     struct elisa_export **made)
{
	int ret = check_create(handle, name, flags, made);

	if (ret < 0)
		return ret;
	if (!ticket)
		return elisa_fail_text(handle, EINVAL,
				       "create export '%s': ticket is NULL; give %d bytes for it",
				       name, ELISA_TICKET_SIZE);
	ret = draw_ticket(handle, name, ticket);
	if (ret < 0)
		return ret;
	ret = create(handle, name, flags | ELISA_EXPORT_PRIVATE, limit_us, ticket, made);
	if (ret < 0)
		explicit_bzero(ticket, ELISA_TICKET_SIZE);
	return ret;
}

static int no_export(const char *doing)
{
	return elisa_fail_text(NULL, EINVAL, "%s: the export is NULL; create one first", doing);
}

/* Refuses a range that is not whole pages of the object area. */
static int check_range(const struct elisa_export *export_, uint64_t offset, size_t length,
		       const char *doing)
{
	uint64_t bad;

	if (!length)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_NO_PAGES, 0, doing,
				  export_->name);
	if (offset % ELISA_PAGE_SIZE || offset >= ELISA_OBJECT_SIZE)
		bad = offset;
	else if (length % ELISA_PAGE_SIZE || length > ELISA_OBJECT_SIZE - offset)
		bad = length;
	else
		return 0;
	return elisa_fail(export_->handle, EINVAL, ELISA_WHY_RANGE, bad, doing, export_->name);
}

static int map(struct elisa_export *export_, unsigned long command, uint64_t offset,
	       uint64_t address, size_t length, uint32_t prot)
{
	static const char doing[] = "map memory into export";
	struct elisa_ioc_map request = {
		.prot = prot,
		.offset = offset,
		.address = address,
		.length = length,
	};
	int ret;

	if (!export_)
		return no_export(doing);
	ret = check_range(export_, offset, length, doing);
	if (ret < 0)
		return ret;
	if (prot != ELISA_PROT_READ && prot != (ELISA_PROT_READ | ELISA_PROT_WRITE) &&
	    prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_PROT, prot, doing,
				  export_->name);
	if (!address)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_ADDRESS, 0, doing,
				  export_->name);
	if (request.address % ELISA_PAGE_SIZE || request.address + length < length)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_RANGE, request.address, doing,
				  export_->name);
	request.id = export_->id;
	return elisa_request(export_->handle, command, &request.status, doing, export_->name);
}

ELISA_PUBLIC int elisa_export_map(struct elisa_export *export_, uint64_t offset,
				  const void *address, size_t length, uint32_t prot)
{
	return map(export_, ELISA_IOC_EXPORT_MAP, offset, (uintptr_t)address, length, prot);
}

ELISA_PUBLIC int elisa_export_map_physical(struct elisa_export *export_, uint64_t offset,
					   uint64_t address, size_t length, uint32_t prot)
{
	return map(export_, ELISA_IOC_EXPORT_MAP_PHYSICAL, offset, address, length, prot);
}

ELISA_PUBLIC int elisa_export_unmap(struct elisa_export *export_, uint64_t offset, size_t length)
{
	static const char doing[] = "unmap memory from export";
	struct elisa_ioc_unmap request = {.offset = offset, .length = length};
	int ret;

	if (!export_)
		return no_export(doing);
	ret = check_range(export_, offset, length, doing);
	if (ret < 0)
		return ret;
	request.id = export_->id;
	return elisa_request(export_->handle, ELISA_IOC_EXPORT_UNMAP, &request.status, doing,
			     export_->name);
}

ELISA_PUBLIC int elisa_export_publish(struct elisa_export *export_, uint64_t entry)
{
	static const char doing[] = "publish export";
	struct elisa_ioc_publish request = {0};
	int ret;

	if (!export_)
		return no_export(doing);
	if (entry >= ELISA_OBJECT_SIZE)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_ENTRY, entry, doing,
				  export_->name);
	ret = elisa_stacks_enter(export_, &entry);
	if (ret < 0)
		return ret;
	request.id = export_->id;
	request.entry = entry;
	ret = elisa_request(export_->handle, ELISA_IOC_EXPORT_PUBLISH, &request.status, doing,
			    export_->name);
	if (!ret)
		elisa_stacks_published(export_);
	return ret;
}

ELISA_PUBLIC int elisa_export_places(struct elisa_export *export_, uint64_t offset, uint32_t count,
				     size_t size, uint32_t per_vmm)
{
	static const char doing[] = "make places in export";
	struct elisa_ioc_places request = {
		.count = count,
		.offset = offset,
		.size = size,
		.per_vmm = per_vmm,
	};
	int ret;

	if (!export_)
		return no_export(doing);
	if (!count || count > ELISA_MAX_PLACES)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_FIELD, count, doing,
				  export_->name);
	if (per_vmm > count)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_FIELD, per_vmm, doing,
				  export_->name);
	if (size % ELISA_PAGE_SIZE || size > ELISA_OBJECT_SIZE / count)
		return elisa_fail(export_->handle, EINVAL, ELISA_WHY_RANGE, size, doing,
				  export_->name);
	ret = check_range(export_, offset, size * count, doing);
	if (ret < 0)
		return ret;
	request.id = export_->id;
	ret = elisa_request(export_->handle, ELISA_IOC_PLACES, &request.status, doing,
			    export_->name);
	if (!ret)
		export_->places = count;
	return ret;
}

ELISA_PUBLIC int elisa_export_place_ticket(struct elisa_export *export_, uint32_t place,
					   const uint8_t ticket[ELISA_TICKET_SIZE])
{
	static const char doing[] = "keep a place in export";
	static const uint8_t none[ELISA_TICKET_SIZE];
	struct elisa_ioc_ticket request = {.place = place};
	int ret;

	if (!export_)
		return no_export(doing);
	if (ticket && !memcmp(ticket, none, sizeof(none)))
		return elisa_fail_text(export_->handle, EINVAL,
				       "%s '%s': the ticket is all 0; draw %d random bytes", doing,
				       export_->name, ELISA_TICKET_SIZE);
	if (ticket)
		memcpy(request.ticket, ticket, sizeof(request.ticket));
	request.id = export_->id;
	ret = elisa_request(export_->handle, ELISA_IOC_TICKET, &request.status, doing,
			    export_->name);
	explicit_bzero(request.ticket, sizeof(request.ticket));
	return ret;
}

ELISA_PUBLIC int elisa_evict(struct elisa_export *export_, uint64_t attachment)
{
	static const char doing[] = "evict an attachment of export";
	struct elisa_ioc_evict request = {.attachment = attachment};

	if (!export_)
		return no_export(doing);
	request.id = export_->id;
	return elisa_request(export_->handle, ELISA_IOC_EVICT, &request.status, doing,
			     export_->name);
}

ELISA_PUBLIC void elisa_set_suspend_limit(struct elisa *handle, uint32_t suspend_us)
{
	handle->suspend_us = suspend_us;
}

ELISA_PUBLIC int elisa_export_destroy(struct elisa_export *export_)
{
	struct elisa_ioc_destroy request = {0};
	int ret;

	if (!export_)
		return 0;
	request.id = export_->id;
	ret = elisa_request(export_->handle, ELISA_IOC_EXPORT_DESTROY, &request.status,
			    "destroy export", export_->name);
	if (ret < 0 && request.status.why != ELISA_WHY_NO_EXPORT)
		return ret;
	elisa_count(export_->handle, -1);
	elisa_names_forget(export_);
	elisa_stacks_free(export_->stacks);
	free(export_);
	return 0;
}

ELISA_PUBLIC struct elisa *elisa_export_handle(const struct elisa_export *export_)
{
	return export_->handle;
}

ELISA_PUBLIC const char *elisa_export_name(const struct elisa_export *export_)
{
	return export_->name;
}

ELISA_PUBLIC uint32_t elisa_export_id(const struct elisa_export *export_)
{
	return export_->id;
}

ELISA_PUBLIC uint32_t elisa_export_flags(const struct elisa_export *export_)
{
	return export_->flags;
}
