/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <string.h>
#include <unistd.h>
#include "output.h"
#include "ready.h"
#include "signals.h"

volatile sig_atomic_t service_stop, service_reload;

static void on_signal(int number)
{
	if (number == SIGHUP)
		service_reload = 1;
	else
		service_stop = 1;
}

void service_begin(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	signals_catch(on_signal);
	sigaction(SIGHUP, &action, NULL);
}

void service_ready(const char *name, int fd)
{
	const int error = ready_tell(fd);

	if (error)
		output_print(STDERR_FILENO, "%s: cannot say that it is ready: %s\n", name,
			     strerrordesc_np(-error));
}
