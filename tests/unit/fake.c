/* SPDX-License-Identifier: Apache-2.0 */
/* The fake driver. It must never access the memory at an address in a request. */
#include <errno.h>
#include <string.h>
#include <linux/ioctl.h>
#include "../../lib/internal.h"
#include "fake.h"

static int open_fake(void *context, const char *path)
{
	struct fake *fake = context;

	(void)path;
	if (fake->open_error)
		return -fake->open_error;
	fake->opened++;
	return 1000;
}

static void answer(struct fake *fake, unsigned long request, void *argument)
{
	struct elisa_ioc_attach *attach = argument;
	struct elisa_ioc_export *export_ = argument;
	struct elisa_ioc_info *info = argument;

	switch (request) {
	case ELISA_IOC_INFO:
		info->flags = ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH;
		break;
	case ELISA_IOC_EXPORT_CREATE:
		export_->id = 7;
		break;
	case ELISA_IOC_EXPORT_MAP:
		if (fake->maps < 16)
			fake->map[fake->maps] = fake->last.map;
		fake->maps++;
		break;
	case ELISA_IOC_EXPORT_UNMAP:
		fake->unmaps++;
		break;
	case ELISA_IOC_ATTACH:
		attach->slot = 5;
		attach->call = fake->call;
		attach->exchange_in_sub = 0x60012f300000;
		attach->mode = ELISA_MODE_TRUSTED;
		attach->export_flags = fake->export_flags;
		attach->place = 3;
		break;
	case ELISA_IOC_DONATE:
		if (fake->donations < 16)
			fake->donate[fake->donations] = fake->last.donate;
		fake->donations++;
		((struct elisa_ioc_donate *)argument)->donated = 0x5000;
		break;
	}
}

static int ioctl_fake(void *context, int fd, unsigned long request, void *argument)
{
	struct fake *fake = context;
	struct elisa_status *status = argument;

	if (fd != 1000)
		return -EBADF;
	fake->requests++;
	fake->request = request;
	memcpy(&fake->last, argument, _IOC_SIZE(request));
	if (fake->error && (!fake->fail_at || fake->fail_at == fake->requests)) {
		status->why = fake->why;
		status->value = fake->value;
		return -fake->error;
	}
	answer(fake, request, argument);
	return 0;
}

static ssize_t read_fake(void *context, int fd, void *buffer, size_t size)
{
	struct fake *fake = context;

	if (fd != 1000)
		return -EBADF;
	if (fake->events_size > 0 && (size_t)fake->events_size <= size && fake->events)
		memcpy(buffer, fake->events, (size_t)fake->events_size);
	return fake->events_size;
}

static void close_fake(void *context, int fd)
{
	struct fake *fake = context;

	if (fd == 1000)
		fake->closed++;
}

int fake_open(struct fake *fake, struct elisa **handle)
{
	static const struct elisa_transport transport = {
		.open = open_fake,
		.ioctl = ioctl_fake,
		.read = read_fake,
		.close = close_fake,
	};

	return elisa_open_transport(&transport, fake, "/dev/fake", handle);
}
