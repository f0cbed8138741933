/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file of a daemon, JSON: the checks that every such file needs. Each message names
 * the program, the file, and the part and the key that are wrong. Results are 0, or -1 after a
 * message.
 */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
	const char *program;
	const char *file; /* NULL: the text does not come from a file */
	const char *part; /* "place", "space"; NULL: none */
	size_t number;	  /* number of the part, from 1 */
	/* takes messages, without the program; NULL: they go to the standard error, with it */
	void (*say)(const char *what);
};

int settings_wrong(const struct settings *settings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Reads a file of at most this size. Returns NULL after a message. */
json_object *settings_read(const struct settings *settings, size_t most_mib);

/* Read a value, by its key. */
int settings_number(const struct settings *settings, const char *key, json_object *value,
		    uint64_t least, uint64_t most, uint64_t *to);
int settings_bool(const struct settings *settings, const char *key, json_object *value, bool *to);
int settings_text(const struct settings *settings, const char *key, json_object *value, char *to,
		  size_t size);

/* Reads bytes from a file of hexadecimal digits. If the file does not exist, draws random bytes and
 * writes them to it, mode 0600. */
int settings_secret(const struct settings *settings, uint8_t *bytes, size_t count);

#endif
