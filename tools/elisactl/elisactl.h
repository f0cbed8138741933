/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of elisactl share. Everything that is shown is first built as JSON, so that the
 * text and --json can never say different things. Functions that return an exit status have said
 * what went wrong.
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
	uint32_t pid; /* 0: none given */
	const char *pidfile;
	const char *output;
	const char *programs;
	double interval; /* 0: none given, as below */
	uint64_t count;
	const char *sort;
};

/* main.c */
extern const struct program program;

/* device.c */
/* 1, after a message with what to do about this errno. */
int fail(const char *doing, int error);
/* Descriptor, or -1 after a message. */
int open_device(const struct options *options);

/* print.c */
void add_number(struct json_object *to, const char *key, uint64_t value);
/* NULL: nothing is added. */
void add_text(struct json_object *to, const char *key, const char *text);
/* From a field that may lack its NUL. */
void add_name(struct json_object *to, const char name[ELISA_NAME_SIZE]);
struct flag_word {
	uint32_t flag;
	const char *word;
};

/* A list of the flags' words; of those that have none, a number. */
void add_flags(struct json_object *to, const char *key, uint32_t flags,
	       const struct flag_word *words, size_t count);
/* As a table shows it. */
void cell_text(struct json_object *value, char *text, size_t size);
/* The keys of the first record are the columns; they all have the same, at most 12. */
void print_table(struct json_object *records);
void print_json(struct json_object *value);
/* An exit status: 1 after a message, if what was printed cannot be written. */
int flush_output(void);

/* list.c: exit status */
int run_list(const struct options *options, const char *name);
int run_stats(const struct options *options);
/* The word of the vocabulary for what keeps a vCPU from calls, in a buffer for an unknown one. */
#define CLOSED_WORD 16
const char *closed_word(uint32_t closed, char unknown[CLOSED_WORD]);

/* "-": its export does not have them counted. */
void add_calls(struct json_object *to, const char *key,
	       const struct elisa_host_attachment *attachment, uint64_t calls);

/* How often calls were suspended. */
uint64_t spans_count(const struct elisa_host_spans *spans);

/* metrics.c: exit status */
int run_metrics(const struct options *options);

/* top.c: exit status */
int run_top(const struct options *options);

/* grant.c: exit status */
/* The process of --pid or --pidfile. */
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
