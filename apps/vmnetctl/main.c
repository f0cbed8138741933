/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-vmnetctl: asks elisa-vmnet in the same VM about its ports, and changes them while it runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "ctl.h"
#include "observe.h"
#include "options.h"
#include "settings.h"
#include "show.h"

#define DEFAULT_SOCKET "/run/elisa-vmnet/control"

static const struct program_option known[] = {
	OPTION_TEXT("socket", "FILE", "a file", socket,
		    "of elisa-vmnet --control (default " DEFAULT_SOCKET ")"),
	OPTION_FLAG("json", json, "print JSON, an object or a list a line"),
	OPTION_REAL("interval", "SECONDS", "a number of seconds", interval, 3600,
		    "time between two views of top (default 1)"),
	{.name = "count",
	 .letter = 'c',
	 .value = "N",
	 .must = "a number of views or frames",
	 .read = option_number,
	 OPTION_AT(count),
	 .most = 1e9,
	 .help = "end after this many views of top or frames of capture;\n0: at a signal (default)"},
	{.name = "write",
	 .letter = 'w',
	 .value = "FILE",
	 .must = "a file",
	 .read = option_text,
	 OPTION_AT(file),
	 .help = "capture: write the frames to this file, as pcapng; -: to the\nstandard output"},
};

static const struct program program = {
	.name = "elisa-vmnetctl",
	.before = "Usage: elisa-vmnetctl [OPTION]... COMMAND [PORT|FILE]\n"
		  "       elisa-vmnetctl [OPTION]... capture PORT [FILTER]...\n"
		  "\n"
		  "Shows the ports of a network of elisa-vmnet, and changes them while it runs.\n"
		  "\n"
		  "  ports              all ports, and what they sent and received\n"
		  "  counters PORT      all counters of a port, by queue\n"
		  "  drops              which ports' frames were dropped, and why\n"
		  "  table              which address is behind which port\n"
		  "  metrics            all counters as OpenMetrics text, for Prometheus\n"
		  "  top                rates of all ports, at each interval\n"
		  "  capture PORT       frames that the port sends and gets; FILTER: as tcpdump's\n"
		  "  down PORT          serve no VM at the port, until up\n"
		  "  up PORT            serve the port again\n"
		  "  kick PORT          evict the VM that has the port; it may come back\n"
		  "  add FILE           add a port, as in elisa-vmnet's configuration\n"
		  "  remove PORT        remove the port, and evict the VM that has it\n"
		  "\n",
	.after = "Exit status: 0 done; 1 failed, or refused; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

int put(const char *text)
{
	if (fputs(text, stdout) >= 0 && !fflush(stdout))
		return 0;
	fprintf(stderr, "elisa-vmnetctl: standard output: %s\n", strerrordesc_np(errno));
	return -1;
}

static void say(const char *what)
{
	fprintf(stderr, "elisa-vmnetctl: %s\n", what);
}

/* Prints the result of a command. */
typedef void printer(FILE *to, json_object *result);

static void print_ports(FILE *to, json_object *result)
{
	show_ports(to, show_ports_of(result));
}

static void print_all_drops(FILE *to, json_object *result)
{
	print_drops(to, show_ports_of(result));
}

static void print_text(FILE *to, json_object *result)
{
	fputs(json_object_get_string(result), to);
}

enum operand {
	OPERAND_NONE,
	OPERAND_PORT,
	OPERAND_FILE,
	OPERAND_FILTER, /* a port, and any number of words */
};

static const struct command {
	const char *name, *request;
	enum operand operand;
	printer *print;	 /* NULL: the command prints nothing */
	json_type type;	 /* of the result */
	bool is_no_json; /* prints text, also with --json */
} commands[] = {
	{"ports", "ports", OPERAND_NONE, print_ports, json_type_object, false},
	{"counters", "counters", OPERAND_PORT, print_counters, json_type_object, false},
	{"drops", "ports", OPERAND_NONE, print_all_drops, json_type_object, false},
	{"table", "table", OPERAND_NONE, show_table, json_type_array, false},
	{"metrics", "metrics", OPERAND_NONE, print_text, json_type_string, true},
	{"top", NULL, OPERAND_NONE, NULL, json_type_null, false},
	{"capture", NULL, OPERAND_FILTER, NULL, json_type_null, false},
	{"down", "down", OPERAND_PORT, NULL, json_type_null, false},
	{"up", "up", OPERAND_PORT, NULL, json_type_null, false},
	{"kick", "kick", OPERAND_PORT, NULL, json_type_null, false},
	{"add", "add", OPERAND_FILE, NULL, json_type_null, false},
	{"remove", "remove", OPERAND_PORT, NULL, json_type_null, false},
};

/* Gets the whole table, which comes in parts. If the switch learns meanwhile, an address may come
 * twice or not at all. */
static json_object *whole_table(int fd)
{
	json_object *all = json_object_new_array(), *part, *list, *next;
	uint64_t from = 0;

	do {
		part = ask(fd, &(struct question){.command = "table", .from = from});
		list = json_object_object_get(part, "table");
		next = json_object_object_get(part, "next");
		if (!json_object_is_type(list, json_type_array)) {
			json_object_put(part);
			json_object_put(all);
			return NULL;
		}
		for (size_t i = 0; i < json_object_array_length(list); i++)
			json_object_array_add(all,
					      json_object_get(json_object_array_get_idx(list, i)));
		from = json_object_get_uint64(next);
		json_object_put(part);
	} while (from);
	return all;
}

/* Returns all drops, by port and reason. */
static json_object *drops_of(json_object *ports)
{
	json_object *all = json_object_new_object();

	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);

		json_object_object_add(all,
				       json_object_get_string(json_object_object_get(port, "name")),
				       json_object_get(json_object_object_get(port, "drops")));
	}
	return all;
}

static void print_json(FILE *to, const struct command *command, json_object *result)
{
	json_object *shown = command->print == print_all_drops ? drops_of(show_ports_of(result)) :
								 json_object_get(result);

	fprintf(to, "%s\n", json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PLAIN));
	json_object_put(shown);
}

static int print_result(const struct options *options, const struct command *command,
			json_object *result)
{
	char *text = NULL;
	size_t size;
	FILE *to;
	int error;

	if (!json_object_is_type(result, command->type) ||
	    (!strcmp(command->request, "ports") && !show_ports_of(result))) {
		fprintf(stderr, "elisa-vmnetctl: the reply is malformed\n");
		return -1;
	}
	to = open_memstream(&text, &size);
	if (!to)
		return -1;
	if (options->json && !command->is_no_json)
		print_json(to, command, result);
	else
		command->print(to, result);
	error = fclose(to) ? -1 : put(text);
	free(text);
	return error;
}

/* Returns the result of a command other than top, or NULL after a message. */
static json_object *result_of(int fd, const struct command *command, const char *operand)
{
	struct question question = {.command = command->request};
	json_object *result;

	if (command->print == show_table)
		return whole_table(fd);
	if (command->operand == OPERAND_PORT)
		question.port = operand;
	if (command->operand == OPERAND_FILE) {
		question.config = settings_read(&(struct settings){.file = operand, .say = say}, 1);
		if (!question.config)
			return NULL;
	}
	result = ask(fd, &question);
	json_object_put(question.config);
	return result;
}

static int perform(const struct options *options, const struct command *command,
		   const char *operand)
{
	json_object *result;
	int error = -1, fd;

	if (!command->request)
		return top(options);
	fd = ask_open(options->socket);
	if (fd < 0)
		return -1;
	result = result_of(fd, command, operand);
	if (result)
		error = command->print ? print_result(options, command, result) : 0;
	json_object_put(result);
	close(fd);
	return error;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct options options = {.socket = DEFAULT_SOCKET, .interval = 1};
	const struct command *command;
	int first, status;

	signal(SIGPIPE, SIG_IGN);
	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first >= argc)
		return options_wrong(&program, "a command is missing");
	command = find(argv[first]);
	if (!command)
		return options_wrong(&program, "'%s' is not a command", argv[first]);
	if (command->operand && first + 1 >= argc)
		return options_wrong(&program, "%s needs a %s", command->name,
				     command->operand == OPERAND_FILE ? "file" : "port");
	if (command->operand != OPERAND_FILTER && options.file)
		return options_wrong(&program, "--write is for capture");
	if (command->operand == OPERAND_FILTER)
		return observe(&(struct observation){.program = program.name,
						     .socket = options.socket,
						     .port = argv[first + 1],
						     .file = options.file,
						     .count = options.count,
						     .filter = &argv[first + 2]});
	if (first + 1 + !!command->operand < argc)
		return options_wrong(&program, "'%s' is too much",
				     argv[first + 1 + !!command->operand]);
	if (options.interval < 0.1)
		return options_wrong(&program, "--interval: less than 0.1 seconds");
	return perform(&options, command, command->operand ? argv[first + 1] : NULL) ? 1 : 0;
}
