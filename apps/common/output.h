/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of a program while it works. A reader that stops reading (a pager, a terminal after
 * Ctrl-S, a full pipe) must never stop the program. So a separate thread writes, and text that it
 * cannot write in time is lost and counted. The text of one call stays together, in the order of
 * the calls.
 */
#ifndef COMMON_OUTPUT_H
#define COMMON_OUTPUT_H

/* Prepares the output. Call it first in main(). It replaces closed standard files by a file that
 * fails, so that no other file becomes the standard output. SIGPIPE becomes an error of the write.
 * Returns 0, or -errno after a message. */
int output_open(const char *program);

/* Writes to file 1 or 2. The text comes from malloc() and is freed. NULL counts as lost text: there
 * was no memory for it. */
void output_text(int fd, char *text);
void output_print(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Waits until everything is written, timeout_ms at most (below 0: without end). Returns 0, or
 * -errno of the first write to the standard output that failed. Returns -ETIMEDOUT if something is
 * not written yet, or was lost. */
int output_close(int timeout_ms);

/* Ends the output of a program that has other work than its output; waits for a second at most.
 * Returns the exit status: 1 after an error, or if the standard output failed. A reader that went
 * away or is slow is no failure. */
int output_end(int error);

#endif
