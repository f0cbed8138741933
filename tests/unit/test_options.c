/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options: where values go, and what is said of those that are wrong. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "options.h"
#include "test.h"

struct options {
	bool json;
	uint32_t flags;
	const char *file;
	uint32_t number;
	uint64_t large;
	double seconds;
	const char *port;
};

static const struct program_option known[] = {
	OPTION_FLAG("json", json, "as JSON"),
	OPTION_BITS("first", flags, 1, "the first bit"),
	OPTION_BITS("fourth", flags, 8, "the fourth bit"),
	OPTION_TEXT("file", "FILE", "a file", file, "the file"),
	OPTION_NUMBER("number", "N", "a number of frames", number, 64, 9216, "how many"),
	OPTION_NUMBER("large", "N", "a number of bytes", large, 0, 1ull << 40, "how much"),
	OPTION_REAL("time", "SECONDS", "a number of seconds", seconds, 1e6, "how long\nat most"),
	{.modes = 2, .help = "second mode:"},
	{.letter = 'p',
	 .value = "PORT",
	 .must = "a port",
	 .read = option_text,
	 OPTION_AT(port),
	 .help = "the port"},
};

static const struct program program = {
	.name = "prog",
	.before = "Usage: prog\n\n",
	.after = "The end.\n",
	.options = known,
	.option_count = COUNT_OF(known),
};

static struct program in_order;

static char said[2048];

/* What program writes to the file fd, in said. Returns what options_read() does. */
static int read_saying(const struct program *of, unsigned mode, int fd, struct options *options,
		       int *status, const char *line)
{
	static char name[] = "prog", words[256];
	char *argv[16] = {name};
	const int before = dup(fd);
	FILE *file = tmpfile();
	int argc = 1, first;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), fd);
	first = options_read(of, mode, options, argc, argv, status);
	fflush(stdout);
	dup2(before, fd);
	close(before);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = 0;
	fclose(file);
	return first;
}

static int read_line(struct options *options, const char *line)
{
	int status = -1;

	return read_saying(&program, 0, STDERR_FILENO, options, &status, line);
}

/* The line is wrong, and this is said of it. */
static void refused(unsigned mode, const char *line, const char *message)
{
	struct options options = {0};
	char whole[256];
	int status = -1;

	assert_int_equal(read_saying(&program, mode, STDERR_FILENO, &options, &status, line),
			 OPTIONS_DONE);
	assert_int_equal(status, 2);
	snprintf(whole, sizeof(whole), "prog: %s; see prog --help\n", message);
	assert_string_equal(said, whole);
}

static void test_values(void **state)
{
	struct options options = {0};

	(void)state;
	assert_int_equal(read_line(&options, "--json --first a --fourth --file=x --number 64 "
					     "--large 0x10000000000 --time 1.5 b"),
			 11);
	assert_true(options.json);
	assert_int_equal(options.flags, 9);
	assert_string_equal(options.file, "x");
	assert_int_equal(options.number, 64);
	assert_int_equal(options.large, 1ull << 40);
	assert_true(options.seconds == 1.5);
	assert_int_equal(read_line(&options, "--number 1e3"), 3);
	assert_int_equal(options.number, 1000);
	assert_int_equal(read_line(&options, "--number 0100"), 3);
	assert_int_equal(options.number, 100); /* never octal */
	assert_int_equal(read_line(&options, "-- --json"), 2);
}

static void test_wrong_values(void **state)
{
	static const char *const no_number[] = {"abc", "65x", "x65", "65.5",
						"+65", "inf", "nan", "1e999"};
	char line[64], message[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(no_number); i++) {
		snprintf(line, sizeof(line), "--number %s", no_number[i]);
		snprintf(message, sizeof(message), "--number: '%s' is not a number of frames",
			 no_number[i]);
		refused(0, line, message);
	}
	refused(0, "--number=", "--number: '' is not a number of frames");
	refused(0, "--number 63", "--number: '63' is not from 64 to 9216");
	refused(0, "--number -65", "--number: '-65' is not from 64 to 9216");
	refused(0, "--number 18446744073709551680",
		"--number: '18446744073709551680' is not from 64 to 9216");
	refused(0, "--large 1099511627777",
		"--large: '1099511627777' is not from 0 to 1099511627776");
	refused(0, "--time abc", "--time: 'abc' is not a number of seconds");
	refused(0, "--time -1", "--time: '-1' is not from 0 to 1000000");
}

static void test_wrong_options(void **state)
{
	(void)state;
	refused(0, "--what=1", "unknown option --what");
	refused(0, "--f", "unknown option --f"); /* several begin so */
	refused(0, "-x", "unknown option -x");
	refused(0, "--time", "--time needs a number of seconds");
	refused(0, "--json=1", "--json takes no value");
	refused(0, "-p 1", "unknown option -p"); /* of the second mode */
	refused(2, "-p", "-p needs a port");
}

/* What follows the first operand is that program's own. */
static void test_order(void **state)
{
	struct options options = {0};
	int status;

	(void)state;
	in_order = program;
	in_order.ends_at_operand = true;
	assert_int_equal(
		read_saying(&in_order, 2, STDERR_FILENO, &options, &status, "-p 1 a --json"), 3);
	assert_string_equal(options.port, "1");
	assert_false(options.json);
}

static void test_help(void **state)
{
	static const char help[] = "Usage: prog\n\n"
				   "  --json              as JSON\n"
				   "  --first             the first bit\n"
				   "  --fourth            the fourth bit\n"
				   "  --file FILE         the file\n"
				   "  --number N          how many\n"
				   "  --large N           how much\n"
				   "  --time SECONDS      how long\n"
				   "                      at most\n"
				   "\nsecond mode:\n"
				   "  -p PORT             the port\n"
				   "\n"
				   "  -h, --help          this text\n"
				   "  --version           the release\n"
				   "\nThe end.\n";
	static const char *const ways[] = {"--help", "-h", "--he", "a --help"};
	struct options options;
	int status;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		status = -1;
		assert_int_equal(read_saying(&program, 0, STDOUT_FILENO, &options, &status,
					     ways[i]),
				 OPTIONS_DONE);
		assert_int_equal(status, 0);
		assert_string_equal(said, help);
	}
	assert_int_equal(read_saying(&program, 0, STDOUT_FILENO, &options, &status, "--version"),
			 OPTIONS_DONE);
	assert_int_equal(strncmp(said, "prog ", 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	      cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_wrong_options), cmocka_unit_test(test_order),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
