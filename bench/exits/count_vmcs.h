/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes the place of host/kvm/vmx.h in the benchmark's own build of the module, and counts. */
#ifndef ELISA_BENCH_COUNT_VMCS_H
#define ELISA_BENCH_COUNT_VMCS_H

#include <linux/atomic.h>
#include <host/kvm/vmx.h>

extern atomic_long_t elisa_vmcs_reads, elisa_vmcs_writes;

/* a macro's name in its own expansion means the function */
#define vmcs_get(field)	       (atomic_long_inc(&elisa_vmcs_reads), vmcs_get(field))
#define vmcs_set(field, value) (atomic_long_inc(&elisa_vmcs_writes), vmcs_set(field, value))

#endif
