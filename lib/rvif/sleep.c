/* SPDX-License-Identifier: Apache-2.0 */
#include "sleep.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int rvif_futex_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen, uint32_t timeout_us)
{
	struct rvif_queue *control = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	const struct timespec timeout = {
		.tv_sec = timeout_us / 1000000,
		.tv_nsec = timeout_us % 1000000 * 1000L,
	};

	if (syscall(SYS_futex, &control->completed, FUTEX_WAIT, seen, &timeout, NULL, 0) < 0)
		return errno == EAGAIN ? 0 : -errno;
	return 0;
}

int rvif_futex_kick(struct rvif_vnic *vnic, uint32_t queue)
{
	uint32_t *kicks = &rvif_header(vnic)->driver.kicks;

	(void)queue;
	__atomic_fetch_add(kicks, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, kicks, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}
