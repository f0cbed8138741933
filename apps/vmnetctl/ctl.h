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
	double interval;  /* seconds between views of top */
	uint64_t count;	  /* number of top's views or of captured frames; 0: until a signal */
	const char *file; /* capture writes to it; NULL: it prints */
};

/* print.c: print tables for people. */
void print_counters(FILE *to, json_object *port);
void print_drops(FILE *to, json_object *ports);

/* top.c: shows rates again and again. Returns 0, or -1 after a message. */
int top(const struct options *options);

/* Prints and flushes. Returns 0, or -1 after a message. */
int put(const char *text);

#endif
