/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the prototype's style: the smallest one. Every client gets its own copy of the object, and
 * prints what its function returns.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include "example.h"

int elisa__exec_init(void)
{
	return 0;
}

int elisa__server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry)
{
	int capacity = 0;
	void *object;

	(void)sockfd;
	if (elisa_create_program_map_req(getenv("ELISA_APPLIB_FILE"), 0x40000000, &object, reqs,
					 nreqs, &capacity))
		return -1;
	*(long *)dlsym(object, "mark") = 4711;
	*entry = (uint64_t)dlsym(object, "entry_function");
	*user = 4711;
	return 0;
}

int elisa__server_exit_cb(uint64_t *user)
{
	printf("a client of value has gone: %lu\n", *user);
	return 0;
}

int elisa__client_cb(int sockfd)
{
	(void)sockfd;
	return 0;
}

int elisa__client_work(void)
{
	long flags = vmcall_rflags();

	elisa_disable_irq_if_enabled();
	vmcall_cli();
	vmcall_sti();
	if (!(flags & 0x200) || CALL(OWN_COUNT, 0, 0) != 1 || CALL(MARK, 0, 0) != 4711 ||
	    CALL(LARGE, 0, 0) != 1 || elisa_gate_entry(ARGUMENTS, 1, 2, 511, 4, 5) != 5451121)
		return 1;
	printf("value: %ld\n", CALL(VALUE, 0, 0));
	return 0;
}
