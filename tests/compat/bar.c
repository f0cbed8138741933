/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the prototype's style: the memory behind a PCI BAR (QEMU's ivshmem-plain), which the server
 * maps by its guest-physical address. BAR_DEVICE names the device, as 0000:00:01.0; a client stores
 * BAR_STORE there, or waits until it reads BAR_WAIT.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "example.h"

static struct elisa_map_req *requests;
static int count, capacity;
static void *object, *place;
static unsigned long start, end;

/* Memory is the device's third BAR; it answers once the device is enabled. */
static int find_bar(const char *device)
{
	char path[128];
	FILE *file;
	int found;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", device);
	file = fopen(path, "w");
	if (!file)
		return -1;
	fputs("1", file);
	if (fclose(file))
		return -1;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", device);
	file = fopen(path, "r");
	if (!file)
		return -1;
	found = fscanf(file, "%*[^\n]\n%*[^\n]\n%lx %lx", &start, &end);
	fclose(file);
	return found == 2 && end > start ? 0 : -1;
}

int elisa__exec_init(void)
{
	const char *device = getenv("BAR_DEVICE");

	if (!device)
		return 0; /* a client */
	if (find_bar(device) || elisa_create_program_map_req(getenv("ELISA_APPLIB_FILE"), 0,
							     &object, &requests, &count, &capacity))
		return -1;
	/* an address for it that nothing else has */
	place = mmap(NULL, end + 1 - start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*(void **)dlsym(object, "shared") = place;
	*(long *)dlsym(object, "words") = (long)((end + 1 - start) / sizeof(long));
	for (unsigned long at = 0; at < end + 1 - start; at += 4096) {
		struct elisa_map_req req = {
			.flags = ELISA_MAP_REQ_FLAGS_SRC_GPA,
			.src_gxa = start + at,
			.dst_gva = (uint64_t)place + at,
			.dst_gpa = start + at,
			.pt_flags = PT_P | PT_W | PT_U,
			.ept_flags = EPT_R | EPT_W | EPT_X | EPT_MT,
			.level = 1,
		};

		if (count == capacity) {
			capacity *= 2;
			requests = realloc(requests, capacity * sizeof(*requests));
		}
		requests[count++] = req;
	}
	return 0;
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
	const long word = (1 << 20) / sizeof(long) - 1; /* the last one */
	const char *store = getenv("BAR_STORE"), *wait = getenv("BAR_WAIT");

	if (store)
		CALL(STORE, word, atol(store));
	while (wait && CALL(LOAD, word, 0) != atol(wait))
		usleep(10000);
	printf("bar: %ld\n", CALL(LOAD, word, 0));
	return 0;
}
