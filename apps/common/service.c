/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "output.h"
#include "ready.h"
#include "signals.h"

#define MOST_SECONDS 90 /* systemd's usual limit */

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

void service_goes_on(void)
{
	static double told;
	const double now = monotonic();

	if (told && now - told < 1)
		return;
	told = now;
	ready_not_yet(MOST_SECONDS);
}
