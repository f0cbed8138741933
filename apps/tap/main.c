/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvif-tap's life. It makes the interface and the vNIC, and starts the threads at the first attach.
 * Then the carrier follows the switch until a signal comes. The interface and the vNIC never
 * outlive the process.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "interrupt.h"
#include "output.h"
#include "ready.h"
#include "service.h"
#include "signals.h"
#include "tap.h"
#include "turns.h"
#include "vnic_options.h"

enum {
	LOOK_EVERY_MS = 5000, /* milliseconds; no event tells that a switch detached */
	LOOK_WITHOUT_CARRIER_MS = 100,
	RECONNECT_MS = 500,
	STOP_US = 1000000,
};

void tell(struct daemon *d, bool *flag)
{
	const uint64_t one = 1;

	if (flag)
		__atomic_store_n(flag, true, __ATOMIC_RELAXED);
	/* a counter that is full wakes the main thread, too */
	if (write(d->wake, &one, sizeof(one)) < 0)
		return;
}

/* Blocks the signals that only the main thread handles. Returns a signalfd that delivers them. */
static int catch_signals(void)
{
	sigset_t set;

	signals_that_end(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* -------------------------------------------------------------------------------- the vNIC */

static int open_vnic(struct daemon *d)
{
	const struct options *options = &d->options;
	struct rvif_config config = {
		.tx_queues = (uint16_t)options->queues,
		.rx_queues = (uint16_t)options->queues,
		.tx_ring = options->ring,
		.rx_ring = options->ring,
		.buffer_size = options->buffer,
		.max_frame = RVIF_MAX_FRAME, /* the MTU may be raised at any time */
		.features = RVIF_F_NOTIFY | (options->no_csum ? 0 : RVIF_F_CSUM) |
			    (options->no_tso ? 0 : RVIF_F_TSO4 | RVIF_F_TSO6),
	};
	const uint64_t bytes =
		options->ring * frames_stride(options->buffer); /* bytes of a ring's buffers */
	int error;

	memcpy(config.mac, d->mac, 6);
	config.any_mac = !options->has_mac;
	error = rvif_configure(&config, 2 * options->queues * bytes);
	if (error) {
		output_print(STDERR_FILENO, "rvif-tap: %s\n", rvif_strreason(-error));
		return -1;
	}
	error = vnic_open_for(&d->vnic, options->where, &config, &options->access);
	if (error) {
		output_print(STDERR_FILENO, "rvif-tap: %s: %s\n", options->where,
			     vnic_error(options->where, error));
		return -1;
	}
	d->vnic.hold_us = options->hold * 1000ull;
	rvif_start(&d->vnic);
	rvif_store(&rvif_header(&d->vnic)->driver.rx_mode,
		   RVIF_RX_ALLMULTI | (options->promiscuous ? RVIF_RX_PROMISCUOUS : 0));
	for (uint32_t i = 0; i < options->queues; i++) {
		struct queue *queue = &d->queues[i];

		rvif_tx_ring_init(&queue->tx.ring, &d->vnic, i);
		rvif_rx_ring_init(&queue->rx.ring, &d->vnic, i);
		queue->tx.region = queue->rx.region = d->vnic.region;
		queue->tx.buffer = queue->rx.buffer = options->buffer;
		queue->tx.first = d->vnic.layout.buffers + 2 * i * bytes;
		queue->rx.first = queue->tx.first + bytes;
		frames_post_all(&queue->rx);
	}
	return 0;
}

static void close_vnic(struct daemon *d)
{
	if (!d->vnic.region)
		return;
	if (rvif_attached(&d->vnic) == 1 && !is_set(&d->lost) && rvif_stop(&d->vnic, STOP_US))
		output_print(STDERR_FILENO, "rvif-tap: %s: the switch did not let go\n",
			     d->options.where);
	rvif_close(&d->vnic);
}

/* --------------------------------------------------------------------------------- threads */

static int start_thread(struct queue *queue, void *(*work)(void *), pthread_t *thread, bool *runs)
{
	const int error = interrupt_start(thread, work, queue);

	*runs = !error;
	if (error)
		output_print(STDERR_FILENO, "rvif-tap: no thread for queue %u: %s\n", queue->number,
			     strerrordesc_np(-error));
	return error ? -1 : 0;
}

static int start_threads(struct daemon *d)
{
	d->started = true;
	for (uint32_t i = 0; i < d->options.queues; i++) {
		struct queue *queue = &d->queues[i];

		if (start_thread(queue, receive, &queue->receiver, &queue->receives) ||
		    start_thread(queue, transmit, &queue->transmitter, &queue->transmits))
			return -1;
	}
	return 0;
}

static void stop_threads(struct daemon *d)
{
	__atomic_store_n(&d->stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < d->options.queues; i++) {
		if (d->queues[i].transmits)
			interrupt_join(d->queues[i].transmitter);
		if (d->queues[i].receives)
			interrupt_join(d->queues[i].receiver);
	}
}

/* ------------------------------------------------------------------------------ the switch */

/* Takes the switch's answer to a start, or a new answer of its own: features and address. */
static int take_answer(struct daemon *d)
{
	const struct rvif_switch_line *answer = &rvif_header(&d->vnic)->sw;
	const uint32_t generation = rvif_load_acquire(&answer->generation);
	const uint32_t features = rvif_load(&answer->features) & d->vnic.config.features;
	static const uint8_t none[6];
	uint8_t mac[6];

	if (d->started && generation == d->generation)
		return 0;
	d->generation = generation;
	memcpy(mac, answer->mac, 6);
	if (interface_set_features(d, features))
		return -1;
	rvif_store(&d->granted, features);
	if (!memcmp(mac, none, 6))
		output_print(STDERR_FILENO,
			     "rvif-tap: %s: the switch names no address of this port: if it checks "
			     "sources, nothing can be sent\n",
			     d->options.where);
	else if (memcmp(mac, d->mac, 6)) {
		if (interface_set_mac(d, mac))
			return -1;
		memcpy(d->mac, mac, 6);
	}
	return d->started ? 0 : start_threads(d);
}

/* Goes to the successor of a switch that is gone. The queues' threads continue where they were. */
static void reconnect(struct daemon *d)
{
	struct timespec now;
	uint64_t now_ms;
	int result;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (now_ms < d->next_try_ms)
		return;
	d->next_try_ms = now_ms + RECONNECT_MS;
	result = rvif_reconnect(&d->vnic);
	if (result < 0 && result != d->why_not)
		output_print(STDERR_FILENO, "rvif-tap: %s: the switch is gone, trying again: %s\n",
			     d->options.where, vnic_error(d->options.where, result));
	d->why_not = result;
	if (result < 0)
		return;
	d->generation = UINT32_MAX; /* so that its answers count as new ones */
	__atomic_store_n(&d->lost, false, __ATOMIC_RELAXED);
}

/* Looks at the switch. Returns 0, or -1 after a message: the program cannot continue. */
static int look(struct daemon *d)
{
	const int attached = rvif_attached(&d->vnic);
	bool on;

	interface_name(d); /* for messages: when the interface is gone, its name cannot be asked for
			    * any more */
	if (attached < 0) {
		output_print(STDERR_FILENO, "rvif-tap: %s: the switch refused it: %s\n",
			     d->options.where, rvif_strreason(-attached));
		return -1;
	}
	if (attached && take_answer(d))
		return -1;
	if (is_set(&d->lost))
		reconnect(d);
	on = attached && !is_set(&d->lost) && rvif_load(&rvif_header(&d->vnic)->sw.link);
	if (on == d->carrier)
		return 0;
	d->carrier = on;
	return interface_set_carrier(d, on);
}

static int next_look_ms(const struct daemon *d)
{
	if (d->carrier)
		return LOOK_EVERY_MS;
	return is_set(&d->lost) ? RECONNECT_MS : LOOK_WITHOUT_CARRIER_MS;
}

/* Runs until a signal comes. Returns 0 after a signal, -1 after a message. */
static int run(struct daemon *d, int signals)
{
	struct pollfd wait[] = {{.fd = signals, .events = POLLIN},
				{.fd = d->wake, .events = POLLIN}};
	struct signalfd_siginfo info;
	uint64_t wakes;

	while (!is_set(&d->gone)) {
		if (look(d))
			return -1;
		poll(wait, 2, next_look_ms(d));
		if (read(d->wake, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
			return -1;
		while (read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGUSR1)
				return 0;
			report(d);
		}
	}
	output_print(STDERR_FILENO, "rvif-tap: %s: the interface was removed\n", d->options.name);
	return -1;
}

/* Gives the interface, from the start on, the address that the switch is told. A switch that checks
 * sources accepts no other one. */
static int choose_mac(struct daemon *d)
{
	if (!d->options.has_mac)
		return interface_get_mac(d, d->mac);
	memcpy(d->mac, d->options.mac, 6);
	return interface_set_mac(d, d->mac);
}

static int set_up(struct daemon *d)
{
	const size_t size = d->options.queues * sizeof(*d->queues);

	d->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->queues = aligned_alloc(RVIF_LINE, size);
	if (d->wake < 0 || !d->queues) {
		output_print(STDERR_FILENO, "rvif-tap: no memory\n");
		return -1;
	}
	memset(d->queues, 0, size);
	for (uint32_t i = 0; i < d->options.queues; i++) {
		d->queues[i].daemon = d;
		d->queues[i].number = i;
		d->queues[i].fd = -1;
		d->queues[i].random = i + 1;
	}
	if (interface_open(d) || choose_mac(d))
		return -1;
	return open_vnic(d);
}

static void tear_down(struct daemon *d)
{
	if (d->queues) {
		stop_threads(d);
		if (d->options.stats && d->vnic.region)
			report(d);
		close_vnic(d);
		interface_close(d);
	}
	free(d->queues);
	if (d->wake >= 0)
		close(d->wake);
}

int main(int argc, char **argv)
{
	static struct daemon d;
	int error, signals, status;

	if (output_open(program.name))
		return 1;
	if (!read_command_line(&d.options, argc, argv, &status))
		return status;
	take_short_turns();
	signals = catch_signals();
	if (signals < 0) {
		output_print(STDERR_FILENO, "rvif-tap: no signals: %s\n", strerrordesc_np(errno));
		return output_end(-1);
	}
	error = set_up(&d);
	if (!error) {
		service_ready("rvif-tap", d.options.ready_fd);
		error = run(&d, signals);
	}
	tear_down(&d);
	close(signals);
	return output_end(error);
}
