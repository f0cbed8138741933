/* SPDX-License-Identifier: Apache-2.0 */
/* Options by the program's table: reads values, names wrong ones, and prints the help. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elisa/release.h>

enum {
	MOST_OPTIONS = 32,
	VERSION_CODE = 256,
	FIRST_CODE, /* codes of the table's options, behind all letters */
	HELP_COLUMN = 22,
};

/* ------------------------------------------------------------------------------- values */

int parse_real(const char *text, double least, double most, double *number)
{
	const bool begins = (*text >= '0' && *text <= '9') || *text == '.' || *text == '-';
	char *end;
	double value = strtod(text, &end);

	if (!begins || end == text || *end || !isfinite(value))
		return -EINVAL;
	if (value < least || value > most)
		return -ERANGE;
	*number = value;
	return 0;
}

int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	double value;
	int error = parse_real(text, (double)least, (double)most, &value);

	if (error)
		return error;
	if (value != floor(value) || value > (double)(1ull << 53))
		return -EINVAL;
	*number = (uint64_t)value;
	return 0;
}

int option_flag(const struct program_option *option, const char *text, void *to)
{
	(void)option;
	(void)text;
	*(bool *)to = true;
	return 0;
}

int option_bits(const struct program_option *option, const char *text, void *to)
{
	(void)text;
	*(uint32_t *)to |= option->bits;
	return 0;
}

int option_text(const struct program_option *option, const char *text, void *to)
{
	(void)option;
	*(const char **)to = text;
	return 0;
}

int option_number(const struct program_option *option, const char *text, void *to)
{
	uint64_t number;
	int error = parse_number(text, (uint64_t)option->least, (uint64_t)option->most, &number);

	if (error)
		return error;
	if (option->size == sizeof(uint64_t))
		*(uint64_t *)to = number;
	else
		*(uint32_t *)to = (uint32_t)number;
	return 0;
}

int option_real(const struct program_option *option, const char *text, void *to)
{
	return parse_real(text, option->least, option->most, to);
}

/* --------------------------------------------------------------------------------- help */

static int print_text(const struct program *program, const char *text)
{
	if (fputs(text, stdout) >= 0 && !fflush(stdout))
		return 0;
	fprintf(stderr, "%s: standard output: %s\n", program->name, strerrordesc_np(errno));
	return 1;
}

/* Prints the lines of a text, each behind so many blanks. The first line begins at this column. */
static void put_lines(FILE *to, const char *text, int column)
{
	for (; *text; column = 0) {
		const size_t length = strcspn(text, "\n");

		fprintf(to, "%*s%.*s\n", column < HELP_COLUMN ? HELP_COLUMN - column : 0, "",
			(int)length, text);
		text += length + (text[length] == '\n');
	}
}

static void put_option(FILE *to, const struct program_option *option)
{
	int column;

	if (!option->name && !option->letter) {
		fprintf(to, "\n%s\n", option->help);
		return;
	}
	if (option->name && option->letter)
		column = fprintf(to, "  -%c, --%s", option->letter, option->name);
	else if (option->name)
		column = fprintf(to, "  --%s", option->name);
	else
		column = fprintf(to, "  -%c", option->letter);
	if (option->value)
		column += fprintf(to, " %s", option->value);
	if (column > HELP_COLUMN - 2) {
		fputc('\n', to);
		column = 0;
	}
	put_lines(to, option->help, column);
}

static int print_help(const struct program *program)
{
	static const struct program_option general[] = {
		{.name = "help", .letter = 'h', .help = "this text"},
		{.name = "version", .help = "the release"},
	};
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	int status;

	if (!to)
		return print_text(program, program->before);
	fputs(program->before, to);
	for (size_t i = 0; i < program->option_count; i++)
		put_option(to, &program->options[i]);
	if (program->option_count)
		fputc('\n', to);
	for (size_t i = 0; i < sizeof(general) / sizeof(*general); i++)
		put_option(to, &general[i]);
	fprintf(to, "\n%s", program->after);
	fclose(to);
	status = print_text(program, text);
	free(text);
	return status;
}

static int print_version(const struct program *program)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %s\n", program->name, ELISA_RELEASE);
	return print_text(program, text);
}

/* ------------------------------------------------------------------------------ reading */

int options_wrong(const struct program *program, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", program->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see %s --help\n", program->name);
	return 2;
}

/* Returns the option as it is written on the command line. */
static const char *name_of(const struct program_option *option, char text[64])
{
	if (option->name)
		snprintf(text, 64, "--%s", option->name);
	else
		snprintf(text, 64, "-%c", option->letter);
	return text;
}

int options_take(const struct program *program, const struct program_option *option,
		 const char *called, const char *text, void *to)
{
	switch (option->read(option, text, (char *)to + option->at)) {
	case 0:
		return 0;
	case -ERANGE:
		return options_wrong(program, "%s: '%s' is not from %.16g to %.16g", called, text,
				     option->least, option->most);
	default:
		return options_wrong(program, "%s: '%s' is not %s", called, text, option->must);
	}
}

/* Converts the options of a mode for getopt_long(). An option's code is its letter, or its index
 * behind all letters. */
static void make_known(const struct program *program, unsigned mode, struct option *known,
		       char *letters)
{
	unsigned modes = 0;

	if (program->ends_at_operand)
		*letters++ = '+';
	*letters++ = ':'; /* so that a missing value is told from an unknown option */
	*letters++ = 'h';
	*known++ = (struct option){"help", no_argument, NULL, 'h'};
	*known++ = (struct option){"version", no_argument, NULL, VERSION_CODE};
	for (size_t i = 0; i < program->option_count; i++) {
		const struct program_option *option = &program->options[i];
		const int value = option->value ? required_argument : no_argument;

		if (!option->name && !option->letter)
			modes = option->modes;
		if (modes && !(modes & mode))
			continue;
		if (option->name)
			*known++ = (struct option){option->name, value, NULL, FIRST_CODE + (int)i};
		if (!option->letter)
			continue;
		*letters++ = option->letter;
		if (option->value)
			*letters++ = ':';
	}
	*known = (struct option){0};
	*letters = 0;
}

static const struct program_option *find(const struct program *program, int code)
{
	if (code >= FIRST_CODE && (size_t)code < FIRST_CODE + program->option_count)
		return &program->options[code - FIRST_CODE];
	for (size_t i = 0; i < program->option_count; i++)
		if (code && program->options[i].letter == code)
			return &program->options[i];
	return NULL;
}

/* Reports a word that getopt_long() did not accept. */
static int wrong_word(const struct program *program, int code, const char *word)
{
	char name[64];

	if (code == ':') {
		const struct program_option *option = find(program, optopt);

		return options_wrong(program, "%s needs %s", name_of(option, name), option->must);
	}
	if (optopt >= FIRST_CODE)
		return options_wrong(program, "%s takes no value",
				     name_of(find(program, optopt), name));
	if (word[1] != '-')
		return options_wrong(program, "unknown option -%c", optopt);
	return options_wrong(program, "unknown option %.*s", (int)strcspn(word, "="), word);
}

int options_read(const struct program *program, unsigned mode, void *to, int argc, char **argv,
		 int *status)
{
	struct option known[MOST_OPTIONS + 3];
	char letters[2 * MOST_OPTIONS + 4], name[64];
	int code;

	if (program->option_count > MOST_OPTIONS) {
		*status = options_wrong(program, "its table of options is too long");
		return OPTIONS_DONE;
	}
	make_known(program, mode, known, letters);
	opterr = 0;
	optind = 0; /* so that a second call starts from the beginning, too */
	while ((code = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		const struct program_option *option = find(program, code);

		if (code == 'h')
			*status = print_help(program);
		else if (code == VERSION_CODE)
			*status = print_version(program);
		else if (code == '?' || code == ':')
			*status = wrong_word(program, code, argv[optind - 1]);
		else if (!(*status = options_take(program, option, name_of(option, name), optarg,
						  to)))
			continue;
		return OPTIONS_DONE;
	}
	return optind;
}

bool options_only(const struct program *program, void *to, int argc, char **argv, int *status)
{
	const int first = options_read(program, 0, to, argc, argv, status);

	if (first == OPTIONS_DONE)
		return false;
	if (first < argc)
		*status = options_wrong(program, "'%s' is too much", argv[first]);
	return first >= argc;
}
