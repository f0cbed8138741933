/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the prototype's style: a counter in memory that the server allocates once, by malloc() as by
 * mmap(), and maps for each client. In the environment: how often a client counts (COUNTER_CALLS),
 * or what else it does (COUNTER_DOES: fault, spin, survive, stay).
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "example.h"

static long *memory;

int elisa__exec_init(void)
{
	if (posix_memalign((void **)&memory, 4096, 4096))
		return -1;
	memset(memory, 0, 4096);
	return 0;
}

int elisa__server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry)
{
	struct elisa_map_req *req;
	int capacity = 0;
	void *object;

	(void)sockfd;
	(void)user;
	if (elisa_create_program_map_req(getenv("ELISA_APPLIB_FILE"), 0, &object, reqs, nreqs,
					 &capacity))
		return -1;
	*(long **)dlsym(object, "shared") = memory;
	*entry = (uint64_t)dlsym(object, "entry_function");
	*reqs = realloc(*reqs, (*nreqs + 1) * sizeof(**reqs));
	req = &(*reqs)[(*nreqs)++];
	memset(req, 0, sizeof(*req));
	req->src_gxa = req->dst_gva = (uint64_t)memory;
	req->pt_flags = PT_P | PT_W | PT_U;
	req->ept_flags = EPT_R | EPT_W | EPT_X | EPT_MT; /* as the prototype's examples: all */
	req->level = 1;
	return 0;
}

int elisa__server_exit_cb(uint64_t *user)
{
	(void)user;
	printf("the counter is %ld\n", *memory);
	return 0;
}

int elisa__client_cb(int sockfd)
{
	(void)sockfd;
	return 0;
}

int elisa__client_work(void)
{
	const char *calls = getenv("COUNTER_CALLS"), *what = getenv("COUNTER_DOES");
	long count = calls ? atol(calls) : 1, last = 0;

	errno = 0;
	if (what && !strcmp(what, "fault")) {
		last = CALL(FAULT, 0, 0);
	} else if (what && !strcmp(what, "spin")) {
		printf("spinning\n");
		fflush(stdout);
		while (CALL(SPIN, 0, 0) == -1 && errno == ETIMEDOUT)
			;
		return 0;
	} else if (what && !strcmp(what, "stay")) {
		return pause();
	} else if (what && !strcmp(what, "survive")) {
		printf("calling\n");
		fflush(stdout);
		while (CALL(COUNT, 0, 0) >= 0)
			if (++last % 100 == 0)
				usleep(1000); /* others want the processor, too */
		last = -1;
	} else {
		for (long i = 0; i < count; i++)
			last = CALL(COUNT, 0, 0);
		printf("counter: %ld\n", last);
		return 0;
	}
	printf("error %d: %s\n", errno, elisa_compat_error());
	return last == -1 ? 0 : 1;
}
