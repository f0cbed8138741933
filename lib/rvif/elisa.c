/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport over ELISA: the region is this process's memory, donated to the export in whose sub
 * context the switch runs; a kick is a call into it. There is nobody else who could take what was
 * posted, so the switch asks for kicks always.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <elisa/elisa.h>
#include <rvif/elisa.h>

#define HUGE_PAGE (2ull << 20)
#define NAP_NS	  100000

struct over_elisa {
	struct elisa *handle;
	struct elisa_attachment *attachment;
	size_t mapped; /* bytes at vnic->region */
};

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The ticket in a file: 64 hexadecimal digits. */
static int read_ticket(const char *path, uint8_t ticket[ELISA_TICKET_SIZE])
{
	char text[2 * ELISA_TICKET_SIZE + 1] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	for (int i = 0; i < ELISA_TICKET_SIZE; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return -EINVAL;
		ticket[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int attach(struct over_elisa *over, const char *where)
{
	uint8_t ticket[ELISA_TICKET_SIZE];
	int error;

	if (where[0] != '/')
		return elisa_attach(over->handle, where, 0, NULL, 0, &over->attachment);
	error = read_ticket(where, ticket);
	if (!error)
		error = elisa_attach_private(over->handle, ticket, 0, NULL, 0, &over->attachment);
	explicit_bzero(ticket, sizeof(ticket));
	return error;
}

static void over_elisa_close(struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;

	/* its end is when nobody has the region any more */
	elisa_detach(over->attachment);
	elisa_close(over->handle);
	if (vnic->region)
		munmap(vnic->region, over->mapped);
	vnic->region = NULL;
	free(over);
	vnic->private_data = NULL;
}

static int over_elisa_open(struct rvif_vnic *vnic, const char *where)
{
	struct over_elisa *over = calloc(1, sizeof(*over));
	int error;

	if (!over)
		return -ENOMEM;
	vnic->private_data = over;
	error = elisa_open(NULL, &over->handle);
	if (!error)
		error = attach(over, where);
	if (error)
		goto err;
	/* in huge pages, where the kernel has them: fewer entries in the TLBs of all */
	over->mapped = (vnic->size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	vnic->region = mmap(NULL, over->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (vnic->region == MAP_FAILED) {
		vnic->region = NULL;
		error = -errno;
		goto err;
	}
	madvise(vnic->region, over->mapped, MADV_HUGEPAGE);
	/* a child of fork() must not make copies of pages that others write to */
	if (madvise(vnic->region, over->mapped, MADV_DONTFORK)) {
		error = -errno;
		goto err;
	}
	error = elisa_donate(over->attachment, vnic->region, (vnic->size + 4095) & ~UINT64_C(4095),
			     NULL);
	if (!error)
		return 0;
err:
	over_elisa_close(vnic);
	return error;
}

static int call(const struct over_elisa *over, long op, long argument, long *value)
{
	struct elisa_result result = elisa_call(over->attachment, op, argument, 0, 0, 0, 0);

	*value = result.value;
	switch (result.error) {
	case ELISA_CALL_OK:
		return 0;
	case ELISA_CALL_REVOKED:
	case ELISA_CALL_NOT_ATTACHED:
		return -ENOTCONN;
	case ELISA_CALL_TIMEOUT:
		return -ETIME;
	}
	return -EIO;
}

static int over_elisa_announce(struct rvif_vnic *vnic)
{
	long value;
	int error = call(vnic->private_data, VMNET_JOIN, 0, &value);

	if (error)
		return error;
	return value ? -EPROTO : 0;
}

/* Everything that is posted; what the switch cannot take now is taken with the next kick. */
static int over_elisa_kick(struct rvif_vnic *vnic, uint32_t queue)
{
	long left, before = 0;
	int error;

	for (;;) {
		error = call(vnic->private_data, VMNET_FORWARD, queue, &left);
		if (error)
			return error;
		if (left <= 0 || left == before)
			break;
		before = left;
	}
	/* not served yet: what is posted waits */
	return left >= 0 || left == -VMNET_NOT_SERVED ? 0 : -EAGAIN;
}

/* Nobody can wake a receiver yet: looks now and then. */
static int over_elisa_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen,
			   uint32_t timeout_us)
{
	const struct rvif_queue *control = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	const struct timespec nap = {.tv_nsec = NAP_NS};

	for (uint64_t waited = 0; waited < timeout_us; waited += NAP_NS / 1000) {
		if (rvif_load_acquire(&control->completed) != seen)
			return 0;
		if (nanosleep(&nap, NULL) < 0)
			return -errno;
	}
	return rvif_load_acquire(&control->completed) != seen ? 0 : -ETIMEDOUT;
}

const struct rvif_transport rvif_over_elisa = {
	.name = "ELISA",
	.open = over_elisa_open,
	.announce = over_elisa_announce,
	.kick = over_elisa_kick,
	.wait = over_elisa_wait,
	.close = over_elisa_close,
};
