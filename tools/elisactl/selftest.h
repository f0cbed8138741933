/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `elisactl selftest` share. */
#ifndef ELISACTL_SELFTEST_H
#define ELISACTL_SELFTEST_H

#include <stdbool.h>
#include <json-c/json.h>

#define SELFTEST_NOT_AVAILABLE 77 /* exit status of a program: not possible on this host */
#define SELFTEST_TAIL	       1500

/* selftest_items.c */

/* A program to run, by its path below the folder of programs, and its arguments. */
struct selftest_item {
	char group[16]; /* machine, attack, hardware or bench */
	char name[64];
	char program[96];
	const char *arguments[4]; /* NULL behind the last one */
	const char *parameter;	  /* a parameter of kvm_intel that must be Y; NULL: none */
};

struct selftest_list {
	struct selftest_item *item;
	size_t count;
};

/* Reads all items of the folder. Returns 0 or a positive errno. The caller frees list->item in both
 * cases. */
int selftest_list_read(const char *folder, struct selftest_list *list);

/* selftest_run.c */

enum selftest_verdict {
	SELFTEST_OK,
	SELFTEST_FAILED,
	SELFTEST_UNAVAILABLE,
	SELFTEST_VERDICTS
};

struct selftest_outcome {
	enum selftest_verdict verdict;
	double seconds;
	int status;			/* as a shell reports it; 124: it took too long */
	char output[SELFTEST_TAIL + 1]; /* the end of its output */
};

/* Runs this program. The program and processes that it started are gone afterwards. */
void selftest_run(const char *const arguments[], struct selftest_outcome *outcome);
/* Lets signals end the program that is running, from now on. selftest_stopped() is true after
 * one. */
void selftest_catch_signals(void);
bool selftest_stopped(void);

/* selftest_machine.c */

/* Returns which machine it is: CPU, microcode, kernel, and whether it is emulated. */
struct json_object *selftest_machine(const char *root);

#endif
