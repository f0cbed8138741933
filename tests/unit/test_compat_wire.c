/* SPDX-License-Identifier: Apache-2.0 */
/* The compatibility library's messages, and what a map request may ask for. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "test.h"
#include "../../lib/compat/internal.h"
#include "../../lib/compat/wire.h"

static int pair[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int teardown(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void messages_arrive_and_nothing_else_is_read(void **state)
{
	struct wire_message offer = {.type = WIRE_OFFER, .ticket = {1, 2, 3}}, got;
	char data[8];

	(void)state;
	assert_int_equal(wire_send(pair[0], &offer, wire_deadline(1000)), 0);
	assert_int_equal(write(pair[0], "data", 4), 4);
	assert_int_equal(wire_receive(pair[1], WIRE_OFFER, &got, wire_deadline(1000)), 0);
	assert_int_equal(got.status, WIRE_OK);
	assert_memory_equal(got.ticket, offer.ticket, sizeof(got.ticket));
	assert_int_equal(read(pair[1], data, sizeof(data)), 4);
	assert_memory_equal(data, "data", 4);
}

static void every_byte_is_checked(void **state)
{
	struct wire_message attached = {.type = WIRE_ATTACHED}, got;
	uint8_t bytes[WIRE_SIZE];

	(void)state;
	wire_format(&attached, bytes);
	assert_int_equal(wire_parse(bytes, WIRE_ATTACHED, &got), 0);
	assert_int_equal(wire_parse(bytes, WIRE_WELCOME, &got), -EPROTO);
	for (int i = 0; i < WIRE_SIZE; i++) {
		bytes[i] ^= 0x20;
		assert_int_equal(wire_parse(bytes, WIRE_ATTACHED, &got),
				 i == 8 || i == 9 ? -EPROTONOSUPPORT : -EPROTO);
		bytes[i] ^= 0x20;
	}
}

static void a_client_has_vcpus(void **state)
{
	static const uint32_t good[] = {1, 2, 77, WIRE_MAX_VCPUS};
	static const uint32_t bad[] = {0, WIRE_MAX_VCPUS + 1, 0x01000000, UINT32_MAX};
	uint8_t bytes[WIRE_SIZE];
	struct wire_message got;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct wire_message hello = {.type = WIRE_HELLO, .vcpus = good[i]};

		wire_format(&hello, bytes);
		assert_int_equal(wire_parse(bytes, WIRE_HELLO, &got), 0);
		assert_int_equal(got.vcpus, good[i]);
		assert_int_equal(got.status, WIRE_OK);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct wire_message hello = {.type = WIRE_HELLO, .vcpus = bad[i]};

		wire_format(&hello, bytes);
		assert_int_equal(wire_parse(bytes, WIRE_HELLO, &got), -EPROTO);
	}
}

static void a_status_fits_its_message(void **state)
{
	struct wire_message message = {.type = WIRE_WELCOME, .status = WIRE_BUSY}, got;
	uint8_t bytes[WIRE_SIZE];

	(void)state;
	wire_format(&message, bytes);
	assert_int_equal(wire_parse(bytes, WIRE_WELCOME, &got), 0);
	assert_int_equal(got.status, WIRE_BUSY);
	message.type = WIRE_ATTACHED; /* a client has no status */
	wire_format(&message, bytes);
	assert_int_equal(wire_parse(bytes, WIRE_ATTACHED, &got), -EPROTO);
	message.type = WIRE_OFFER; /* a refusal has no ticket, an offer has one */
	message.ticket[31] = 1;
	wire_format(&message, bytes);
	assert_int_equal(wire_parse(bytes, WIRE_OFFER, &got), -EPROTO);
	message.status = WIRE_OK;
	wire_format(&message, bytes);
	assert_int_equal(wire_parse(bytes, WIRE_OFFER, &got), 0);
	message.ticket[31] = 0;
	wire_format(&message, bytes);
	assert_int_equal(wire_parse(bytes, WIRE_OFFER, &got), -EPROTO);
}

static void *dribble(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20; i++) {
		if (write(pair[0], "E", 1) != 1)
			break;
		usleep(20000);
	}
	return NULL;
}

static void time_is_limited_as_a_whole(void **state)
{
	int64_t start = wire_deadline(0), took;
	struct wire_message got;
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, dribble, NULL);
	assert_int_equal(wire_receive(pair[1], WIRE_HELLO, &got, wire_deadline(100)), -ETIMEDOUT);
	took = wire_deadline(0) - start;
	assert_true(took >= 100 && took < 380);
	pthread_join(thread, NULL);
}

static void an_end_is_told(void **state)
{
	struct wire_message got;

	(void)state;
	assert_int_equal(write(pair[0], "ELISA", 5), 5);
	shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(wire_receive(pair[1], WIRE_HELLO, &got, wire_deadline(1000)), -ECONNRESET);
	got = (struct wire_message){.type = WIRE_HELLO};
	assert_int_equal(wire_send(pair[1], &got, wire_deadline(1000)), -ECONNRESET);
}

/* --- requests */

static const struct elisa_map_req good = {
	.src_gxa = 0x10000,
	.dst_gva = ELISA_OBJECT_BASE,
	.dst_gpa = 0x123,
	.pt_flags = PT_P | PT_W | PT_U | PT_NX,
	.ept_flags = EPT_R | EPT_W | EPT_MT | EPT_A | EPT_U,
	.level = 1,
};

static void neighbours_become_one_run(void **state)
{
	struct elisa_map_req reqs[5];
	struct compat_run *runs;

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		reqs[i] = good;
		reqs[i].src_gxa += i * 4096;
		reqs[i].dst_gva += i * 4096;
	}
	reqs[2].ept_flags |= EPT_X;
	reqs[2].pt_flags &= ~(PT_NX | PT_W);
	reqs[4].flags = ELISA_MAP_REQ_FLAGS_SRC_GPA;
	assert_int_equal(compat_runs(reqs, 5, &runs), 4);
	assert_int_equal(runs[0].length, 8192);
	assert_int_equal(runs[0].prot, ELISA_PROT_READ | ELISA_PROT_WRITE);
	assert_int_equal(runs[1].prot, ELISA_PROT_READ | ELISA_PROT_EXEC);
	assert_int_equal(runs[1].offset, 8192);
	assert_int_equal(runs[1].source, 0x12000);
	assert_int_equal(runs[2].first, 3);
	assert_false(runs[2].physical);
	assert_true(runs[3].physical);
	free(runs);

	reqs[1].pt_flags = PT_P |
			   PT_U; /* readable alone, and both: left for the memory to decide */
	reqs[0].ept_flags |= EPT_X;
	reqs[0].pt_flags &= ~PT_NX;
	assert_int_equal(compat_runs(reqs, 2, &runs), 2);
	assert_int_equal(runs[0].prot, ELISA_PROT_READ | ELISA_PROT_WRITE | ELISA_PROT_EXEC);
	assert_int_equal(runs[1].prot, ELISA_PROT_READ);
	free(runs);
}

static void refused(const struct elisa_map_req *req, const char *why)
{
	struct elisa_map_req reqs[2] = {good, *req};
	struct compat_run *runs;

	errno = 0;
	assert_int_equal(compat_runs(reqs, 2, &runs), -1);
	assert_int_equal(errno, EINVAL);
	if (!strstr(elisa_compat_error(), "map request 1: ") || !strstr(elisa_compat_error(), why))
		fail_msg("no '%s' in: %s", why, elisa_compat_error());
}

#define REFUSED(why, field, value)               \
	do {                                     \
		struct elisa_map_req req = good; \
		req.field = value;               \
		refused(&req, why);              \
	} while (0)

static void what_cannot_be_had_is_refused(void **state)
{
	struct compat_run *runs;

	(void)state;
	REFUSED("level 2; only pages of 4096 bytes", level, 2);
	REFUSED("level 0", level, 0);
	REFUSED("unknown flags 0x4", flags, 4);
	REFUSED("is not aligned", src_gxa, 0x10001);
	REFUSED("is not aligned", dst_gva, ELISA_OBJECT_BASE + 8);
	REFUSED("outside of the object area", dst_gva, 0x7f0000000000);
	REFUSED("outside of the object area", dst_gva, ELISA_WINDOW_BASE);
	REFUSED("outside of the object area", dst_gva, ELISA_OBJECT_BASE - 4096);
	REFUSED("outside of the object area", dst_gva, ELISA_OBJECT_BASE + ELISA_OBJECT_SIZE);
	REFUSED("no page to read", pt_flags, PT_W | PT_U);
	REFUSED("no page to read", pt_flags, PT_P | PT_W);
	REFUSED("no page to read", ept_flags, EPT_W | EPT_MT);
	REFUSED("memory type 0", ept_flags, EPT_R | EPT_W);
	REFUSED("no other caching", pt_flags, PT_P | PT_U | PT_CD);
	REFUSED("no large pages", pt_flags, PT_P | PT_U | PT_PS);
	REFUSED("use the flags", ept_flags, EPT_R | EPT_MT | (1UL << 7));
	assert_int_equal(compat_runs(&good, 0, &runs), -1);
	assert_int_equal(compat_runs(NULL, 3, &runs), -1);
	assert_int_equal(compat_runs(&good, -5, &runs), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_arrive_and_nothing_else_is_read, setup,
						teardown),
		cmocka_unit_test(every_byte_is_checked),
		cmocka_unit_test(a_client_has_vcpus),
		cmocka_unit_test(a_status_fits_its_message),
		cmocka_unit_test_setup_teardown(time_is_limited_as_a_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(an_end_is_told, setup, teardown),
		cmocka_unit_test(neighbours_become_one_run),
		cmocka_unit_test(what_cannot_be_had_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
