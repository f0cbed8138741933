/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the prototype's style: a timed loop of calls, LOOP_CALLS in the environment. The object is
 * loaded once, in the server itself: its variables are shared by all clients.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>
#include "example.h"

static struct elisa_map_req *requests;
static int count, capacity;
static void *object;

int elisa__exec_init(void)
{
	const char *file = getenv("ELISA_APPLIB_FILE");

	return getenv("LOOP_CALLS") ? 0 :
				      !!elisa_create_program_map_req(file, 0, &object, &requests,
								     &count, &capacity);
}

int elisa__server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry)
{
	(void)sockfd;
	(void)user;
	*reqs = requests;
	*nreqs = count;
	*entry = (uint64_t)dlsym(object, "entry_function");
	return 0;
}

int elisa__server_exit_cb(uint64_t *user)
{
	(void)user;
	return 0;
}

int elisa__client_cb(int sockfd)
{
	(void)sockfd;
	return 0;
}

int elisa__client_work(void)
{
	long calls = atol(getenv("LOOP_CALLS"));
	unsigned long long start = __rdtsc();

	for (long i = 0; i < calls; i++)
		if (CALL(VALUE, 0, 0) != 1)
			return 1;
	printf("loop: %.1f cycles for each of %ld calls\n",
	       (double)(__rdtsc() - start) / (double)calls, calls);
	printf("clients of this server so far: %ld\n", CALL(OWN_COUNT, 0, 0));
	return 0;
}
