/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the prototype's style: both callbacks use the socket. The client sends lines that the server
 * sends back, some of which look like the negotiation; not a byte may be missing or too much.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "example.h"

enum {
	SIZE = 100000
};
static char sent[SIZE], got[SIZE];

static int transfer(int sockfd, char *data, size_t size, int sends)
{
	while (size) {
		ssize_t n = sends ? write(sockfd, data, size) : read(sockfd, data, size);

		if (n <= 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int elisa__exec_init(void)
{
	for (int i = 0; i < SIZE; i++)
		sent[i] = "ELISAcmp\1\0\3"[i % 11];
	return 0;
}

int elisa__server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry)
{
	uint32_t size;
	int capacity = 0;
	void *object;

	(void)user;
	if (transfer(sockfd, (char *)&size, sizeof(size), 0) || size > SIZE ||
	    transfer(sockfd, got, size, 0) || transfer(sockfd, got, size, 1))
		return -1;
	if (elisa_create_program_map_req(getenv("ELISA_APPLIB_FILE"), 0, &object, reqs, nreqs,
					 &capacity))
		return -1;
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
	uint32_t size = SIZE;

	if (transfer(sockfd, (char *)&size, sizeof(size), 1) || transfer(sockfd, sent, size, 1) ||
	    transfer(sockfd, got, size, 0) || memcmp(sent, got, size))
		return -1;
	printf("echo: %u bytes\n", size);
	return 0;
}

int elisa__client_work(void)
{
	return CALL(VALUE, 0, 0) == 1 ? 0 : 1;
}
