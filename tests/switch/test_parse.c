/* SPDX-License-Identifier: Apache-2.0 */
/* What operators write: the whole text is right, or nothing of it is taken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "net.h"

static void macs(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:0",
		"02:00:00:00:00:01:",
		"02:00:00:00:00:01 ",
		" 2:00:00:00:00:01",
		"+2:00:00:00:00:01",
		"0x:00:00:00:00:01",
		"2:0:0:0:0:1",
		"02-00-00-00-00-01",
		"0200.0000.0001",
		"020000000001",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:\xc3\xa4",
	};
	uint8_t mac[6] = {9, 9, 9, 9, 9, 9};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(rvif_parse_mac(bad[i], mac), -EINVAL);
		assert_memory_equal(mac, "\x09\x09\x09\x09\x09\x09", 6);
	}
	assert_int_equal(rvif_parse_mac("02:aB:cD:eF:90:7f", mac), 0);
	assert_memory_equal(mac, "\x02\xab\xcd\xef\x90\x7f", 6);
	assert_true(rvif_mac_is_station(mac));
	assert_false(rvif_mac_is_station((const uint8_t[6]){0}));
	assert_false(rvif_mac_is_station((const uint8_t[6]){3}));
	assert_true(rvif_mac_is_station((const uint8_t[6]){0, 0, 0, 0, 0, 1}));
}

static void modes_and_groups(void **state)
{
	static const char *const bad[] = {"",	"0",	"000", "8",  "-1",
					  "+7", "1000", "0x7", "7 ", "rw"};
	uint32_t value = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(rvif_parse_mode(bad[i], &value), -EINVAL);
	assert_int_equal(rvif_parse_group("", &value), -EINVAL);
	assert_int_equal(rvif_parse_group("-1", &value), -EINVAL);
	assert_int_equal(rvif_parse_group("4294967295", &value), -EINVAL);
	assert_int_equal(rvif_parse_group("7x", &value), -EINVAL);
	assert_int_equal(value, 5);
	assert_int_equal(rvif_parse_mode("0660", &value), 0);
	assert_int_equal(value, 0660);
	assert_int_equal(rvif_parse_group("root", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(rvif_parse_group("4711", &value), 0);
	assert_int_equal(value, 4711);
}

static void tickets(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"00ff7Fa0", 0},	{"00ff7fa0\n", 0},	   {"00ff7fa0\n\n", -EINVAL},
		{"00ff7fa", -EINVAL},	{"00ff7fa00", -EINVAL},	   {"00ff7fa0 x", -EINVAL},
		{" 00ff7fa0", -EINVAL}, {"+0ff7fa0", -EINVAL},	   {"00 ff 7f", -EINVAL},
		{"", -EINVAL},		{"00ff7fa0\r\n", -EINVAL}, {"0x00ff7f", -EINVAL},
	};
	char path[] = "/tmp/rvif-ticket-XXXXXX";
	uint8_t bytes[4];

	(void)state;
	close(mkstemp(path));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_true(fputs(cases[i].text, file) >= 0);
		fclose(file);
		assert_int_equal(rvif_read_hex(path, bytes, sizeof(bytes)), cases[i].result);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rvif_read_hex(path, bytes, sizeof(bytes)), -ENOENT);
	assert_int_equal(rvif_read_hex("/", bytes, sizeof(bytes)), -EISDIR);
}

/* A mode for what is no file is refused, not forgotten. */
static void access_to_no_file(void **state)
{
	static const struct rvif_access cases[] = {{.mode = 0660}, {.has_group = 1}, {0}};
	struct rvif_config config = {.tx_queues = 1,
				     .rx_queues = 1,
				     .tx_ring = 8,
				     .rx_ring = 8,
				     .buffer_size = 2048,
				     .max_frame = 2048};
	struct rvif_vnic vnic;

	(void)state;
	assert_int_equal(rvif_configure(&config, 65536), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rvif_open_for(&vnic, &rvif_private_memory, "", &config, &cases[i]),
				 i < 2 ? -EOPNOTSUPP : 0);
	rvif_close(&vnic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macs),
		cmocka_unit_test(modes_and_groups),
		cmocka_unit_test(tickets),
		cmocka_unit_test(access_to_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
