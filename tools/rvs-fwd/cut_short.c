/* SPDX-License-Identifier: Apache-2.0 */
/* A file that was cut short; see cut_short.h. */
#include "cut_short.h"

#include <stdlib.h>
#include <sys/mman.h>

sigjmp_buf cut_short;
static volatile sig_atomic_t may_jump;
static uint8_t *volatile fault_at; /* an address of one region */

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!may_jump) {
		struct sigaction fatal = {.sa_handler = SIG_DFL};

		sigaction(signal, &fatal, NULL);
		return; /* the access fails again, and the process ends */
	}
	fault_at = info->si_addr;
	siglongjmp(cut_short, 1);
}

void cut_short_catch(void)
{
	struct sigaction bus = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	sigaction(SIGBUS, &bus, NULL);
}

void cut_short_begin(void)
{
	may_jump = 1;
}

void cut_short_end(void)
{
	may_jump = 0;
}

/* Detaches a port without its memory. Zeroes take the memory's place, so that detaching can
 * write. */
static void drop(struct fwd *fwd, struct port *port)
{
	struct rvif_mapping *map = &port->map;

	port_say(port, "the file was cut short; dropped");
	if (mmap(map->region, map->size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		abort();
	rvs_sender_gone(fwd->rvs, 0);
	port_let_go(fwd, port); /* the port may have been in the middle of attaching */
	port->attached = false;
	rvif_unmap(map);
}

void cut_short_drop(struct fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->port_count; i++) {
		const struct rvif_mapping *map = &fwd->port[i].map;

		if (!map->region || fault_at < map->region || fault_at >= map->region + map->size)
			continue;
		drop(fwd, &fwd->port[i]);
		return;
	}
	rvs_sender_gone(fwd->rvs, 0);
}
