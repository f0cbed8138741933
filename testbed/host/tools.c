// SPDX-License-Identifier: Apache-2.0
/*
 * Small helpers of the emulated host, one static program with five names. None of them may keep a
 * job from ending: they stop at the end of their input.
 *
 *   e9cat [END]          copy standard input to the emulator's debug port; stop after the word END
 *   relay PREFIX FILE    copy standard input to FILE as it is, and to standard output by the line
 *                        with PREFIX before each
 *   kmsg                 print the kernel's warnings and worse, from now on
 *   runas ID COMMAND...  run COMMAND as this user and group, which need not be in /etc/passwd
 *   tsc LABEL            print the time stamp counter (under Bochs: instructions since power-on)
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>
#include <x86intrin.h>

enum {
	DEBUG_PORT = 0xe9,
	LEVEL_MASK = 7,
	LEVEL_WARNING = 4
};

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n <= 0)
			return -1;
		data += n;
		length -= n;
	}
	return 0;
}

/* One REP OUTSB is one instruction fetch for the whole buffer, where a loop
 * of OUT is several each. */
static void debug_out(const char *data, size_t length)
{
	__asm__ volatile("rep outsb" : "+S"(data), "+c"(length) : "d"(DEBUG_PORT) : "memory");
}

/* True when the word `end`, which has no repeated prefix, was complete in the stream. */
static bool seen(const char *end, size_t *matched, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i] != end[*matched])
			*matched = 0;
		if (data[i] == end[*matched] && !end[++*matched])
			return true;
	}
	return false;
}

static int e9cat(const char *end)
{
	char buffer[16384];
	size_t matched = 0;
	ssize_t n;

	if (ioperm(DEBUG_PORT, 1, 1)) {
		perror("e9cat: ioperm");
		return 1;
	}
	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		debug_out(buffer, n);
		if (end && seen(end, &matched, buffer, n))
			break;
	}
	return 0;
}

/* A line goes out in one write, so that lines of several guests do not mix. */
static int relay(const char *prefix, const char *path)
{
	static char line[4000], input[4096];
	size_t start = strlen(prefix), used;
	ssize_t n;
	int copy = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (copy < 0 || start > 64) {
		perror("relay");
		return 1;
	}
	memcpy(line, prefix, start);
	used = start;
	while ((n = read(STDIN_FILENO, input, sizeof(input))) > 0) {
		write_all(copy, input, n);
		for (ssize_t i = 0; i < n; i++) {
			line[used++] = input[i];
			if (used == sizeof(line) - 1)
				line[used++] = '\n';
			if (line[used - 1] != '\n')
				continue;
			write_all(STDOUT_FILENO, line, used);
			used = start;
		}
	}
	if (used > start) {
		line[used++] = '\n';
		write_all(STDOUT_FILENO, line, used);
	}
	return 0;
}

/* Each read of /dev/kmsg is one record: "PRIORITY,SEQUENCE,TIME,FLAGS;TEXT\n" and more lines. */
static int kmsg(void)
{
	static char record[8192], line[8300];
	int fd = open("/dev/kmsg", O_RDONLY);
	ssize_t n;

	if (fd < 0) {
		perror("kmsg");
		return 1;
	}
	lseek(fd, 0, SEEK_END);
	for (;;) {
		char *text;
		int length;

		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE) /* overwritten before it was read */
			continue;
		if (n <= 0)
			return 0;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text || (atoi(record) & LEVEL_MASK) > LEVEL_WARNING)
			continue;
		text[strcspn(text, "\n")] = 0;
		length = snprintf(line, sizeof(line), "kernel: %s\n", text + 1);
		write_all(STDOUT_FILENO, line, length);
	}
}

static int runas(const char *id, char **command)
{
	char *end;
	unsigned long value = strtoul(id, &end, 10);

	if (*end || setgroups(0, NULL) || setgid(value) || setuid(value)) {
		perror("runas");
		return 1;
	}
	execvp(command[0], command);
	perror(command[0]);
	return 127;
}

int main(int argc, char **argv)
{
	const char *name = basename(argv[0]);

	if (!strcmp(name, "e9cat"))
		return e9cat(argv[1]);
	if (!strcmp(name, "relay") && argc == 3)
		return relay(argv[1], argv[2]);
	if (!strcmp(name, "kmsg"))
		return kmsg();
	if (!strcmp(name, "runas") && argc > 2)
		return runas(argv[1], argv + 2);
	if (!strcmp(name, "tsc")) {
		printf(">> tsc %.1f M  %s\n", __rdtsc() / 1e6, argc > 1 ? argv[1] : "");
		return 0;
	}
	fprintf(stderr, "usage: e9cat [END] | relay PREFIX FILE | kmsg | runas ID COMMAND... | "
			"tsc LABEL\n");
	return 2;
}
