/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handle: it opens the guest driver's device, makes requests, and reads events. It must never
 * block. So the device is opened non-blocking, and a program that wants to wait polls its
 * descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "internal.h"

static int device_open(void *context, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	(void)context;
	return fd < 0 ? -errno : fd;
}

static int device_ioctl(void *context, int fd, unsigned long request, void *argument)
{
	(void)context;
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static ssize_t device_read(void *context, int fd, void *buffer, size_t size)
{
	ssize_t done = read(fd, buffer, size);

	(void)context;
	return done < 0 ? -errno : done;
}

static void device_close(void *context, int fd)
{
	(void)context;
	close(fd);
}

const struct elisa_transport elisa_device_transport = {
	.open = device_open,
	.ioctl = device_ioctl,
	.read = device_read,
	.close = device_close,
};

int elisa_request(struct elisa *handle, unsigned long request, struct elisa_status *status,
		  const char *doing, const char *subject)
{
	int ret;

	status->why = ELISA_OK;
	status->value = 0;
	ret = handle->transport->ioctl(handle->context, handle->fd, request, status);
	if (ret < 0)
		return elisa_fail(handle, -ret, status->why, status->value, doing, subject);
	return 0;
}

void elisa_count(struct elisa *handle, int change)
{
	pthread_mutex_lock(&handle->lock);
	handle->objects += change;
	pthread_mutex_unlock(&handle->lock);
}

static int say_hello(struct elisa *handle, const char *path)
{
	struct elisa_ioc_info info = {.abi = ELISA_ABI_VERSION};
	int ret = handle->transport->ioctl(handle->context, handle->fd, ELISA_IOC_INFO, &info);

	if (ret < 0)
		return elisa_fail(NULL, -ret, info.status.why, info.status.value, "open", path);
	handle->rights = info.flags;
	return 0;
}

int elisa_open_transport(const struct elisa_transport *transport, void *context, const char *path,
			 struct elisa **handle)
{
	struct elisa *opened;
	int ret;

	*handle = NULL;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return elisa_fail(NULL, ENOMEM, ELISA_OK, 0, "open", path);
	opened->transport = transport;
	opened->context = context;
	pthread_mutex_init(&opened->lock, NULL);

	ret = transport->open(context, path);
	if (ret < 0) {
		elisa_fail(NULL, -ret, ELISA_OK, 0, "open", path);
		goto err_free;
	}
	opened->fd = ret;
	ret = say_hello(opened, path);
	if (ret < 0)
		goto err_close;
	*handle = opened;
	return 0;

err_close:
	transport->close(context, opened->fd);
err_free:
	pthread_mutex_destroy(&opened->lock);
	free(opened);
	return ret;
}

ELISA_PUBLIC int elisa_open(const char *path, struct elisa **handle)
{
	if (!handle)
		return elisa_fail_text(NULL, EINVAL,
				       "open: handle is NULL; give a place for the handle");
	return elisa_open_transport(&elisa_device_transport, NULL, path ? path : ELISA_DEVICE,
				    handle);
}

ELISA_PUBLIC int elisa_close(struct elisa *handle)
{
	unsigned int objects;

	if (!handle)
		return 0;
	pthread_mutex_lock(&handle->lock);
	objects = handle->objects;
	pthread_mutex_unlock(&handle->lock);
	if (objects)
		return elisa_fail_text(handle, EBUSY,
				       "close: %u exports and attachments use this handle; destroy "
				       "and detach them first",
				       objects);
	handle->transport->close(handle->context, handle->fd);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
	return 0;
}

ELISA_PUBLIC uint32_t elisa_rights(const struct elisa *handle)
{
	return handle->rights;
}

ELISA_PUBLIC int elisa_vcpu_exits(struct elisa *handle, uint64_t exits[ELISA_EXIT_REASONS],
				  uint64_t *return_traps)
{
	struct elisa_ioc_info info = {.abi = ELISA_ABI_VERSION};
	int ret = handle->transport->ioctl(handle->context, handle->fd, ELISA_IOC_INFO, &info);

	if (ret < 0)
		return elisa_fail(handle, -ret, info.status.why, info.status.value, "count exits",
				  NULL);
	memcpy(exits, info.exits, sizeof(info.exits));
	*return_traps = info.return_traps;
	return 0;
}

ELISA_PUBLIC int elisa_doorbell(struct elisa *handle, int eventfd)
{
	struct elisa_ioc_doorbell request = {.fd = eventfd};

	if (!handle)
		return elisa_fail_text(NULL, EINVAL, "doorbell: the handle is NULL; open first");
	return elisa_request(handle, ELISA_IOC_DOORBELL, &request.status, "be signalled by",
			     "the doorbell");
}

ELISA_PUBLIC int elisa_fd(const struct elisa *handle)
{
	return handle->fd;
}

ELISA_PUBLIC int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room)
{
	ssize_t done;

	if (!handle || !events || !room)
		return elisa_fail_text(handle, EINVAL,
				       "read events: room for %zu events; give an array of one or "
				       "more",
				       events ? room : 0);
	if (room > ELISA_HC_EVENTS_MAX)
		room = ELISA_HC_EVENTS_MAX;
	done = handle->transport->read(handle->context, handle->fd, events, room * sizeof(*events));
	if (done == -EAGAIN)
		return 0;
	if (done < 0)
		return elisa_fail(handle, (int)-done, ELISA_OK, 0, "read events", NULL);
	if ((size_t)done > room * sizeof(*events) || done % sizeof(*events))
		return elisa_fail_text(handle, EIO,
				       "read events: the driver gave %zd bytes, records have %zu; "
				       "install the driver and the library of the same release",
				       done, sizeof(*events));
	return (int)(done / sizeof(*events));
}
