/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of elisactl share. Everything that is shown is first built as JSON, so the text
 * and --json can never say different things. Functions that return an exit status have printed what
 * went wrong.
 */
#ifndef ELISACTL_H
#define ELISACTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <json-c/json.h>
#include <elisa/host_ioctl.h>
#include "options.h"

struct options {
	const char *device;
	const char *root;
	const char *run;
	bool json, follow;
	struct elisa_host_grant grant;
	uint32_t pid; /* 0: not given */
	const char *pidfile;
	const char *output;
	const char *programs;
	double interval; /* 0: not given, as for the next two */
	uint64_t count;
	const char *sort;
};

/* main.c */
extern const struct program program;

/* device.c */
/* Returns 1, after a message with what to do about this errno. */
int fail(const char *doing, int error);
/* Returns a descriptor, or -1 after a message. */
int open_device(const struct options *options);

/* print.c */
void add_number(struct json_object *to, const char *key, uint64_t value);
/* Adds a text; NULL adds nothing. */
void add_text(struct json_object *to, const char *key, const char *text);
/* Adds a name from a field that may lack its NUL. */
void add_name(struct json_object *to, const char name[ELISA_NAME_SIZE]);
struct flag_word {
	uint32_t flag;
	const char *word;
};

/* Adds a list of the flags' words. Flags without a word are added as a number. */
void add_flags(struct json_object *to, const char *key, uint32_t flags,
	       const struct flag_word *words, size_t count);
/* Writes a value as a table shows it. */
void cell_text(struct json_object *value, char *text, size_t size);
/* Prints records as a table. The keys of the first record are the columns. All records have the
 * same keys, at most 12. */
void print_table(struct json_object *records);
void print_json(struct json_object *value);
/* Returns an exit status: 1, after a message, if the output cannot be written. */
int flush_output(void);

/* list.c: exit status */
int run_list(const struct options *options, const char *name);
int run_stats(const struct options *options);
/* Returns the word for what keeps a vCPU from calls. An unknown number is written to the buffer. */
#define CLOSED_WORD 16
const char *closed_word(uint32_t closed, char unknown[CLOSED_WORD]);

/* Adds a number of calls, or "-" if the export does not have its calls counted. */
void add_calls(struct json_object *to, const char *key,
	       const struct elisa_host_attachment *attachment, uint64_t calls);

/* Returns how often calls were suspended. */
uint64_t spans_count(const struct elisa_host_spans *spans);

/* metrics.c: exit status */
int run_metrics(const struct options *options);

/* top.c: exit status */
int run_top(const struct options *options);

/* grant.c: exit status */
/* Reads the process of --pid or --pidfile. */
int read_pid(const struct options *options, pid_t *pid);
int run_grant(const struct options *options, char **arguments);
int run_revoke(const struct options *options, char **arguments);

/* version.c: exit status */
int run_version(const struct options *options);

/* policy.c: exit status */
int run_policy(const struct options *options, char **arguments);

/* events.c: exit status */
int run_events(const struct options *options);

/* check.c: exit status */
int run_check(const struct options *options);

/* selftest.c: exit status */
int run_selftest(const struct options *options, char **names);

#endif
