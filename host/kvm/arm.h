/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of hooks, which the layer above passes to arm.c. */
#ifndef ELISA_HOST_ARM_H
#define ELISA_HOST_ARM_H

#include "kvm/compat.h"

/* A hook: ftrace calls @entry at @count functions of KVM, which follow each other in their list. */
struct eh_hook {
	void (*entry)(void);
	enum eh_hook_id first;
	unsigned int count;
	struct ftrace_ops ops;
};

struct eh_hooks {
	struct eh_hook *hook;
	unsigned int count;
};

int eh_arm_init(const struct eh_hooks *rare, const struct eh_hooks *path, unsigned long *sites);
void eh_arm_exit(void);

#endif
