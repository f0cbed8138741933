/* SPDX-License-Identifier: Apache-2.0 */
#include "observe.h"

#include <errno.h>
#include <json-c/json.h>
#include <pcap/pcap.h>
#include <rvs/rvs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "ask.h"
#include "clock.h"
#include "pcapng.h"
#include "port_stats.h"
#include "signals.h"

#define ASK_EVERY 3	  /* seconds; the owner captures for longer than that */
#define NAP_NS	  1000000 /* between two looks at a ring that has nothing new */

struct observer {
	const struct observation *what;
	int fd; /* the owner's socket */
	double asked;
	uint32_t port; /* the port's number */
	void *ring;
	size_t ring_size;
	struct rvs_observer reader;
	uint64_t before; /* frames of the port before the observation began */
	struct bpf_program filter;
	FILE *to;
	struct pcapng_counts counts;
};

static volatile sig_atomic_t stop;

static void on_stop(int number)
{
	(void)number;
	stop = 1;
}

static int __attribute__((format(printf, 2, 3)))
wrong(const struct observer *o, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", o->what->program);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

/* -------------------------------------------------------------------------------- the filter */

/* Returns the words with blanks between them, or NULL. */
static char *join(char **words)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	for (; *words; words++)
		fprintf(to, "%s%s", *words, words[1] ? " " : "");
	if (!fclose(to))
		return text;
	free(text);
	return NULL;
}

/* Compiles the filter. Returns 0, or -1 after a message. */
static int make_filter(struct observer *o)
{
	pcap_t *ethernet = pcap_open_dead(DLT_EN10MB, RVS_SNAP);
	char *text = join(o->what->filter);
	int error = -1;

	if (!ethernet || !text)
		wrong(o, "no memory for the filter");
	else if (pcap_compile(ethernet, &o->filter, text, 1, PCAP_NETMASK_UNKNOWN))
		wrong(o, "filter '%s': %s", text, pcap_geterr(ethernet));
	else
		error = 0;
	if (ethernet)
		pcap_close(ethernet);
	free(text);
	return error;
}

static bool passes(const struct observer *o, const struct rvs_copy *copy)
{
	const struct pcap_pkthdr header = {.caplen = copy->size, .len = copy->length};

	return pcap_offline_filter(&o->filter, &header, copy->bytes);
}

/* --------------------------------------------------------------------------------- the owner */

/* Maps the ring that came with the first reply. */
static int map_ring(struct observer *o, int file)
{
	struct stat is;

	if (fstat(file, &is))
		return wrong(o, "the capture ring: %s", strerrordesc_np(errno));
	o->ring_size = (size_t)is.st_size;
	o->ring = mmap(NULL, o->ring_size, PROT_READ, MAP_SHARED, file, 0);
	if (o->ring == MAP_FAILED) {
		o->ring = NULL;
		return wrong(o, "the capture ring: %s", strerrordesc_np(errno));
	}
	if (rvs_observe(&o->reader, o->ring, o->ring_size))
		return wrong(o, "the capture ring is one of another release");
	o->before = rvs_observable(&o->reader, o->port);
	return 0;
}

/* Asks for the port, at first or again. */
static int ask_for_port(struct observer *o)
{
	int file = -1, error = 0;
	json_object *result =
		ask(o->fd,
		    &(struct question){.command = "capture", .port = o->what->port, .file = &file});

	if (!result)
		return -1;
	o->port = (uint32_t)json_object_get_uint64(json_object_object_get(result, "port"));
	o->asked = monotonic();
	json_object_put(result);
	if (!o->ring)
		error = file < 0 ? wrong(o, "no capture ring came with the reply") :
				   map_ring(o, file);
	if (file >= 0)
		close(file);
	return error;
}

/* -------------------------------------------------------------------------------- the frames */

static uint64_t time_of_day(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#define DROP_WORD(name, word, text) [RVS_DROP_##name] = #word,

/* Returns why the frame was dropped; NULL: it was not. */
static const char *drop_of(const struct rvs_copy *copy)
{
	static const char *const words[RVS_DROPS] = {RVS_DROP_LIST(DROP_WORD)};

	return copy->verdict < RVS_DROPS ? words[copy->verdict] : "unknown";
}

static void print_frame(FILE *to, const struct rvs_copy *copy, uint64_t ns)
{
	const time_t seconds = (time_t)(ns / 1000000000);
	char to_mac[MAC_TEXT_SIZE], from_mac[MAC_TEXT_SIZE];
	const char *drop = drop_of(copy);
	struct tm clock;

	localtime_r(&seconds, &clock);
	mac_text(copy->bytes, to_mac);
	mac_text(copy->bytes + 6, from_mac);
	fprintf(to, "%02d:%02d:%02d.%06u %s %s > %s, type 0x%02x%02x, %u bytes%s%s\n",
		clock.tm_hour, clock.tm_min, clock.tm_sec, (unsigned int)(ns % 1000000000 / 1000),
		copy->given ? "got" : "sent", from_mac, to_mac, copy->bytes[12], copy->bytes[13],
		copy->length, drop ? ", dropped: " : "", drop ? drop : "");
}

static int write_frame(struct observer *o, const struct rvs_copy *copy)
{
	const uint64_t ns = time_of_day();
	const char *drop = drop_of(copy);
	char comment[64];

	if (!o->what->file) {
		print_frame(o->to, copy, ns);
		return ferror(o->to) ? -errno : 0;
	}
	if (drop)
		snprintf(comment, sizeof(comment), "dropped: %s", drop);
	return pcapng_frame(o->to, &(struct pcapng_frame){.ns = ns,
							  .data = copy->bytes,
							  .size = copy->size,
							  .length = copy->length,
							  .is_outbound = copy->given,
							  .comment = drop ? comment : NULL});
}

static bool is_done(const struct observer *o)
{
	return stop || (o->what->count && o->counts.accepted >= o->what->count);
}

/* Reads what the ring has now. Frames that are shorter than an Ethernet header belong to no
 * port. */
static int read_frames(struct observer *o, uint64_t *seen)
{
	struct rvs_copy copy;
	int error = 0;

	while (!error && !is_done(o) && rvs_observed(&o->reader, &copy)) {
		if (copy.port != o->port || copy.size < RVIF_MIN_FRAME)
			continue;
		++*seen;
		if (!passes(o, &copy))
			continue;
		o->counts.accepted++;
		error = write_frame(o, &copy);
		o->counts.written += !error;
	}
	return error ? error : fflush(o->to) ? -errno : 0;
}

/* Counts lost frames. A frame that came before the end and is not read yet is not lost. */
static void count_lost(struct observer *o, uint64_t seen)
{
	struct rvs_copy copy;
	uint64_t left = 2 * o->reader.records, calls = 2;

	o->counts.received = rvs_observable(&o->reader, o->port) - o->before;
	while (calls && left--)
		if (rvs_observed(&o->reader, &copy))
			seen += copy.port == o->port;
		else
			calls--;
	o->counts.lost = o->counts.received > seen ? o->counts.received - seen : 0;
	o->counts.end_ns = time_of_day();
}

static int say_unwritten(const struct observer *o, int error)
{
	return wrong(o, "%s: %s",
		     o->what->file && strcmp(o->what->file, "-") ? o->what->file :
								   "standard output",
		     strerrordesc_np(-error));
}

/* Observes. The owner may end, or remove the port: what was captured until then is written
 * nevertheless. */
static int watch(struct observer *o)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	uint64_t seen = 0;
	int error = 0, gone = 0;

	o->counts.begin_ns = time_of_day();
	while (!error && !gone && !is_done(o)) {
		error = read_frames(o, &seen);
		if (monotonic() - o->asked > ASK_EVERY)
			gone = ask_for_port(o);
		if (!is_done(o))
			nanosleep(&nap, NULL);
	}
	count_lost(o, seen);
	if (!error && o->what->file)
		error = pcapng_end(o->to, &o->counts);
	if (!error && fflush(o->to))
		error = -errno;
	if (error)
		say_unwritten(o, error);
	wrong(o, "%llu frames, %llu of them passed the filter; %llu more were lost",
	      (unsigned long long)(o->counts.received - o->counts.lost),
	      (unsigned long long)o->counts.accepted, (unsigned long long)o->counts.lost);
	return error || gone ? -1 : 0;
}

/* ------------------------------------------------------------------------------------ its life */

static int open_output(struct observer *o)
{
	const char *file = o->what->file;
	int error;

	if (file && !strcmp(file, "-") && isatty(STDOUT_FILENO))
		return wrong(o, "the standard output is a terminal: '-w -' is for a program that "
				"reads pcapng");
	o->to = file && strcmp(file, "-") ? fopen(file, "we") : stdout;
	if (!o->to)
		return wrong(o, "%s: %s", file, strerrordesc_np(errno));
	error = file ? pcapng_begin(o->to, o->what->program, o->what->port, RVS_SNAP) : 0;
	return error ? say_unwritten(o, error) : 0;
}

int observe(const struct observation *what)
{
	struct observer o = {.what = what, .fd = -1};
	int error;

	signal(SIGPIPE, SIG_IGN);
	if (make_filter(&o))
		return 2;
	signals_catch(on_stop);
	o.fd = ask_open(what->socket);
	error = o.fd < 0 || ask_for_port(&o) || open_output(&o) || watch(&o);
	if (o.to && o.to != stdout && fclose(o.to) && !error)
		error = say_unwritten(&o, -errno);
	if (o.fd >= 0)
		close(o.fd);
	if (o.ring)
		munmap(o.ring, o.ring_size);
	pcap_freecode(&o.filter);
	return error ? 1 : 0;
}
