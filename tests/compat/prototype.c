/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As programs for the prototype are: it includes the prototype's headers
 * and relies on what they include, has names of its own that libelisa has
 * as well, leaves arguments out, and links one archive.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <libelisa.h>
#include <libelisa_extra/map.h>
#include <libelisa_extra/irq.h>

/* bits of an entry for page tables of the program's own */
#define ENTRY (EPT__PS | EPT__I | EPT__A | EPT__D | EPT_R | (EPT_MEMORY_TYPE << EPT_MT_SHIFT))

static int elisa_fd[4] = {-1, -1, -1, -1};
int elisa_attach(const char *name);
long elisa_open(long number);
void elisa_error(const char *text);

int elisa_attach(const char *name)
{
	return open(name, O_RDONLY);
}

long elisa_open(long number)
{
	return number + 1;
}

void elisa_error(const char *text)
{
	fprintf(stderr, "prototype: %s\n", text);
}

int elisa__exec_init(void);
int elisa__exec_init(void)
{
	uint64_t entry = 0x123456789000UL | ENTRY;

	assert((entry & EPT_ADDR_MASK) == 0x123456789000UL);
	assert(((entry | PT_NX) & CR3_ADDR_MASK) == 0x123456789000UL);
	assert((entry & EPT_MT) == EPT_MT);
	elisa_fd[0] = elisa_attach("/proc/self/maps");
	assert(elisa_fd[0] != -1 && elisa_open(4) == 5);
	close(elisa_fd[0]);
	return 0;
}

int elisa__server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry);
int elisa__server_cb(int sockfd __attribute__((unused)), uint64_t *user,
		     struct elisa_map_req **reqs, int *nreqs, uint64_t *entry)
{
	void *handle = NULL;
	int room = 0;

	if (elisa_create_program_map_req(getenv("ELISA_APPLIB_FILE"), 1UL << 37, &handle, reqs,
					 nreqs, &room) != NULL) {
		elisa_error("no program");
		return -1;
	}
	*entry = (uint64_t)dlsym(handle, "entry_function");
	*user = 0;
	return *entry ? 0 : -1;
}

int elisa__server_exit_cb(uint64_t *user);
int elisa__server_exit_cb(uint64_t *user __attribute__((unused)))
{
	return 0;
}

int elisa__client_cb(int sockfd);
int elisa__client_cb(int sockfd __attribute__((unused)))
{
	return 0;
}

int elisa__client_work(void);
int elisa__client_work(void)
{
	long (*by_address)(long, ...) = elisa_gate_entry;
	const char *nothing = NULL;
	int number = -7;

	elisa_disable_irq_if_enabled();
	/* operations of function.c: one value, then its arguments as digits */
	printf("value %ld, ", elisa_gate_entry(0, nothing, 0, 511));
	printf("few %ld, ", elisa_gate_entry(5, 1));
	printf("all %ld, ", elisa_gate_entry(5, number, 2, 511, 0, 0));
	printf("by address %ld\n", by_address(5L, 1L, 2L, 511L, 3L, 4L));
	vmcall_sti();
	return 0;
}
