// SPDX-License-Identifier: Apache-2.0
/*
 * Two guests in step: one sends, one receives. The sender's batches and the receiver's looks come
 * at fixed times, so a window with traffic has as many sleeps as one without. It uses only ethdev's
 * API, so the program is the same for every NIC. Each frame is accounted for, and none is sent
 * again.
 *
 * The sender writes to --marks when a window begins and ends. net_meter, which measures, reads
 * that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "options.h"

#define MAX_BATCH   32
#define MAX_SIZE    1514
#define DESCRIPTORS 256
#define BUFFERS	    1023u
#define PATTERNS    256
#define TYPE	    0x88b5 /* reserved for local experiments */
#define LIST	    8
#define SAMPLES	    1000 /* batches of a window with calls that are timed */
#define QUIET	    3	 /* gaps around the batches of a window, for frames still under way */
#define AGAIN	    20	 /* gaps until a question is repeated */
#define PATIENCE    2000 /* gaps until the program gives up */

enum kind {
	HELLO = 1,
	BEGIN, /* window `number` */
	DATA,
	END,
	BYE,
	ANSWER = 0x80, /* added in the answer to one of these */
};

struct message {
	struct rte_ether_hdr ethernet;
	uint16_t kind;
	uint32_t number;
	uint32_t sequence; /* of DATA; the pattern follows it */
	uint32_t received; /* in the answer to END */
	uint32_t bad;
	uint32_t in_calls; /* median of the receiver's looks */
} __attribute__((packed, aligned(2)));

#define HEAD offsetof(struct message, received)

struct list {
	unsigned int count;
	unsigned int value[LIST];
};

static struct options {
	struct list sizes, batches_of;
	uint32_t batches, repeats, gap_us;
	const char *marks, *net;
} options = {
	.sizes = {2, {64, MAX_SIZE}},
	.batches_of = {3, {1, 8, MAX_BATCH}},
	.batches = 100,
	.repeats = 5,
	.gap_us = 10300,
	.net = "net",
};
static FILE *marks;

static uint16_t port;
static struct rte_mempool *pool;
static struct rte_ether_addr own_mac, peer_mac;
static uint8_t pattern[MAX_SIZE + PATTERNS];
static struct timespec next;

/* ------------------------------------------------------------------------------- time */

static void start_gaps(void)
{
	clock_gettime(CLOCK_MONOTONIC, &next);
}

static void gap(unsigned int us)
{
	next.tv_nsec += us * 1000L;
	while (next.tv_nsec >= 1000000000) {
		next.tv_nsec -= 1000000000;
		next.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
		;
}

static void gaps(unsigned int count)
{
	while (count--)
		gap(options.gap_us);
}

__attribute__((format(printf, 1, 2))) static void mark(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(marks ? marks : stdout, format, arguments);
	va_end(arguments);
	fflush(marks ? marks : stdout);
}

/* ---------------------------------------------------------------------------- medians */

struct series {
	unsigned int count;
	uint32_t value[SAMPLES];
};

static void add(struct series *series, uint64_t value)
{
	if (series->count < SAMPLES)
		series->value[series->count++] = (uint32_t)value;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint32_t median(struct series *series)
{
	if (!series->count)
		return 0;
	qsort(series->value, series->count, sizeof(series->value[0]), compare);
	return series->value[series->count / 2];
}

/* ----------------------------------------------------------------------------- frames */

static void fill_pattern(void)
{
	uint32_t x = 1;

	for (unsigned int i = 0; i < sizeof(pattern); i++) {
		x = x * 1664525 + 1013904223;
		pattern[i] = (uint8_t)(x >> 24);
	}
}

static void address(struct message *message, uint16_t kind, uint32_t number)
{
	message->ethernet.src_addr = own_mac;
	message->ethernet.dst_addr = peer_mac;
	message->ethernet.ether_type = RTE_BE16(TYPE);
	message->kind = kind;
	message->number = number;
}

static void make(struct rte_mbuf **frames, unsigned int count, unsigned int size, uint32_t number,
		 uint32_t sequence)
{
	for (unsigned int i = 0; i < count; i++, sequence++) {
		struct message *message = rte_pktmbuf_mtod(frames[i], struct message *);

		frames[i]->data_len = (uint16_t)size;
		frames[i]->pkt_len = size;
		address(message, DATA, number);
		message->sequence = sequence;
		memcpy((uint8_t *)message + HEAD, pattern + sequence % PATTERNS, size - HEAD);
	}
}

static bool is_right(const struct rte_mbuf *frame, uint32_t number, uint32_t sequence)
{
	const struct message *message = rte_pktmbuf_mtod(frame, const struct message *);

	return frame->nb_segs == 1 && message->number == number && message->sequence == sequence &&
	       !memcmp((const uint8_t *)message + HEAD, pattern + sequence % PATTERNS,
		       frame->pkt_len - HEAD);
}

static void tell(uint16_t kind, uint32_t number, uint32_t received, uint32_t bad, uint32_t in_calls)
{
	struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
	struct message *message;

	if (!frame)
		return;
	frame->data_len = 60;
	frame->pkt_len = 60;
	message = rte_pktmbuf_mtod(frame, struct message *);
	memset(message, 0, 60);
	address(message, kind, number);
	message->received = received;
	message->bad = bad;
	message->in_calls = in_calls;
	if (!rte_eth_tx_burst(port, 0, &frame, 1))
		rte_pktmbuf_free(frame);
}

/* ----------------------------------------------------------------------------- sender */

/* Asks the receiver, and repeats the question until an answer comes. */
static int ask(uint16_t kind, uint32_t number, struct message *answer)
{
	for (unsigned int tries = 0; tries < PATIENCE; tries++) {
		struct rte_mbuf *frames[MAX_BATCH];
		bool found = false;
		uint16_t count;

		if (tries % AGAIN == 0)
			tell(kind, number, 0, 0, 0);
		gap(options.gap_us);
		count = rte_eth_rx_burst(port, 0, frames, MAX_BATCH);
		for (uint16_t i = 0; i < count; i++) {
			struct message *message = rte_pktmbuf_mtod(frames[i], struct message *);

			if (frames[i]->pkt_len < sizeof(*message) ||
			    message->ethernet.ether_type != RTE_BE16(TYPE) ||
			    message->kind != (kind | ANSWER) || message->number != number)
				continue;
			*answer = *message;
			found = true;
		}
		rte_pktmbuf_free_bulk(frames, count);
		if (found)
			return 0;
	}
	fprintf(stderr, "netbench: no answer to %u of window %u\n", kind, number);
	return -1;
}

/* Sends a batch. The instructions (in Bochs) of allocating and sending are added to the series. */
static unsigned int send_batch(unsigned int size, unsigned int batch, uint32_t number,
			       uint32_t sequence, struct series *in_calls)
{
	struct rte_mbuf *frames[MAX_BATCH];
	uint64_t spent = rte_rdtsc();
	unsigned int sent;

	if (!batch || rte_pktmbuf_alloc_bulk(pool, frames, batch))
		return 0;
	spent -= rte_rdtsc();
	make(frames, batch, size, number, sequence);
	spent -= rte_rdtsc();
	sent = rte_eth_tx_burst(port, 0, frames, (uint16_t)batch);
	add(in_calls, rte_rdtsc() + spent);
	if (sent < batch)
		rte_pktmbuf_free_bulk(frames + sent, batch - sent);
	return sent;
}

/* Returns the instructions (in Bochs) of this program itself for a frame: making and checking
 * it. */
static uint64_t own_work(unsigned int size, unsigned int batch)
{
	struct rte_mbuf *frames[MAX_BATCH];
	uint64_t least = UINT64_MAX;
	unsigned int wrong = 0;

	if (!batch || rte_pktmbuf_alloc_bulk(pool, frames, batch))
		return 0;
	for (unsigned int round = 0; round < 50; round++) {
		uint64_t start = rte_rdtsc();

		make(frames, batch, size, 1, round);
		for (unsigned int i = 0; i < batch; i++)
			wrong += !is_right(frames[i], 1, round + i);
		least = RTE_MIN(least, rte_rdtsc() - start);
	}
	rte_pktmbuf_free_bulk(frames, batch);
	return wrong ? 0 : least / batch;
}

/* Runs a window. size and batch 0: without traffic. */
static int window(unsigned int size, unsigned int batch)
{
	static uint32_t number;
	struct message answer;
	static struct series in_calls;
	uint32_t sent = 0;

	number++;
	in_calls.count = 0;
	if (ask(BEGIN, number, &answer))
		return -1;
	mark("begin\n");
	gaps(QUIET);
	for (unsigned int i = 0; i < options.batches; i++) {
		gap(options.gap_us);
		sent += send_batch(size, batch, number, sent, &in_calls);
	}
	gaps(QUIET);
	mark("end\n");
	if (ask(END, number, &answer))
		return -1;
	mark("window %u %u %u %u %u %u %" PRIu64 " %u\n", size, batch, options.batches, sent,
	     answer.received, answer.bad, own_work(size, batch),
	     median(&in_calls) + answer.in_calls);
	return 0;
}

static int send_all(void)
{
	struct message answer;

	memset(&peer_mac, 0xff, sizeof(peer_mac));
	start_gaps();
	if (ask(HELLO, 0, &answer))
		return -1;
	peer_mac = answer.ethernet.src_addr;
	/* once, to fill the caches and the tables of the kernels and the switch */
	if (window(options.sizes.value[0], options.batches_of.value[0]))
		return -1;
	mark("measure\n");
	for (unsigned int r = 0; r < options.repeats; r++)
		for (unsigned int s = 0; s < options.sizes.count; s++) {
			if (window(0, 0))
				return -1;
			for (unsigned int b = 0; b < options.batches_of.count; b++)
				if (window(options.sizes.value[s], options.batches_of.value[b]))
					return -1;
		}
	return ask(BYE, 0, &answer);
}

/* --------------------------------------------------------------------------- receiver */

struct counts {
	uint32_t number;
	uint32_t next;
	uint32_t received;
	uint32_t bad;
	bool greeted;
	bool ended;
};

static struct series looks; /* looks that brought frames of a window, with freeing them */

static void handle(struct counts *counts, const struct rte_mbuf *frame)
{
	const struct message *message = rte_pktmbuf_mtod(frame, const struct message *);

	if (frame->pkt_len < sizeof(*message) || message->ethernet.ether_type != RTE_BE16(TYPE))
		/* another program's frame */
		return;
	if (message->kind == DATA) {
		/* a gap in the sequence is a loss; a frame with an earlier number is bad */
		if (message->sequence >= counts->next &&
		    is_right(frame, counts->number, message->sequence)) {
			counts->next = message->sequence + 1;
			counts->received++;
		} else {
			counts->bad++;
		}
		return;
	}
	if (message->kind == HELLO) {
		/* from now on, look half a gap after the sender's batches */
		start_gaps();
		next.tv_nsec -= options.gap_us * 500L;
		counts->greeted = true;
	}
	if (message->kind == BEGIN && message->number != counts->number) {
		*counts = (struct counts){.number = message->number, .greeted = true};
		looks.count = 0;
	}
	peer_mac = message->ethernet.src_addr;
	tell(message->kind | ANSWER, message->number, counts->received, counts->bad,
	     median(&looks));
	counts->ended = message->kind == BYE;
}

static uint16_t look(struct counts *counts)
{
	struct rte_mbuf *frames[MAX_BATCH];
	uint64_t spent = -rte_rdtsc();
	uint16_t count = rte_eth_rx_burst(port, 0, frames, MAX_BATCH);
	uint32_t before = counts->received;

	spent += rte_rdtsc();
	for (uint16_t i = 0; i < count; i++)
		handle(counts, frames[i]);
	if (!count)
		return 0;
	spent -= rte_rdtsc();
	rte_pktmbuf_free_bulk(frames, count);
	spent += rte_rdtsc();
	if (counts->received - before == count)
		add(&looks, spent);
	return count;
}

static int receive_all(void)
{
	struct counts counts = {0};
	unsigned int quiet = 0;

	start_gaps();
	while (!counts.ended && quiet < PATIENCE) {
		uint16_t count;

		/* until the sender has greeted, look more often, to learn when its batches come */
		gap(counts.greeted ? options.gap_us : options.gap_us / 10);
		quiet++;
		do {
			count = look(&counts);
			if (count)
				quiet = 0;
		} while (count == MAX_BATCH);
	}
	return counts.ended ? 0 : -1;
}

/* ------------------------------------------------------------------------------- port */

static int open_port(void)
{
	struct rte_eth_conf config = {0};
	struct rte_eth_dev_info info;
	struct rte_eth_link link = {0};
	int error;

	if (rte_eth_dev_count_avail() != 1) {
		fprintf(stderr, "netbench: %u ports, not one\n", rte_eth_dev_count_avail());
		return -1;
	}
	pool = rte_pktmbuf_pool_create("frames", BUFFERS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool) {
		fprintf(stderr, "netbench: no memory for %u buffers\n", BUFFERS);
		return -1;
	}
	port = (uint16_t)rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER);
	error = rte_eth_dev_info_get(port, &info);
	if (!error)
		error = rte_eth_dev_configure(port, 1, 1, &config);
	if (!error)
		error = rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool);
	if (!error)
		error = rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL);
	if (!error)
		error = rte_eth_dev_start(port);
	for (int ms = 0; !error && !link.link_status && ms < 10000; ms += 10) {
		rte_delay_us_sleep(10000);
		error = rte_eth_link_get_nowait(port, &link);
	}
	if (!error)
		error = rte_eth_macaddr_get(port, &own_mac);
	if (error || !link.link_status) {
		fprintf(stderr, "netbench: %s: %s\n", info.driver_name,
			error ? rte_strerror(-error) : "no link");
		return -1;
	}
	return 0;
}

/* -------------------------------------------------------------------------- arguments */

/* Reads numbers with commas between them. */
static int read_list(const struct program_option *option, const char *text, void *to)
{
	struct list *list = to;

	for (list->count = 0; list->count < LIST;) {
		const size_t length = strcspn(text, ",");
		char word[16] = "";
		uint64_t number;
		int error;

		if (length >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, length);
		error = parse_number(word, (uint64_t)option->least, (uint64_t)option->most,
				     &number);
		if (error)
			return error;
		list->value[list->count++] = (unsigned int)number;
		if (!text[length])
			return 0;
		text += length + 1;
	}
	return -EINVAL;
}

#define LIST_OPTION(called, member, from, to, text)                                           \
	{                                                                                     \
		.name = called, .value = "N,...", .must = "a list of up to 8 numbers",        \
		.read = read_list, OPTION_AT(member), .least = from, .most = to, .help = text \
	}

static const struct program_option known[] = {
	LIST_OPTION("size", sizes, 60, MAX_SIZE, "bytes of a frame"),
	LIST_OPTION("batch", batches_of, 1, MAX_BATCH, "frames of a batch"),
	OPTION_NUMBER("batches", "N", "a number of batches", batches, 1, 1e6, "of a window"),
	OPTION_NUMBER("repeats", "N", "a number of windows", repeats, 1, 100, "of each kind"),
	OPTION_NUMBER("gap-us", "N", "a number of microseconds", gap_us, 100, 500000,
		      "between batches; the receiver needs the same"),
	OPTION_TEXT("marks", "FILE", "a file", marks, "where to say what begins and ends"),
	OPTION_TEXT("net", "NAME", "a name", net, "what the results call this way of the frames"),
};

static const struct program program = {
	.name = "netbench",
	.before = "Usage: netbench EAL-OPTIONS -- (send | receive) [OPTION]...\n"
		  "\n"
		  "With exactly one port.\n"
		  "\n",
	.after = "Exit status: 0 done; 1 failed; 2 wrong usage.\n",
	.options = known,
	.option_count = RTE_DIM(known),
};

int main(int argc, char **argv)
{
	int eal = rte_eal_init(argc, argv), failed, first, status;
	bool sends;

	if (eal < 0)
		return options_wrong(&program, "EAL: %s", rte_strerror(rte_errno));
	argc -= eal;
	argv += eal;
	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first + 1 != argc || (strcmp(argv[first], "send") && strcmp(argv[first], "receive")))
		return options_wrong(&program, "send or receive is missing");
	sends = !strcmp(argv[first], "send");
	if (options.marks && !(marks = fopen(options.marks, "we"))) {
		fprintf(stderr, "netbench: %s: %s\n", options.marks, strerror(errno));
		return 1;
	}
	fill_pattern();
	if (open_port())
		return 1;
	if (sends) {
		mark("net %s\n", options.net);
		failed = send_all();
		mark("done\n");
	} else {
		failed = receive_all();
	}
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
	rte_eal_cleanup();
	return failed ? 1 : 0;
}
