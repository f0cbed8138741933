/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the module's device, and explains errors of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "elisactl.h"

static const char *what_to_do(int error)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return "load the module: modprobe elisa (elisactl check tells what it needs)";
	case EPERM:
	case EACCES:
		return "run it as root (CAP_SYS_ADMIN)";
	case ENOTTY:
	case EINVAL:
		return "use the elisactl of the module's release; inside a VM /dev/elisa is another "
		       "device";
	default:
		return "see the kernel's log (dmesg)";
	}
}

int fail(const char *doing, int error)
{
	fprintf(stderr, "elisactl: %s: %s; %s\n", doing, strerrordesc_np(error), what_to_do(error));
	return 1;
}

int open_device(const struct options *options)
{
	int fd = open(options->device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail(options->device, errno);
	return fd;
}
