/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet generator and receiver on a vNIC that it makes: rates, losses, latency. It must leave no
 * file behind, however it ends but by SIGKILL.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <rvif/driver.h>
#include <rvif/elisa.h>
#include "output.h"
#include "signals.h"
#include "utf8.h"

enum {
	RING = 512,
	BUFFER = 2048,
	MIN_SIZE = 64,
	MAX_BATCH = 256,
	MAX_SAMPLES = 1000000,
	ETHER_TYPE = 0x88b5, /* for local experiments */
	IMIX = 0,	     /* as a size */
	REPLY_TIMEOUT_US = 1000000,
	LAST_WORDS_MS = 1000, /* after a signal: for a reader to take the results */
};

#define TEST_MAGIC 0x6e656774656b7072ull /* "rpketgen" */

/* What a frame of ours holds. */
struct test_frame {
	uint8_t to[6];
	uint8_t from[6];
	uint8_t type[2];
	uint16_t flags;
	uint64_t magic;
	uint64_t sequence;
	uint64_t run; /* differs for each run of a sender */
} __attribute__((packed));

static const char usage_text[] =
	"Usage: rvs-pktgen COMMAND [OPTION]... VNIC\n"
	"\n"
	"Makes the vNIC VNIC, a file, and waits until a switch (rvs-fwd) attaches it. In a VM,\n"
	"VNIC may be elisa:EXPORT or elisa:/PATH/OF/TICKET: a port of elisa-vmnet.\n"
	"\n"
	"  tx    send frames\n"
	"  rx    receive, count, find losses\n"
	"  ping  send one frame at a time and wait for its answer; print latencies\n"
	"  pong  answer\n"
	"\n"
	"  --mac MAC        address to insist on (default what the switch says, else\n"
	"                   02:00:00:00:00:01 for tx and ping, 02:00:00:00:00:02 for rx and pong)\n"
	"  --to MAC         where to send (default 02:00:00:00:00:02)\n"
	"  --size N | imix  bytes of a frame, 64 to 9216 (default 64)\n"
	"  --batch N        frames that are posted at once, 1 to 256 (default 32)\n"
	"  --count N        end after so many frames sent, received, or answered\n"
	"  --time SECONDS   end after this time (default 10 for ping: whatever comes first)\n"
	"  --rate N         frames per second to send at most\n"
	"  --interval S     print rates this often (default 1; 0: only at the end)\n"
	"  --mode MODE      permissions of the file VNIC, octal (default 0600)\n"
	"  --group GROUP    its group\n"
	"  --json           print JSON, an object a line\n"
	"  --poll           never sleep while nothing comes\n"
	"  --wait SECONDS   give up if no switch attaches the vNIC (default: wait)\n"
	"  --help           this text\n"
	"\n"
	"Exit status: 0 done, or ended by a signal; 1 failed, or the results could not be\n"
	"written; 2 wrong usage.\n";

enum command {
	TX,
	RX,
	PING,
	PONG
};

static enum command command;
static const char *path;
static uint8_t own_mac[6], to_mac[6] = {2, 0, 0, 0, 0, 2};
static uint32_t size = MIN_SIZE, batch = 32;
static double count_limit, time_limit, rate, interval = 1, wait_limit;
static bool json, poll_always, has_mac;
static struct rvif_access access_to;
static volatile sig_atomic_t stop;

static struct rvif_vnic vnic;
static struct rvif_ring tx, rx;
static uint64_t sent, received, bytes, lost, disordered, foreign, run;
static uint64_t *samples;
static uint32_t sample_count;

static double monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

/* -------------------------------------------------------------------------------- the vNIC */

static uint32_t buffers_of_frame(void)
{
	return size > BUFFER ? (size + BUFFER - 1) / BUFFER : 1;
}

static uint32_t tx_buffer(uint32_t index)
{
	return vnic.layout.buffers + (index & tx.mask) * BUFFER;
}

static uint32_t rx_buffer(uint32_t index)
{
	return vnic.layout.buffers + (RING + (index & rx.mask)) * BUFFER;
}

/* 0, or -1 after a message. */
static int make_vnic(void)
{
	struct rvif_config config = {
		.tx_queues = 1,
		.rx_queues = 1,
		.tx_ring = RING,
		.rx_ring = RING,
		.buffer_size = BUFFER,
		.max_frame = 9216,
		.features = poll_always ? 0 : RVIF_F_NOTIFY,
	};
	int error;

	memcpy(config.mac, own_mac, 6);
	config.any_mac = !has_mac;
	error = rvif_configure(&config, 2ull * RING * BUFFER);
	if (error) {
		output_print(STDERR_FILENO, "rvs-pktgen: %s\n", rvif_strreason(-error));
		return -1;
	}
	error = !strncmp(path, "elisa:", 6) ?
			rvif_open_for(&vnic, &rvif_over_elisa, path + 6, &config, &access_to) :
			rvif_open_for(&vnic, &rvif_shared_file, path, &config, &access_to);
	if (error) {
		output_print(STDERR_FILENO, "rvs-pktgen: %s: %s\n", path,
			     error == -EBUSY ? "another driver uses it" : strerrordesc_np(-error));
		return -1;
	}
	rvif_start(&vnic);
	rvif_tx_ring_init(&tx, &vnic, 0);
	rvif_rx_ring_init(&rx, &vnic, 0);
	while (rvif_ring_room(&rx)) {
		rvif_desc_set(rvif_ring_desc(&rx, rx.posted), rx_buffer(rx.posted), 0, 0);
		rx.posted++;
	}
	rvif_ring_publish(&rx);
	return 0;
}

/* The switch may have had another one. */
static void take_mac(void)
{
	uint8_t mac[6];

	memcpy(mac, rvif_header(&vnic)->sw.mac, sizeof(mac));
	if (rvif_mac_is_station(mac))
		memcpy(own_mac, mac, sizeof(mac));
}

static int wait_for_switch(void)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	const double start = monotonic();

	while (!stop) {
		int attached = rvif_attached(&vnic);

		if (attached == 1) {
			take_mac();
			return 0;
		}
		if (attached < 0) {
			output_print(STDERR_FILENO, "rvs-pktgen: %s: the switch refused it: %s\n",
				     path, rvif_strreason(-attached));
			return -1;
		}
		if (wait_limit > 0 && monotonic() - start > wait_limit) {
			output_print(STDERR_FILENO,
				     "rvs-pktgen: %s: no switch attached it in %g seconds\n", path,
				     wait_limit);
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return 0;
}

/* ------------------------------------------------------------------------------------- frames */

static uint32_t next_size(uint64_t sequence)
{
	static const uint16_t imix[12] = {64, 576, 64, 64, 576, 64, 1514, 64, 576, 64, 64, 576};

	return size == IMIX ? imix[sequence % 12] : size;
}

/* Room for so many frames, or less. */
static uint32_t tx_room(uint32_t frames)
{
	uint32_t room;

	tx.reaped += rvif_ring_completed(&tx);
	room = rvif_ring_room(&tx) / buffers_of_frame();
	return room < frames ? room : frames;
}

/* Fills the next descriptors with a frame; does not publish. */
static void put_frame(uint64_t sequence)
{
	uint32_t left = next_size(sequence);
	struct test_frame *frame =
		(struct test_frame *)(void *)(vnic.region + tx_buffer(tx.posted));

	memcpy(frame->to, to_mac, 6);
	memcpy(frame->from, own_mac, 6);
	frame->type[0] = ETHER_TYPE >> 8;
	frame->type[1] = ETHER_TYPE & 0xff;
	frame->flags = 0;
	frame->magic = TEST_MAGIC;
	frame->sequence = sequence;
	frame->run = run;
	bytes += left;
	while (left) {
		uint32_t n = left < BUFFER ? left : BUFFER;

		left -= n;
		rvif_desc_set(rvif_ring_desc(&tx, tx.posted), tx_buffer(tx.posted), (uint16_t)n,
			      left ? RVIF_MORE : 0);
		tx.posted++;
	}
	sent++;
}

static void publish_tx(void)
{
	int error;

	rvif_ring_publish(&tx);
	if (!rvif_ring_kick_wanted(&tx, rvif_header(&vnic)->sw.features))
		return;
	error = vnic.transport->kick(&vnic, 0);
	if (error && error != -EAGAIN) {
		output_print(STDERR_FILENO, "rvs-pktgen: %s: the switch is gone: %s\n", path,
			     strerrordesc_np(-error));
		stop = 1;
	}
}

/* Calls with each whole frame that came; gives the buffers back. Returns how many. */
static uint32_t take_frames(void (*with)(struct test_frame *frame, uint32_t length))
{
	const uint32_t ready = rvif_ring_completed(&rx);
	struct test_frame *frame = NULL;
	uint32_t length = 0, frames = 0;

	for (uint32_t i = 0; i < ready; i++) {
		struct rvif_desc *desc = rvif_ring_desc(&rx, rx.reaped);

		if (!frame)
			frame = (struct test_frame *)(void *)(vnic.region + rx_buffer(rx.reaped));
		length += desc->length;
		rx.reaped++;
		if (desc->flags & RVIF_MORE)
			continue;
		if (length >= sizeof(*frame)) {
			with(frame, length);
			frames++;
		}
		frame = NULL;
		length = 0;
	}
	while (rvif_ring_room(&rx)) {
		rvif_desc_set(rvif_ring_desc(&rx, rx.posted), rx_buffer(rx.posted), 0, 0);
		rx.posted++;
	}
	if (ready)
		rvif_ring_publish(&rx);
	return frames;
}

/* Nothing came for a while. */
static void sleep_a_little(void)
{
	uint32_t seen;

	if (poll_always)
		return;
	if (rvif_ring_may_sleep(&rx, &seen))
		vnic.transport->wait(&vnic, 0, seen, 20000);
	rvif_ring_awake(&rx);
}

/* ----------------------------------------------------------------------------------- commands */

static void count_frame(struct test_frame *frame, uint32_t length)
{
	static uint64_t last, last_run;

	received++;
	bytes += length;
	if (frame->magic != TEST_MAGIC) {
		foreign++;
		return;
	}
	if (frame->run == last_run && frame->sequence <= last)
		disordered++;
	else if (frame->run == last_run)
		lost += frame->sequence - last - 1;
	last = frame->sequence;
	last_run = frame->run;
}

static void answer(struct test_frame *frame, uint32_t length)
{
	struct test_frame *reply;

	received++;
	if (!tx_room(1) || length > BUFFER)
		return;
	reply = (struct test_frame *)(void *)(vnic.region + tx_buffer(tx.posted));
	memcpy(reply, frame, length);
	memcpy(reply->to, frame->from, 6);
	memcpy(reply->from, own_mac, 6);
	rvif_desc_set(rvif_ring_desc(&tx, tx.posted), tx_buffer(tx.posted), (uint16_t)length, 0);
	tx.posted++;
	sent++;
	bytes += length;
	publish_tx();
}

static uint64_t expected, answered;

static void take_answer(struct test_frame *frame, uint32_t length)
{
	(void)length;
	if (frame->magic == TEST_MAGIC && frame->run == run && frame->sequence == expected)
		answered = nanoseconds();
}

/* One frame there and back. */
static void ping(void)
{
	const uint64_t start = nanoseconds();

	if (!tx_room(1)) {
		stop = 1;
		return;
	}
	expected = sent + 1;
	answered = 0;
	put_frame(expected);
	publish_tx();
	while (!answered && !stop) {
		if (!take_frames(take_answer) &&
		    nanoseconds() - start > REPLY_TIMEOUT_US * 1000ull) {
			lost++;
			return;
		}
	}
	if (answered && sample_count < MAX_SAMPLES)
		samples[sample_count++] = answered - start;
	received += answered != 0;
}

/* Of n frames, those that are due by --rate: frame i at i / rate. A batch that fills within a millisecond goes whole. */
static uint32_t due(uint32_t n, double elapsed)
{
	double total = floor(rate * elapsed) + 1;

	if (rate <= 0)
		return n;
	if (time_limit > 0 && total > ceil(rate * time_limit))
		total = ceil(rate * time_limit);
	if ((double)sent + n <= total)
		return n;
	return total <= (double)sent || rate > 1000.0 * batch ? 0 :
								(uint32_t)(total - (double)sent);
}

static void send_batch(double start)
{
	uint32_t n = tx_room(batch);

	if (count_limit > 0 && (double)(sent + n) > count_limit)
		n = (uint32_t)(count_limit - (double)sent);
	n = due(n, monotonic() - start);
	for (uint32_t i = 0; i < n; i++)
		put_frame(sent + 1);
	if (n)
		publish_tx();
}

/* ------------------------------------------------------------------------------------ results */

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t percentile(double part)
{
	return sample_count ? samples[(uint32_t)(part * (sample_count - 1))] : 0;
}

static void print_object(json_object *object)
{
	output_print(STDOUT_FILENO, "%s\n",
		     json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static void print_latency(void)
{
	static const double parts[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
	static const char *const names[] = {"min", "p50", "p90", "p99", "p99.9", "max"};
	json_object *object;

	qsort(samples, sample_count, sizeof(*samples), compare);
	if (!json) {
		output_print(STDOUT_FILENO, "round trip in ns, %u answers, %llu lost\n",
			     sample_count, (unsigned long long)lost);
		for (int i = 0; i < 6; i++)
			output_print(STDOUT_FILENO, "%-6s %10llu\n", names[i],
				     (unsigned long long)percentile(parts[i]));
		return;
	}
	object = json_object_new_object();
	for (int i = 0; i < 6; i++)
		json_object_object_add(object, names[i],
				       json_object_new_uint64(percentile(parts[i])));
	json_object_object_add(object, "answers", json_object_new_uint64(sample_count));
	json_object_object_add(object, "lost", json_object_new_uint64(lost));
	print_object(object);
}

static void print_rates(double seconds, uint64_t frames, uint64_t more_bytes, bool total)
{
	const double per_second = (double)frames / seconds;
	const double mbps = (double)more_bytes * 8e-6 / seconds;
	json_object *object;

	if (!json) {
		output_print(
			STDOUT_FILENO,
			"%s%12.0f frames/s %10.1f Mbit/s  %llu sent, %llu received, %llu lost, "
			"%llu out of order\n",
			total ? "total " : "      ", per_second, mbps, (unsigned long long)sent,
			(unsigned long long)received, (unsigned long long)lost,
			(unsigned long long)disordered);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "total", json_object_new_boolean(total));
	json_object_object_add(object, "seconds", json_object_new_double(seconds));
	json_object_object_add(object, "frames_per_second", json_object_new_double(per_second));
	json_object_object_add(object, "mbit_per_second", json_object_new_double(mbps));
	json_object_object_add(object, "sent", json_object_new_uint64(sent));
	json_object_object_add(object, "received", json_object_new_uint64(received));
	json_object_object_add(object, "lost", json_object_new_uint64(lost));
	json_object_object_add(object, "disordered", json_object_new_uint64(disordered));
	json_object_object_add(object, "foreign", json_object_new_uint64(foreign));
	print_object(object);
}

static bool is_done(double elapsed)
{
	const uint64_t done = command == TX ? sent : received;

	if (stop)
		return true;
	if (count_limit > 0 && (double)done >= count_limit)
		return true;
	return time_limit > 0 && elapsed >= time_limit;
}

static void work(double start)
{
	static uint32_t idle;

	switch (command) {
	case TX:
		send_batch(start);
		take_frames(count_frame);
		return;
	case PING:
		ping();
		return;
	case RX:
	case PONG:
		if (take_frames(command == RX ? count_frame : answer))
			idle = 0;
		else if (++idle > 10000)
			sleep_a_little();
	}
}

static void run_command(void)
{
	const double start = monotonic();
	double last = start, now = start;
	uint64_t frames_before = 0, bytes_before = 0;

	run = nanoseconds();
	for (uint32_t rounds = 0; !is_done(now - start); rounds++) {
		const uint64_t frames = command == TX ? sent : received;

		work(start);
		if (rounds % 16)
			continue;
		now = monotonic();
		if (command == PING || interval <= 0 || now - last < interval)
			continue;
		print_rates(now - last, frames - frames_before, bytes - bytes_before, false);
		last = now;
		frames_before = frames;
		bytes_before = bytes;
	}
	/* what was posted is still to be fetched */
	for (int i = 0; command == TX && i < 1000 && tx_room(RING) * buffers_of_frame() < RING; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	if (command == PING)
		print_latency();
	else
		print_rates(monotonic() - start, command == TX ? sent : received, bytes, true);
}

/* ------------------------------------------------------------------------------------ options */

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "rvs-pktgen: %s: %s; see rvs-pktgen --help\n", what, value);
	return 2;
}

static bool to_number(const char *text, double min, double max, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= min && *value <= max;
}

/* 0, or the exit status. */
static int read_option(int option)
{
	double number;

	switch (option) {
	case 'm':
		has_mac = true;
		return !rvif_parse_mac(optarg, own_mac) && rvif_mac_is_station(own_mac) ?
			       0 :
			       usage_error("no address of a station, as 02:00:00:00:00:01", optarg);
	case 't':
		return rvif_parse_mac(optarg, to_mac) ?
			       usage_error("no MAC address, as 02:00:00:00:00:01", optarg) :
			       0;
	case 's':
		if (!strcmp(optarg, "imix"))
			size = IMIX;
		else if (to_number(optarg, MIN_SIZE, 9216, &number))
			size = (uint32_t)number;
		else
			return usage_error("no size from 64 to 9216", optarg);
		return 0;
	case 'b':
		if (!to_number(optarg, 1, MAX_BATCH, &number))
			return usage_error("no batch from 1 to 256", optarg);
		batch = (uint32_t)number;
		return 0;
	case 'c':
		return to_number(optarg, 1, 1e18, &count_limit) ?
			       0 :
			       usage_error("no number of frames", optarg);
	case 'T':
		return to_number(optarg, 0, 1e9, &time_limit) ?
			       0 :
			       usage_error("no number of seconds", optarg);
	case 'r':
		return to_number(optarg, 0, 1e12, &rate) ? 0 : usage_error("no rate", optarg);
	case 'i':
		return to_number(optarg, 0, 1e6, &interval) ?
			       0 :
			       usage_error("no number of seconds", optarg);
	case 'w':
		return to_number(optarg, 0, 1e9, &wait_limit) ?
			       0 :
			       usage_error("no number of seconds", optarg);
	case 'M':
		return rvif_parse_mode(optarg, &access_to.mode) ?
			       usage_error("no octal mode up to 0777", optarg) :
			       0;
	case 'G':
		access_to.has_group = 1;
		return rvif_parse_group(optarg, &access_to.group) ?
			       usage_error("no group", optarg) :
			       0;
	case 'j':
		json = true;
		return 0;
	case 'p':
		poll_always = true;
		return 0;
	default:
		fputs("see rvs-pktgen --help\n", stderr);
		return 2;
	}
}

static bool to_command(const char *text)
{
	static const char *const names[] = {"tx", "rx", "ping", "pong"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			command = (enum command)i;
			return true;
		}
	return false;
}

/* 0, 1 for --help, or -exit status. */
static int read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"mac", required_argument, NULL, 'm'},
		{"to", required_argument, NULL, 't'},
		{"size", required_argument, NULL, 's'},
		{"batch", required_argument, NULL, 'b'},
		{"count", required_argument, NULL, 'c'},
		{"time", required_argument, NULL, 'T'},
		{"rate", required_argument, NULL, 'r'},
		{"interval", required_argument, NULL, 'i'},
		{"wait", required_argument, NULL, 'w'},
		{"mode", required_argument, NULL, 'M'},
		{"group", required_argument, NULL, 'G'},
		{"json", no_argument, NULL, 'j'},
		{"poll", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option, error;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return 1;
	if (argc < 2 || !to_command(argv[1]))
		return -usage_error("no command", argc < 2 ? "tx, rx, ping or pong" : argv[1]);
	memcpy(own_mac, (uint8_t[]){2, 0, 0, 0, 0, command == TX || command == PING ? 1 : 2}, 6);
	time_limit = command == PING ? 10 : 0;
	optind = 2;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return 1;
		error = read_option(option);
		if (error)
			return -error;
	}
	if (optind != argc - 1)
		return -usage_error("not one vNIC", "give the path of its file");
	if ((command == PING || command == PONG) && size > BUFFER)
		return -usage_error("frames of ping and pong have at most 2048 bytes", "--size");
	path = argv[optind];
	return 0;
}

/* 0, or 1 after a message. */
static int generate(void)
{
	int error;

	samples = calloc(MAX_SAMPLES, sizeof(*samples));
	if (!samples) {
		output_print(STDERR_FILENO, "rvs-pktgen: no memory\n");
		return 1;
	}
	error = make_vnic() < 0;
	if (!error) {
		error = wait_for_switch() < 0;
		if (!error && !stop)
			run_command();
		if (rvif_attached(&vnic) == 1)
			rvif_stop(&vnic, 1000000);
		rvif_close(&vnic);
	}
	free(samples);
	return error;
}

int main(int argc, char **argv)
{
	int status, error;

	if (output_open("rvs-pktgen"))
		return 1;
	status = read_options(argc, argv);
	if (status > 0)
		return output_help(usage_text);
	if (status < 0)
		return -status;
	signals_catch(on_stop);
	status = generate();
	/* nothing is left behind any more: the results wait for their reader, unless a signal comes */
	signals_catch(SIG_DFL);
	error = output_close(stop ? LAST_WORDS_MS : -1);
	return status || (error && error != -ETIMEDOUT);
}
