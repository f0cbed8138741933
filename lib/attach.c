/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side: attach, call, detach. An attachment's stub address comes from the driver. No
 * thread may call it after elisa_detach().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

struct attachment {
	struct elisa_attachment public; /* first: callers hold its address */
	struct elisa *handle;
	void *exchange;
	size_t exchange_length;
	uint32_t slot;
	uint32_t flags;
	uint32_t mode;
	uint32_t export_flags;
	uint32_t place;
	char subject[ELISA_NAME_SIZE]; /* for texts: the name, or a word for a ticket */
};

static struct attachment *own(const struct elisa_attachment *attachment)
{
	return (struct attachment *)(uintptr_t)attachment;
}

/* Attaches. `request` holds a name or a ticket, and this fills in and checks the other fields. */
static int attach(struct elisa *handle, struct elisa_ioc_attach *request, const char *subject,
		  void *exchange, size_t length, struct elisa_attachment **made)
{
	static const char doing[] = "attach to";
	struct attachment *attachment;
	uint64_t address = (uintptr_t)exchange;
	int ret;

	if (request->flags & ~ELISA_ATTACH_FLAGS)
		return elisa_fail(handle, EINVAL, ELISA_WHY_FIELD, request->flags, doing, subject);
	if (!exchange != !length)
		return elisa_fail(handle, EINVAL, exchange ? ELISA_WHY_NO_PAGES : ELISA_WHY_ADDRESS,
				  address, doing, subject);
	if (address % ELISA_PAGE_SIZE)
		return elisa_fail(handle, EINVAL, ELISA_WHY_RANGE, address, doing, subject);
	if (length % ELISA_PAGE_SIZE || length > ELISA_EXCHANGE_MAX_PAGES * ELISA_PAGE_SIZE)
		return elisa_fail(handle, EINVAL, ELISA_WHY_RANGE, length, doing, subject);

	attachment = calloc(1, sizeof(*attachment));
	if (!attachment)
		return elisa_fail(handle, ENOMEM, ELISA_OK, 0, doing, subject);
	request->exchange = address;
	request->exchange_length = length;
	ret = elisa_request(handle, ELISA_IOC_ATTACH, &request->status, doing, subject);
	if (ret < 0) {
		free(attachment);
		return ret;
	}

	attachment->public.call = request->call;
	attachment->handle = handle;
	attachment->exchange = exchange;
	attachment->exchange_length = length;
	attachment->slot = request->slot;
	attachment->flags = request->flags;
	attachment->mode = request->mode;
	attachment->export_flags = request->export_flags;
	attachment->place = request->place;
	strncpy(attachment->subject, subject, sizeof(attachment->subject) - 1);
	elisa_count(handle, 1);
	*made = &attachment->public;
	return 0;
}

static int check_attach(struct elisa *handle, struct elisa_attachment **made)
{
	if (!handle || !made)
		return elisa_fail_text(handle, EINVAL,
				       "attach: handle or made is NULL; open the device, and give "
				       "a place for the attachment");
	*made = NULL;
	return 0;
}

ELISA_PUBLIC int elisa_attach(struct elisa *handle, const char *name, uint32_t flags,
			      void *exchange, size_t length, struct elisa_attachment **made)
{
	struct elisa_ioc_attach request = {.flags = flags};
	int ret = check_attach(handle, made);

	if (ret < 0)
		return ret;
	ret = elisa_check_name(handle, name, "attach to");
	if (ret < 0)
		return ret;
	memcpy(request.name, name, strlen(name));
	return attach(handle, &request, name, exchange, length, made);
}

ELISA_PUBLIC int elisa_attach_private(struct elisa *handle, const uint8_t ticket[ELISA_TICKET_SIZE],
				      uint32_t flags, void *exchange, size_t length,
				      struct elisa_attachment **made)
{
	static const uint8_t none[ELISA_TICKET_SIZE];
	struct elisa_ioc_attach request = {.flags = flags};
	int ret = check_attach(handle, made);

	if (ret < 0)
		return ret;
	if (!ticket || !memcmp(ticket, none, sizeof(none)))
		return elisa_fail_text(handle, EINVAL,
				       "attach: the ticket is NULL or all 0; use the %d bytes that "
				       "the manager got from elisa_export_create_private()",
				       ELISA_TICKET_SIZE);
	memcpy(request.ticket, ticket, sizeof(request.ticket));
	ret = attach(handle, &request, "(ticket)", exchange, length, made);
	explicit_bzero(request.ticket, sizeof(request.ticket));
	return ret;
}

ELISA_PUBLIC int elisa_detach(struct elisa_attachment *attachment)
{
	struct attachment *ended = own(attachment);
	struct elisa_ioc_detach request = {0};
	int ret;

	if (!attachment)
		return 0;
	request.slot = ended->slot;
	ret = elisa_request(ended->handle, ELISA_IOC_DETACH, &request.status, "detach from",
			    ended->subject);
	if (ret < 0 && request.status.why != ELISA_WHY_NO_ATTACHMENT)
		return ret;
	elisa_count(ended->handle, -1);
	free(ended);
	return 0;
}

ELISA_PUBLIC int elisa_donate(struct elisa_attachment *attachment, void *address, size_t length,
			      uint64_t *donated)
{
	static const char doing[] = "donate memory to";
	struct elisa_ioc_donate request = {.address = (uintptr_t)address, .length = length};
	struct attachment *donor = own(attachment);
	int ret;

	if (!attachment)
		return elisa_fail_text(NULL, EINVAL, "%s: the attachment is NULL; attach first",
				       doing);
	if (!length)
		return elisa_fail(donor->handle, EINVAL, ELISA_WHY_NO_PAGES, 0, doing,
				  donor->subject);
	if (length % ELISA_PAGE_SIZE)
		return elisa_fail(donor->handle, EINVAL, ELISA_WHY_RANGE, length, doing,
				  donor->subject);
	if (!address || request.address % ELISA_PAGE_SIZE)
		return elisa_fail(donor->handle, EINVAL, ELISA_WHY_ADDRESS, request.address, doing,
				  donor->subject);
	request.slot = donor->slot;
	ret = elisa_request(donor->handle, ELISA_IOC_DONATE, &request.status, doing,
			    donor->subject);
	if (!ret && donated)
		*donated = request.donated;
	return ret;
}

ELISA_PUBLIC uint32_t elisa_attachment_place(const struct elisa_attachment *attachment)
{
	return own(attachment)->place;
}

ELISA_PUBLIC struct elisa *elisa_attachment_handle(const struct elisa_attachment *attachment)
{
	return own(attachment)->handle;
}

ELISA_PUBLIC uint32_t elisa_attachment_slot(const struct elisa_attachment *attachment)
{
	return own(attachment)->slot;
}

ELISA_PUBLIC enum elisa_mode elisa_attachment_mode(const struct elisa_attachment *attachment)
{
	return (enum elisa_mode)own(attachment)->mode;
}

ELISA_PUBLIC uint32_t elisa_attachment_flags(const struct elisa_attachment *attachment)
{
	return own(attachment)->flags;
}

ELISA_PUBLIC uint32_t elisa_attachment_export_flags(const struct elisa_attachment *attachment)
{
	return own(attachment)->export_flags;
}

ELISA_PUBLIC int elisa_attachment_general(const struct elisa_attachment *attachment)
{
	return (own(attachment)->flags & ELISA_ATTACH_TRUST_MANAGER) &&
	       (own(attachment)->export_flags & ELISA_EXPORT_GENERAL_REGS);
}

ELISA_PUBLIC void *elisa_attachment_exchange(const struct elisa_attachment *attachment)
{
	return own(attachment)->exchange;
}

ELISA_PUBLIC size_t elisa_attachment_exchange_length(const struct elisa_attachment *attachment)
{
	return own(attachment)->exchange_length;
}

ELISA_PUBLIC struct elisa_result elisa_call_c(const struct elisa_attachment *attachment, long a0,
					      long a1, long a2, long a3, long a4, long a5)
{
	return elisa_call(attachment, a0, a1, a2, a3, a4, a5);
}
