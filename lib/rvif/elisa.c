/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport over ELISA. The region is memory of this process, donated to the export. The switch
 * runs in the sub context of that export, and a kick is a call into it. The switch never runs by
 * itself, so it keeps kick_wanted set at all times. A receiver sleeps until this VM's doorbell
 * rings.
 *
 * What can happen at once: a queue's thread calls, while another thread gives up the attachment and
 * attaches to the switch's successor (rvif_reconnect). Each calling thread has a struct caller, in
 * a cache line of its own.
 *
 * 1. A calling thread sets `inside`, then reads `connected`. It calls only if `connected` is set,
 *    and clears `inside` afterwards.
 * 2. The changing thread clears `connected`, runs one membarrier(2), and then waits until no thread
 *    is inside.
 *
 * Why it is safe: membarrier(2) runs a full barrier in each thread of this process. If a thread set
 * `inside` before that barrier, the changing thread sees it and waits. If a thread sets `inside`
 * after that barrier, it finds `connected` clear and does not call. So no thread uses the
 * attachment while it changes, and a call pays only two plain stores for this.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <elisa/elisa.h>
#include <rvif/elisa.h>
#include <rvif/patience.h>
#include <rvif/vmnet.h>

#define MIB	  (UINT64_C(1) << 20)
#define HUGE_PAGE (2 * MIB)
#define NAP_NS	  100000
#define WHY_SIZE  512

/* Indexes of callers: the thread of transmit queue i has i, the thread of receive queue i has OF_RX
 * + i. A thread that holds the lock has OF_LOCK. */
#define OF_RX	  RVIF_MAX_QUEUES
#define OF_LOCK	  (2 * RVIF_MAX_QUEUES)
#define CALLERS	  (2 * RVIF_MAX_QUEUES + 1)

struct caller {
	uint32_t inside;
	struct rvif_patience patience; /* for a transmit queue; only its thread uses it */
} __attribute__((aligned(64)));

struct over_elisa {
	/* held by the one thread that changes the attachment, or that calls as OF_LOCK */
	pthread_mutex_t lock;
	struct elisa *handle;
	struct elisa_attachment *attachment; /* NULL: not attached */
	char *where;
	size_t mapped;		      /* bytes at vnic->region */
	int bells[RVIF_MAX_QUEUES];   /* eventfds of the receive queues; -1: none */
	uint32_t connected;	      /* 1: threads may call by `stub` */
	struct elisa_attachment stub; /* copy of *attachment, which threads may still read later */
	struct caller caller[CALLERS];
};

static _Thread_local char why[WHY_SIZE];

const char *rvif_elisa_error(void)
{
	return why[0] ? why : "no error";
}

static int __attribute__((format(printf, 2, 3))) failed(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return error;
}

/* Keeps the library's own message, which says more than the error number. */
static int library_failed(struct over_elisa *over, int error)
{
	return failed(error, "%s", elisa_error(over->handle));
}

static int system_failed(int error, const char *what)
{
	return failed(error, "%s: %s", what, strerrordesc_np(-error));
}

/* ----------------------------------------------------------------------------------- calls */

static int call(struct over_elisa *over, uint32_t number, long op, long argument, long *value)
{
	struct caller *caller = &over->caller[number];
	struct elisa_result result = {.error = ELISA_CALL_NOT_ATTACHED};

	__atomic_store_n(&caller->inside, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&over->connected, __ATOMIC_ACQUIRE))
		result = elisa_call(&over->stub, op, argument, 0, 0, 0, 0);
	__atomic_store_n(&caller->inside, 0, __ATOMIC_RELEASE);
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

static int join(struct over_elisa *over, uint32_t number)
{
	long value;
	int error = call(over, number, VMNET_JOIN, VMNET_VERSION, &value);

	if (error == -ENOTCONN)
		return failed(error, "the switch behind '%s' is gone", over->where);
	if (error)
		return system_failed(error, "joining the switch");
	if (value < 0 && (-value & 0xffff) == VMNET_OTHER_VERSION)
		return failed(-EPROTO,
			      "the switch behind '%s' has version %ld of vmnet, and not %d",
			      over->where, -value >> 16, VMNET_VERSION);
	return value ? failed(-EPROTO, "what '%s' exports is no switch of elisa-vmnet",
			      over->where) :
		       0;
}

/* ------------------------------------------------------------------------------ attachment */

static int attach(struct over_elisa *over)
{
	uint8_t ticket[ELISA_TICKET_SIZE];
	int error;

	if (over->where[0] != '/') {
		error = elisa_attach(over->handle, over->where, 0, NULL, 0, &over->attachment);
		return error ? library_failed(over, error) : 0;
	}
	error = rvif_read_hex(over->where, ticket, sizeof(ticket));
	if (error == -EINVAL)
		return failed(error, "it does not hold a ticket, %d hexadecimal digits",
			      2 * ELISA_TICKET_SIZE);
	if (error)
		return system_failed(error, "its ticket cannot be read");
	error = elisa_attach_private(over->handle, ticket, 0, NULL, 0, &over->attachment);
	explicit_bzero(ticket, sizeof(ticket));
	return error ? library_failed(over, error) : 0;
}

/* Makes sure that no thread calls any more when this returns. It waits for threads that are inside:
 * a call ends at the latest when the time limit of its export is up. */
static int disconnect(struct over_elisa *over)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};

	__atomic_store_n(&over->connected, 0, __ATOMIC_RELAXED);
	/* if this fails, a thread may not have seen the change yet; the program has to try again */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return system_failed(-errno, "membarrier");
	for (uint32_t i = 0; i < CALLERS; i++)
		while (__atomic_load_n(&over->caller[i].inside, __ATOMIC_ACQUIRE))
			nanosleep(&nap, NULL);
	return 0;
}

static int detach(struct over_elisa *over)
{
	int error = over->attachment ? elisa_detach(over->attachment) : 0;

	if (error)
		return library_failed(over, error);
	over->attachment = NULL;
	return 0;
}

/* Returns the number of pieces of the driver's own memory. */
static uint32_t piece_count(const struct rvif_vnic *vnic)
{
	return vnic->sharing ? vnic->sharing->count : 0;
}

/* Returns how many bytes of the region this transport allocates: all, or those before the driver's
 * own memory. */
static uint64_t own_size(const struct rvif_vnic *vnic)
{
	return piece_count(vnic) ? vnic->sharing->memory[0].offset :
				   (vnic->size + 4095) & ~UINT64_C(4095);
}

/* Donates the region's own part, and behind it the driver's memory, without a gap. */
static int donate(const struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;
	int error = elisa_donate(over->attachment, vnic->region, own_size(vnic), NULL);

	if (error)
		return library_failed(over, error);
	for (uint32_t i = 0; i < piece_count(vnic); i++) {
		const struct rvif_memory *piece = &vnic->sharing->memory[i];

		error = elisa_donate(over->attachment, piece->address, piece->size, NULL);
		if (error)
			return failed(error,
				      "of the driver's memory, %" PRIu64 " bytes behind the first "
				      "%" PRIu64 " of its region: %s",
				      piece->size, piece->offset, elisa_error(over->handle));
	}
	return 0;
}

/* Names the setting to change: the manager's configuration has one size for all places, in MiB. */
static int too_large(const struct rvif_vnic *vnic)
{
	const struct over_elisa *over = vnic->private_data;
	const uint64_t size = vnic->config.region_size;

	return failed(-ENOSPC,
		      "the vNIC has %" PRIu64 " bytes, and its place behind '%s' has fewer; set "
		      "port_mib of elisa-vmnet to %" PRIu64 " or more",
		      size, over->where, (size + MIB - 1) / MIB);
}

static int connect(struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;
	int error = attach(over);

	if (error)
		return error;
	error = donate(vnic);
	if (error == -ENOSPC)
		error = too_large(vnic);
	if (error) {
		elisa_detach(over->attachment);
		over->attachment = NULL;
		return error;
	}
	over->stub = *over->attachment;
	__atomic_store_n(&over->connected, 1, __ATOMIC_RELEASE);
	return 0;
}

/* ------------------------------------------------------------------------------- transport */

static void close_bells(struct over_elisa *over)
{
	for (uint32_t i = 0; i < RVIF_MAX_QUEUES; i++)
		if (over->bells[i] >= 0)
			close(over->bells[i]);
}

static void over_elisa_close(struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;

	/* once this returns, the switch has let go of the region */
	elisa_detach(over->attachment);
	elisa_close(over->handle);
	close_bells(over);
	if (vnic->region)
		munmap(vnic->region, over->mapped);
	vnic->region = NULL;
	pthread_mutex_destroy(&over->lock);
	free(over->where);
	free(over);
	vnic->private_data = NULL;
}

/* In a VM without a doorbell, all bells stay -1. */
static int open_bells(struct over_elisa *over, uint32_t count)
{
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		over->bells[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (over->bells[i] < 0)
			return system_failed(-errno, "eventfd");
		error = elisa_doorbell(over->handle, over->bells[i]);
	}
	if (error != -EOPNOTSUPP)
		return error ? library_failed(over, error) : 0;
	close(over->bells[0]);
	over->bells[0] = -1;
	return 0;
}

/* Checks that the driver's memory follows the region's own part without a gap. Each donation goes
 * right behind the one before it, so a gap in the region is not possible. */
static int check_memory(const struct rvif_vnic *vnic, const struct over_elisa *over)
{
	uint64_t end = own_size(vnic);

	if (end > over->mapped)
		return failed(-EINVAL,
			      "the driver's memory begins at %" PRIu64 " of its region, behind "
			      "the %zu bytes before it",
			      end, over->mapped);
	for (uint32_t i = 0; i < piece_count(vnic); i++) {
		const struct rvif_memory *piece = &vnic->sharing->memory[i];

		if (piece->offset != end || (uintptr_t)piece->address % piece->page)
			return failed(-EINVAL,
				      "piece %u of the driver's memory, at %p, lies at %" PRIu64
				      " of its region, and not at %" PRIu64,
				      i, piece->address, piece->offset, end);
		end += piece->size;
	}
	return 0;
}

static int map_region(struct rvif_vnic *vnic, struct over_elisa *over)
{
	int error;

	/* in huge pages, if the kernel has them: they need fewer TLB entries, on both sides */
	over->mapped = (vnic->size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	error = check_memory(vnic, over);
	if (error)
		return error;
	vnic->region = mmap(NULL, over->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (vnic->region == MAP_FAILED) {
		vnic->region = NULL;
		return system_failed(-errno, "memory of the vNIC");
	}
	madvise(vnic->region, over->mapped, MADV_HUGEPAGE);
	/* a child of fork() must not copy pages on write that the switch writes to */
	if (madvise(vnic->region, over->mapped, MADV_DONTFORK))
		return system_failed(-errno, "memory of the vNIC");
	return 0;
}

static int over_elisa_open(struct rvif_vnic *vnic, const char *where)
{
	struct over_elisa *over = NULL;
	int error;

	if (posix_memalign((void **)&over, 64, sizeof(*over)))
		return system_failed(-ENOMEM, "the transport");
	memset(over, 0, sizeof(*over));
	memset(over->bells, 0xff, sizeof(over->bells));
	pthread_mutex_init(&over->lock, NULL);
	vnic->private_data = over;
	over->where = strdup(where);
	if (over->where) {
		error = elisa_open(NULL, &over->handle);
		if (error)
			library_failed(over, error);
	} else {
		error = system_failed(-ENOMEM, "the transport");
	}
	if (!error && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		error = system_failed(-errno, "membarrier");
	if (!error)
		error = open_bells(over, vnic->config.rx_queues);
	if (!error)
		error = map_region(vnic, over);
	if (!error)
		error = connect(vnic);
	if (error)
		over_elisa_close(vnic);
	return error;
}

static int over_elisa_announce(struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;
	int error;

	pthread_mutex_lock(&over->lock);
	error = join(over, OF_LOCK);
	pthread_mutex_unlock(&over->lock);
	return error;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Moves everything that is posted. A frame that the switch cannot take now stays for the next kick.
 * This side decides how long its frames wait for a receiver, because they delay no other VM. */
static int over_elisa_kick(struct rvif_vnic *vnic, uint32_t queue)
{
	struct over_elisa *over = vnic->private_data;
	const struct rvif_queue *control = rvif_tx_queue(vnic->region, &vnic->layout, queue);
	struct rvif_patience *patience = &over->caller[queue].patience;
	const long hold =
		vnic->hold_us && rvif_has_patience(patience, patience->again ? now_us() : 0) ?
			VMNET_HOLD :
			0;
	long left, before = 0;
	int error;

	for (;;) {
		error = call(over, queue, VMNET_FORWARD, queue | hold, &left);
		if (error)
			return error;
		if (left > 0 && left & VMNET_HOLD) {
			rvif_wait_on(patience, rvif_load(&control->completed),
				     rvif_load(&control->posted), now_us(), vnic->hold_us);
			return -EBUSY;
		}
		if (left <= 0 || (before && left >= before))
			break;
		before = left;
	}
	/* not served yet: the posted frames wait */
	return left >= 0 || left == -VMNET_NOT_SERVED ? 0 : -EAGAIN;
}

/*
 * Sleeps until the queue's doorbell event comes. The doorbell belongs to the whole VM, so it may
 * have rung for another vNIC, or because the attachment ended. join() tells the two apart. The
 * switch rings once for each number in need_notify. So a thread that was rung for nothing must ask
 * again, under another number: it gets -EAGAIN.
 */
static int over_elisa_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen,
			   uint32_t timeout_us)
{
	struct over_elisa *over = vnic->private_data;
	const struct rvif_queue *control = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	const struct timespec nap = {.tv_nsec = NAP_NS};
	struct pollfd bell = {.fd = over->bells[queue], .events = POLLIN};
	const uint64_t until = now_us() + timeout_us;
	uint64_t now, times;
	int error;

	while (rvif_load_acquire(&control->completed) == seen) {
		now = now_us();
		if (now >= until)
			return -ETIMEDOUT;
		if (bell.fd < 0) {
			if (nanosleep(&nap, NULL) < 0)
				return -errno;
			continue;
		}
		if (poll(&bell, 1, (int)((until - now + 999) / 1000)) < 0)
			return -errno;
		if (read(bell.fd, &times, sizeof(times)) < 0)
			continue;
		if (rvif_load_acquire(&control->completed) != seen)
			break;
		error = join(over, OF_RX + queue);
		return error ? error : -EAGAIN;
	}
	return 0;
}

static int over_elisa_changed(struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;
	long value;
	int error;

	pthread_mutex_lock(&over->lock);
	error = call(over, OF_LOCK, VMNET_CHANGED, 0, &value);
	pthread_mutex_unlock(&over->lock);
	return error;
}

static int over_elisa_reconnect(struct rvif_vnic *vnic)
{
	struct over_elisa *over = vnic->private_data;
	int error;

	pthread_mutex_lock(&over->lock);
	error = join(over, OF_LOCK);
	if (error != -ENOTCONN)
		goto out;
	error = disconnect(over);
	if (!error)
		error = detach(over);
	if (error)
		goto out;
	/* no switch uses the region now */
	rvif_store(&rvif_header(vnic)->sw.state, RVIF_SWITCH_DETACHED);
	error = connect(vnic);
	if (!error)
		error = join(over, OF_LOCK);
	if (!error)
		error = 1;
out:
	pthread_mutex_unlock(&over->lock);
	return error;
}

const struct rvif_transport rvif_over_elisa = {
	.name = "ELISA",
	.open = over_elisa_open,
	.announce = over_elisa_announce,
	.kick = over_elisa_kick,
	.wait = over_elisa_wait,
	.changed = over_elisa_changed,
	.reconnect = over_elisa_reconnect,
	.close = over_elisa_close,
	.takes_memory = 1,
};
