// SPDX-License-Identifier: Apache-2.0
/*
 * Answers ioctl(2) as the host module. There are two VMs, of which one has vCPUs in all states and
 * with a reason that no vocabulary has. Two attachments are interrupted ever more often. elisactl
 * shows these with --device and any file. With ELISA_FAKE_VMS in its environment there are no VMs.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <elisa/host_ioctl.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct elisa_host_vm vms[] = {
	{.id = 1, .pid = 4001, .vcpus = 1, .exports = 1, .abi = 2, .pages = 300},
	{.id = 2, .pid = 4002, .vcpus = 5, .attachments = 2, .abi = 2, .pages = 17},
};

static const struct elisa_host_vcpu vcpus[] = {
	{.vm = 1, .closed = ELISA_CLOSED_NOT_ATTACHED},
	{.vm = 2,
	 .vcpu = 0,
	 .state = ELISA_VCPU_OPEN,
	 .attachments = 2,
	 .return_traps = 9,
	 .calls = 80},
	{.vm = 2, .vcpu = 1, .state = ELISA_VCPU_SUSPENDED, .attachments = 2},
	{.vm = 2,
	 .vcpu = 2,
	 .state = ELISA_VCPU_CLOSED,
	 .closed = ELISA_CLOSED_PCID,
	 .attachments = 2},
	{.vm = 2,
	 .vcpu = 3,
	 .state = ELISA_VCPU_CLOSED,
	 .closed = ELISA_CLOSED_PCID,
	 .attachments = 2},
	{.vm = 2, .vcpu = 4, .state = 77, .closed = 99, .attachments = 2},
};

static struct elisa_host_export exports[] = {
	{.id = 7,
	 .vm = 1,
	 .state = ELISA_EXPORT_LIVE,
	 .pages = 256,
	 .attachments = 2,
	 .aborts = 5,
	 .name = "shop.a-long-name_that.is.as.long.as.a.name.can.be.0123456789abcd"},
};

static struct elisa_host_attachment attachments[] = {
	{.vm = 2,
	 .slot = 0,
	 .export_id = 7,
	 .number = 1,
	 .vcpus = 5,
	 .aborts = 5,
	 .name = "few",
	 .flags = ELISA_EXPORT_COUNTED,
	 .calls = 70},
	{.vm = 2, .slot = 1, .export_id = 7, .number = 2, .vcpus = 5, .name = "many"},
};

static void count(struct elisa_host_spans *spans, int bucket, uint64_t times)
{
	spans->times[bucket] += times;
	spans->ns += times * ELISA_SPAN_NS(bucket) * 3 / 4;
}

static void time_goes_on(void)
{
	attachments[0].aborts += 1000;
	attachments[0].calls += 50000;
	exports[0].aborts += 1000;
	count(&attachments[0].suspended, 2, 100);
	count(&attachments[1].suspended, 0, 1000);
	count(&exports[0].suspended, 2, 100);
	count(&exports[0].suspended, 0, 1000);
	count(&exports[0].suspended, ELISA_SPANS - 1, 1);
}

static void give(struct elisa_host_list *list, const void *records, size_t size, size_t have)
{
	const uint32_t n = list->room < have ? list->room : (uint32_t)have;

	for (uint32_t i = 0; i < n; i++)
		memcpy((char *)(uintptr_t)list->records + (size_t)i * list->size,
		       (const char *)records + i * size, size < list->size ? size : list->size);
	list->count = (uint32_t)have;
}

static int lists(struct elisa_host_list *list)
{
	switch (list->kind) {
	case ELISA_HOST_VMS:
		give(list, vms, sizeof(*vms), getenv("ELISA_FAKE_VMS") ? 0 : COUNT_OF(vms));
		return 0;
	case ELISA_HOST_VCPUS:
		give(list, vcpus, sizeof(*vcpus), COUNT_OF(vcpus));
		return 0;
	case ELISA_HOST_EXPORTS:
		give(list, exports, sizeof(*exports), COUNT_OF(exports));
		return 0;
	case ELISA_HOST_ATTACHMENTS:
		time_goes_on();
		give(list, attachments, sizeof(*attachments), COUNT_OF(attachments));
		return 0;
	}
	errno = EINVAL;
	return -1;
}

static int stats(struct elisa_host_stats *to)
{
	*to = (struct elisa_host_stats){
		.abi = 2, .flags = ELISA_HOST_ARMED, .count = ELISA_COUNT_COUNT, .abi_oldest = 1};
	for (uint32_t i = 0; i < to->count; i++)
		to->counter[i] = i + 1;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	(void)fd;
	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == ELISA_HOST_IOC_LIST)
		return lists(argument);
	if (request == ELISA_HOST_IOC_STATS)
		return stats(argument);
	errno = ENOTTY;
	return -1;
}
