/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter in front of the exit-path hooks: a byte for each value of bits 13 to 31 of a
 * vCPU's address, 0 if no vCPU that is set up has it. vCPUs are larger than 8 KiB, so two
 * share a byte only if their addresses differ by a multiple of 4 GiB, or nearly. A CPU touches one
 * line of it for each vCPU that it runs, however large it is.
 */
#ifndef ELISA_HOST_FILTER_H
#define ELISA_HOST_FILTER_H

#define EH_FILTER_SHIFT 13
#define EH_FILTER_SIZE	(1 << (32 - EH_FILTER_SHIFT))

#endif
