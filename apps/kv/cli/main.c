/* SPDX-License-Identifier: Apache-2.0 */
/* elisa-kv-cli: one operation on a store that VMs share, for people and scripts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <elisa/kv.h>
#include "options.h"
#include "output.h"

enum {
	DONE = 0,
	FAILED = 1,
	NOT_SO = 3 /* the item is not there, or not in the state that the command needs */
};

struct options {
	struct elisa_kv_options store;
	uint64_t cas;
	uint32_t flags, ttl;
};

static const struct program_option known[] = {
	OPTION_TEXT("store", "NAME", "an export's name, or a path", store.store,
		    "the store: an export's name, or the path of a file with a ticket\n"
		    "(default kv)"),
	OPTION_NUMBER("space", "N", "a number from 0 to 255", store.space, 0, 255,
		      "the name space in the store (default 0)"),
	OPTION_NUMBER("ttl", "SECONDS", "a number of seconds", ttl, 0, 2147483647,
		      "how long the item lives (default 0: for ever)"),
	OPTION_NUMBER("flags", "N", "a number from 0 to 4294967295", flags, 0, 4294967295,
		      "a number that the store keeps with the item (default 0)"),
	OPTION_NUMBER("cas", "N", "a CAS number", cas, 1, 9007199254740992,
		      "set, delete: change the item only if it has this number"),
};

static const struct program program = {
	.name = "elisa-kv-cli",
	.before =
		"Usage: elisa-kv-cli [OPTION]... COMMAND [ARGUMENT]...\n"
		"\n"
		"Makes one operation on a key-value store that VMs share.\n"
		"\n"
		"  get KEY                       print the value, as it is\n"
		"  item KEY                      print length, flags, time to live and CAS number\n"
		"  set|add|replace KEY [VALUE]   store VALUE; without it: the standard input\n"
		"  append|prepend KEY [VALUE]    join VALUE with the item's value\n"
		"  incr|decr KEY [N]             count up or down, by 1 or N; print the number\n"
		"  touch KEY                     give the item the time to live of --ttl\n"
		"  delete KEY                    remove the item\n"
		"  flush                         remove all items of the name space\n"
		"  stats                         print what the store has counted for this VM\n"
		"\n",
	.after = "Exit status: 0 done; 1 failed; 2 wrong usage; 3 there is no such item, there is\n"
		 "one already, or it has changed.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

static struct elisa_kv *kv;

/* Prints the library's text. Returns the exit status for the failure. */
static int failure(int error)
{
	output_print(STDERR_FILENO, "elisa-kv-cli: %s\n", elisa_kv_error());
	return error == -ENOENT || error == -EEXIST || error == -ESTALE ? NOT_SO : FAILED;
}

/* --------------------------------------------------------------------------------- reading */

static int print_bytes(const uint8_t *bytes, size_t length)
{
	while (length) {
		const ssize_t written = write(STDOUT_FILENO, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			output_print(STDERR_FILENO, "elisa-kv-cli: standard output: %s\n",
				     strerrordesc_np(errno));
			return FAILED;
		}
		bytes += written;
		length -= (size_t)written;
	}
	return DONE;
}

static int get(const struct options *options, char **operand)
{
	static uint8_t value[ELISA_KV_VALUE_MAX];
	struct elisa_kv_item item;
	const int error =
		elisa_kv_get(kv, operand[1], strlen(operand[1]), value, sizeof(value), &item);

	(void)options;
	return error ? failure(error) : print_bytes(value, item.length);
}

static int show_item(const struct options *options, char **operand)
{
	struct elisa_kv_item item;
	const int error = elisa_kv_get(kv, operand[1], strlen(operand[1]), NULL, 0, &item);

	(void)options;
	if (error)
		return failure(error);
	output_print(STDOUT_FILENO, "length %zu\nflags %u\nttl ", item.length, item.flags);
	if (item.ttl == ELISA_KV_FOREVER)
		output_print(STDOUT_FILENO, "for ever\n");
	else
		output_print(STDOUT_FILENO, "%lld\n", (long long)item.ttl);
	output_print(STDOUT_FILENO, "cas %llu\n", (unsigned long long)item.cas);
	return DONE;
}

static int show_statistics(const struct options *options, char **operand)
{
	struct elisa_kv_statistic all[ELISA_KV_STATISTICS];
	const int count = elisa_kv_statistics(kv, all, ELISA_KV_STATISTICS);

	(void)options;
	(void)operand;
	if (count < 0)
		return failure(count);
	for (int i = 0; i < count; i++)
		output_print(STDOUT_FILENO, "%s %llu\n", all[i].name,
			     (unsigned long long)all[i].value);
	return DONE;
}

/* -------------------------------------------------------------------------------- changing */

/* Reads the whole standard input. It reads one byte more than a value may have, so that a longer
 * value is refused. */
static int read_value(const void **value, size_t *length)
{
	static uint8_t bytes[ELISA_KV_VALUE_MAX + 1];

	*value = bytes;
	*length = fread(bytes, 1, sizeof(bytes), stdin);
	if (!ferror(stdin))
		return DONE;
	output_print(STDERR_FILENO, "elisa-kv-cli: standard input: %s\n", strerrordesc_np(errno));
	return FAILED;
}

static int put(const struct options *options, char **operand)
{
	static const char *const modes[] = {[ELISA_KV_SET] = "set",
					    [ELISA_KV_ADD] = "add",
					    [ELISA_KV_REPLACE] = "replace",
					    [ELISA_KV_APPEND] = "append",
					    [ELISA_KV_PREPEND] = "prepend"};
	struct elisa_kv_change put = {.key = operand[1],
				      .key_length = strlen(operand[1]),
				      .value = operand[2],
				      .flags = options->flags,
				      .ttl = options->ttl,
				      .cas = options->cas};
	int error;

	while (strcmp(modes[put.mode], operand[0]))
		put.mode++;
	if (operand[2])
		put.length = strlen(operand[2]);
	else if (read_value(&put.value, &put.length))
		return FAILED;
	error = elisa_kv_put(kv, &put, NULL);
	return error ? failure(error) : DONE;
}

static int count(const struct options *options, char **operand)
{
	const bool up = !strcmp(operand[0], "incr");
	uint64_t by = 1, number;
	int error;

	(void)options;
	if (operand[2] && parse_number(operand[2], 0, UINT64_MAX, &by))
		return options_wrong(&program, "%s: '%s' is not a number", operand[0], operand[2]);
	error = (up ? elisa_kv_increment : elisa_kv_decrement)(kv, operand[1], strlen(operand[1]),
							       by, &number, NULL);
	if (error)
		return failure(error);
	output_print(STDOUT_FILENO, "%llu\n", (unsigned long long)number);
	return DONE;
}

static int touch(const struct options *options, char **operand)
{
	const int error = elisa_kv_touch(kv, operand[1], strlen(operand[1]), options->ttl);

	return error ? failure(error) : DONE;
}

static int delete_item(const struct options *options, char **operand)
{
	const int error = elisa_kv_delete(kv, operand[1], strlen(operand[1]), options->cas);

	return error ? failure(error) : DONE;
}

static int flush(const struct options *options, char **operand)
{
	const int error = elisa_kv_flush(kv);

	(void)options;
	(void)operand;
	return error ? failure(error) : DONE;
}

/* --------------------------------------------------------------------------------- program */

static const struct command {
	const char *name;
	int (*run)(const struct options *options, char **operand);
	int least, most; /* least and most operands */
} commands[] = {
	{"get", get, 1, 1},
	{"item", show_item, 1, 1},
	{"set", put, 1, 2},
	{"add", put, 1, 2},
	{"replace", put, 1, 2},
	{"append", put, 1, 2},
	{"prepend", put, 1, 2},
	{"incr", count, 1, 2},
	{"decr", count, 1, 2},
	{"touch", touch, 1, 1},
	{"delete", delete_item, 1, 1},
	{"flush", flush, 0, 0},
	{"stats", show_statistics, 0, 0},
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Opens the store for one command. */
static int run(const struct command *command, const struct options *options, char **operand)
{
	struct elisa_kv_options store = options->store;
	int status, error;

	store.threads = 1;
	error = elisa_kv_open(&store, &kv);
	if (error) {
		failure(error);
		return output_end(-1);
	}
	status = command->run(options, operand);
	elisa_kv_close(kv);
	error = output_close(-1);
	return status ? status : error ? FAILED : DONE;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	const struct command *command;
	int first, status;

	if (output_open(program.name))
		return FAILED;
	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first == argc)
		return options_wrong(&program, "a command is missing");
	command = find(argv[first]);
	if (!command)
		return options_wrong(&program, "'%s' is not a command", argv[first]);
	if (argc - first - 1 < command->least)
		return options_wrong(&program, "%s: a key is missing", command->name);
	if (argc - first - 1 > command->most)
		return options_wrong(&program, "%s: '%s' is too much", command->name,
				     argv[first + 1 + command->most]);
	return run(command, &options, argv + first);
}
