/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a program as a table: an entry says how an option is called, what its value
 * must be, where the value goes, and what --help prints of it. So help and options cannot differ,
 * and each message names the option and its value. Every program has --help, -h and --version.
 *
 * getopt_long(3) of the C library splits the command line. Its argp(3) prints a help as well, but
 * reads no values, exits by itself, and ignores that its help could not be written.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program_option;

/* Stores the value of `text` at `to`. Returns 0, -EINVAL: the text is not what it must be, or
 * -ERANGE: it is not between least and most. */
typedef int option_reader(const struct program_option *option, const char *text, void *to);

/* An option. Without a name and a letter: a heading of the help, for the options up to the next
 * heading. */
struct program_option {
	const char *name;  /* without its dashes; NULL: the option has a letter only */
	char letter;	   /* 0: the option has a name only */
	const char *value; /* the help's word for its value; NULL: the option takes none */
	const char *must;  /* what its value must be, such as "a number of seconds" */
	option_reader *read;
	size_t at, size; /* place of a member in the program's struct options */
	double least, most;
	uint32_t bits;	/* for option_bits */
	unsigned modes; /* of a heading: the program's modes that have its options; 0: all */
	const char *help;
};

#define OPTION_AT(member) \
	.at = offsetof(struct options, member), .size = sizeof(((struct options *)NULL)->member)
#define OPTION_FLAG(called, member, text)                                            \
	{                                                                            \
		.name = called, .read = option_flag, OPTION_AT(member), .help = text \
	}
#define OPTION_BITS(called, member, mask, text)                                                    \
	{                                                                                          \
		.name = called, .read = option_bits, OPTION_AT(member), .bits = mask, .help = text \
	}
#define OPTION_TEXT(called, its_value, it_must, member, text) \
	OPTION_READ(called, its_value, it_must, option_text, member, text)
#define OPTION_NUMBER(called, its_value, it_must, member, from, to, text)                   \
	{                                                                                   \
		.name = called, .value = its_value, .must = it_must, .read = option_number, \
		OPTION_AT(member), .least = from, .most = to, .help = text                  \
	}
#define OPTION_REAL(called, its_value, it_must, member, to, text)                         \
	{                                                                                 \
		.name = called, .value = its_value, .must = it_must, .read = option_real, \
		OPTION_AT(member), .most = to, .help = text                               \
	}
#define OPTION_READ(called, its_value, it_must, reader, member, text)                \
	{                                                                            \
		.name = called, .value = its_value, .must = it_must, .read = reader, \
		OPTION_AT(member), .help = text                                      \
	}

option_reader option_flag;   /* bool: the option was given; takes no value */
option_reader option_bits;   /* uint32_t: these bits are set; takes no value */
option_reader option_text;   /* const char *, not copied */
option_reader option_number; /* a whole number, in a member of 4 or 8 bytes */
option_reader option_real;   /* double */

struct program {
	const char *name;
	const char *before; /* text of the help before the options */
	const char *after;
	const struct program_option *options;
	size_t option_count;
	bool ends_at_operand; /* words after the first operand are not the program's own */
};

enum {
	OPTIONS_DONE = -1
};

/*
 * Reads the options of one mode, which is one bit or 0, into the struct at `to`. Returns the index
 * of the first operand; operands are behind all options then. Returns OPTIONS_DONE if the program
 * must end with *status, after its help, its version, or a message.
 */
int options_read(const struct program *program, unsigned mode, void *to, int argc, char **argv,
		 int *status);

/* Works as options_read() for a program without operands. Returns false if the program must end
 * with *status. */
bool options_only(const struct program *program, void *to, int argc, char **argv, int *status);

/*
 * Reads a value that is no option but has the same form, such as a setting in an operand, into the
 * struct at `to`. The message names it as `called`. Returns 0, or the exit status after a message.
 */
int options_take(const struct program *program, const struct program_option *option,
		 const char *called, const char *text, void *to);

/* Prints "NAME: what is wrong; see NAME --help". Returns the exit status of a wrong usage, 2. */
int options_wrong(const struct program *program, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads a number, for all programs: decimal, hexadecimal behind 0x, or such as 1e6. Returns 0,
 * -EINVAL: the text is something else or has more than a number, or -ERANGE: it is not from least
 * to most.
 */
int parse_real(const char *text, double least, double most, double *number);
/* Works as parse_real() for whole numbers up to 2^53. */
int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);

#endif
