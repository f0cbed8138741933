/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter in front of the exit-path hooks. It has a byte for each value of bits 13 to 31 of a
 * struct kvm_vcpu's address. The byte is 0 if no vCPU that is set up has this value. The struct is
 * larger than 8 KiB. So two vCPUs share a byte only if their addresses differ by about a multiple
 * of 4 GiB. A CPU reads one cache line of the filter for each vCPU that it runs.
 */
#ifndef ELISA_HOST_FILTER_H
#define ELISA_HOST_FILTER_H

#define EH_FILTER_SHIFT 13
#define EH_FILTER_SIZE	(1 << (32 - EH_FILTER_SHIFT))

#endif
