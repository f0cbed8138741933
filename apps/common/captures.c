/* SPDX-License-Identifier: Apache-2.0 */
#include "captures.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Maps the ring's file, and seals it afterwards. This mapping stays writable for good, and other
 * processes can map the file to read only. */
static int map_ring(uint8_t *at, size_t size)
{
	const int fd = memfd_create("rvs-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, (off_t)size) &&
	    mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
	    !fcntl(fd, F_ADD_SEALS,
		   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -1;
}

void *captures_memory(struct captures *captures, size_t head, const struct rvs_config *config,
		      size_t *size)
{
	const uint64_t offset = rvs_capture_offset(config), all = rvs_size(config);
	uint8_t *memory;

	*captures = (struct captures){.ring = -1};
	*size = (head + all + 4095) & ~4095ul;
	memory = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (offset)
		captures->ring = map_ring(memory + head + offset, all - offset);
	if (offset && captures->ring < 0) {
		munmap(memory, *size);
		return NULL;
	}
	captures->rvs = (struct rvs *)(void *)(memory + head);
	return memory;
}

json_object *captures_port(struct captures *captures, uint32_t port, double now)
{
	json_object *result = json_object_new_object();

	if (!result)
		return NULL;
	rvs_capture(captures->rvs, port, 1);
	captures->until[port] = now + CAPTURE_SECONDS;
	json_object_object_add(result, "port", json_object_new_uint64(port));
	json_object_object_add(result, "seconds", json_object_new_uint64(CAPTURE_SECONDS));
	return result;
}

void captures_end(struct captures *captures, uint32_t port)
{
	if (!captures->until[port])
		return;
	captures->until[port] = 0;
	rvs_capture(captures->rvs, port, 0);
}

int captures_is_on(const struct captures *captures, uint32_t port)
{
	return captures->until[port] > 0;
}

void captures_look(struct captures *captures, double now)
{
	for (uint32_t port = 0; port < RVS_MAX_PORTS; port++)
		if (captures->until[port] && now > captures->until[port])
			captures_end(captures, port);
}
