/* SPDX-License-Identifier: Apache-2.0 */
/* What is written as pcapng, libpcap reads; block by block it is as the format's document says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pcapng.h"

static const uint8_t data[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5, 5};
static const struct pcapng_counts counts = {.begin_ns = 5ull << 32 | 1,
					    .end_ns = 6ull << 32 | 2,
					    .received = 10,
					    .lost = 7,
					    .accepted = 3,
					    .written = 2};

/* Frames of 64 and 63 bytes, of which all and 14 are there, the second one dropped. */
static void write_all(FILE *to)
{
	struct pcapng_frame frame = {
		.ns = 1234567890123456789ull, .data = data, .size = 64, .length = 64};

	assert_int_equal(pcapng_begin(to, "program", "port", 2032), 0);
	assert_int_equal(pcapng_frame(to, &frame), 0);
	frame.ns += 1000;
	frame.size = 14;
	frame.length = 63;
	frame.is_outbound = 1;
	frame.comment = "dropped: full";
	assert_int_equal(pcapng_frame(to, &frame), 0);
	assert_int_equal(pcapng_end(to, &counts), 0);
	rewind(to);
}

static void test_libpcap_reads_it(void **unused)
{
	FILE *file = tmpfile();
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *bytes;
	pcap_t *pcap;

	(void)unused;
	write_all(file);
	pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
	if (!pcap)
		fail_msg("%s", error);
	assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
	assert_int_equal(pcap_snapshot(pcap), 2032);
	assert_int_equal(pcap_next_ex(pcap, &header, &bytes), 1);
	assert_int_equal(header->ts.tv_sec, 1234567890);
	assert_int_equal(header->ts.tv_usec, 123456789);
	assert_int_equal(header->caplen, 64);
	assert_int_equal(header->len, 64);
	assert_memory_equal(bytes, data, 64);
	assert_int_equal(pcap_next_ex(pcap, &header, &bytes), 1);
	assert_int_equal(header->ts.tv_usec, 123457789);
	assert_int_equal(header->caplen, 14);
	assert_int_equal(header->len, 63);
	assert_memory_equal(bytes, data, 14);
	assert_int_equal(pcap_next_ex(pcap, &header, &bytes), PCAP_ERROR_BREAK);
	pcap_close(pcap);
}

static uint32_t number_at(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The value of an option with this code, in the options of a block; NULL: it has none. */
static const uint8_t *option_in(const uint8_t *at, const uint8_t *end, uint16_t code,
				uint32_t *length)
{
	while (at < end) {
		const uint32_t head = number_at(at);

		*length = head >> 16;
		if ((head & 0xffff) == code)
			return at + 4;
		if (!head)
			return NULL;
		at += 4 + (*length + 3) / 4 * 4;
	}
	fail_msg("no end of options");
	return NULL;
}

static void assert_number(const uint8_t *options, const uint8_t *end, uint16_t code, uint64_t value)
{
	uint32_t length;
	const uint8_t *at = option_in(options, end, code, &length);

	assert_non_null(at);
	assert_int_equal(length, 8);
	assert_memory_equal(at, &value, 8);
}

static void test_blocks(void **unused)
{
	static const uint32_t types[] = {0x0a0d0d0a, 1, 6, 6, 5};
	const uint8_t *block[5], *at, *end;
	uint8_t bytes[2048];
	uint32_t length;
	FILE *file = tmpfile();
	size_t size;

	(void)unused;
	write_all(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	at = bytes;
	for (int i = 0; i < 5; i++) {
		block[i] = at;
		assert_int_equal(number_at(at), types[i]);
		assert_int_equal(number_at(at + 4) % 4, 0);
		at += number_at(at + 4);
		assert_int_equal(number_at(at - 4), number_at(block[i] + 4));
	}
	assert_ptr_equal(at, bytes + size);
	/* directions: in and out; why it was dropped */
	end = block[3];
	assert_int_equal(number_at(option_in(block[2] + 28 + 64, end, 2, &length)), 1);
	assert_null(option_in(block[2] + 28 + 64, end, 1, &length));
	end = block[4];
	assert_int_equal(number_at(option_in(block[3] + 28 + 16, end, 2, &length)), 2);
	assert_memory_equal(option_in(block[3] + 28 + 16, end, 1, &length), "dropped: full", 13);
	assert_int_equal(length, 13);
	/* the interface's name; its statistics, times with the upper half first */
	assert_memory_equal(option_in(block[1] + 16, block[2], 2, &length), "port", 4);
	end = bytes + size;
	assert_number(block[4] + 20, end, 2, 1ull << 32 | 5);
	assert_number(block[4] + 20, end, 3, 2ull << 32 | 6);
	assert_number(block[4] + 20, end, 4, 10);
	assert_number(block[4] + 20, end, 5, 7);
	assert_number(block[4] + 20, end, 6, 3);
	assert_number(block[4] + 20, end, 8, 2);
}

/* Names and frames that are too long for a block, and a disk that is full. */
static void test_limits(void **unused)
{
	char name[10000];
	FILE *file = tmpfile(), *full = fopen("/dev/full", "w");
	uint8_t large[9000] = {0};
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;

	(void)unused;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(pcapng_begin(file, name, name, 2032), 0);
	assert_int_equal(pcapng_frame(file, &(struct pcapng_frame){.data = large, .size = 9000}),
			 -EMSGSIZE);
	assert_int_equal(pcapng_frame(file, &(struct pcapng_frame){.data = large,
								   .size = 2032,
								   .length = 9000,
								   .comment = name}),
			 0);
	rewind(file);
	pcap = pcap_fopen_offline(file, error);
	assert_non_null(pcap);
	pcap_close(pcap);
	setbuf(full, NULL);
	assert_int_equal(pcapng_begin(full, "a", "b", 2032), -ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libpcap_reads_it),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
