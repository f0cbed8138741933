/* SPDX-License-Identifier: Apache-2.0 */
/* elisa-vmnetctl: what its files share. */
#ifndef VMNETCTL_CTL_H
#define VMNETCTL_CTL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct options {
	const char *socket;
	bool json;
	double interval;  /* of top, seconds */
	uint64_t count;	  /* of its views, or frames of capture; 0: until a signal */
	const char *file; /* that capture writes; NULL: it prints */
};

/* print.c: tables for people, into a text. */
void print_counters(FILE *to, json_object *port);
void print_drops(FILE *to, json_object *ports);

/* top.c: what happens now, again and again. 0, or -1 after a message. */
int top(const struct options *options);

/* Prints and flushes. 0, or -1 after a message. */
int put(const char *text);

#endif
