// SPDX-License-Identifier: Apache-2.0
/*
 * Turns a machine test into an attack: each KVM_RUN counts as one try. The program is linked with
 * --wrap=ioctl. The checks of the machine test itself tell what is unexpected.
 */
#include <stdarg.h>
#include <sys/ioctl.h>
#include "attack.h"

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list arguments;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (request == KVM_RUN)
		attack_tries(1, 0, NULL);
	return __real_ioctl(fd, request, argument);
}
