/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a live view; see view.h. */
#include "view.h"
#include <time.h>
#include <unistd.h>

void view_begin(FILE *to)
{
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", to);
}

void view_rest(double seconds)
{
	const struct timespec time = {.tv_sec = (time_t)seconds,
				      .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};

	nanosleep(&time, NULL);
}

double view_per_second(uint64_t is, uint64_t was, double seconds)
{
	return (double)(is >= was ? is - was : is) / seconds;
}
