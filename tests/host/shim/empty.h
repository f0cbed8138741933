/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of a kernel header: kernel.h has come before it (-include). */
