/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a configuration file. A mistake of an operator must not become a setting, so these
 * are stricter than the JSON library. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "output.h"
#include "strict.h"
#include "utf8.h"

#define SECRET_MOST 64 /* bytes */

int settings_wrong(const struct settings *settings, const char *format, ...)
{
	char text[1536];
	size_t length = 0;
	va_list arguments;

	if (settings->file)
		length = (size_t)snprintf(text, sizeof(text) / 3,
					  "%.*s: ", (int)sizeof(text) / 3 - 3, settings->file);
	if (settings->part)
		length += (size_t)snprintf(text + length, sizeof(text) / 3,
					   "%s %zu: ", settings->part, settings->number);
	va_start(arguments, format);
	vsnprintf(text + length, sizeof(text) - length, format, arguments);
	va_end(arguments);
	if (settings->say)
		settings->say(text);
	else
		output_print(STDERR_FILENO, "%s: %s\n", settings->program, text);
	return -1;
}

int settings_number(const struct settings *settings, const char *key, json_object *value,
		    uint64_t least, uint64_t most, uint64_t *to)
{
	const int64_t number = json_object_get_int64(value);

	if (!json_object_is_type(value, json_type_int) || number < 0 || (uint64_t)number < least ||
	    (uint64_t)number > most)
		return settings_wrong(settings, "\"%s\": %s is no number from %llu to %llu", key,
				      json_object_to_json_string(value), (unsigned long long)least,
				      (unsigned long long)most);
	*to = (uint64_t)number;
	return 0;
}

int settings_bool(const struct settings *settings, const char *key, json_object *value, bool *to)
{
	if (!json_object_is_type(value, json_type_boolean))
		return settings_wrong(settings, "\"%s\": %s is neither true nor false", key,
				      json_object_to_json_string(value));
	*to = json_object_get_boolean(value);
	return 0;
}

int settings_text(const struct settings *settings, const char *key, json_object *value, char *to,
		  size_t size)
{
	const char *text = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string) || !*text || strlen(text) >= size ||
	    !utf8_is_text(text))
		return settings_wrong(
			settings,
			"\"%s\": %s is no text of 1 to %zu bytes without control characters", key,
			json_object_to_json_string(value), size - 1);
	strcpy(to, text);
	return 0;
}

/* Reads a whole file, with a NUL behind it. Returns NULL after a message. */
static char *read_file(const struct settings *settings, size_t most_mib, size_t *length)
{
	const size_t most = most_mib << 20;
	FILE *from = fopen(settings->file, "re");
	char *text = from ? malloc(most + 1) : NULL;
	int error = errno;

	if (text) {
		errno = 0;
		*length = fread(text, 1, most + 1, from);
		error = ferror(from) ? errno : 0;
	}
	if (from)
		fclose(from);
	if (text && !error && *length <= most) {
		text[*length] = 0;
		return text;
	}
	if (text && !error)
		settings_wrong(settings, "longer than %zu MiB", most_mib);
	else
		settings_wrong(settings, "%s", strerror(error));
	free(text);
	return NULL;
}

json_object *settings_read(const struct settings *settings, size_t most_mib)
{
	struct strict_fault fault;
	json_object *root = NULL;
	size_t length;
	char *text = read_file(settings, most_mib, &length);

	if (!text)
		return NULL;
	if (strict_check(text, length, &fault)) {
		settings_wrong(settings, "line %u, column %u: %s", fault.line, fault.column,
			       fault.what);
	} else {
		root = json_tokener_parse(text);
		if (!json_object_is_type(root, json_type_object)) {
			settings_wrong(settings, "it holds no object");
			json_object_put(root);
			root = NULL;
		}
	}
	free(text);
	return root;
}

/* --------------------------------------------------------------------------------- secrets */

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

static int draw(const struct settings *settings, uint8_t *bytes, size_t count)
{
	const int fd = open(settings->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written;

	if (fd < 0)
		return settings_wrong(settings, "%s", strerror(errno));
	written = getrandom(bytes, count, 0) == (ssize_t)count;
	for (size_t i = 0; i < count && written; i++)
		written = dprintf(fd, "%02x", bytes[i]) == 2;
	written = written && dprintf(fd, "\n") == 1;
	if (!close(fd) && written)
		return 0;
	settings_wrong(settings, "cannot be written: %s", strerror(errno));
	unlink(settings->file);
	return -1;
}

int settings_secret(const struct settings *settings, uint8_t *bytes, size_t count)
{
	char text[2 * SECRET_MOST + 2];
	FILE *from = fopen(settings->file, "re");
	size_t length;
	int error = 0;

	if (!from && errno == ENOENT)
		return draw(settings, bytes, count);
	if (!from)
		return settings_wrong(settings, "%s", strerror(errno));
	length = fread(text, 1, sizeof(text), from);
	if (ferror(from))
		error = settings_wrong(settings, "%s", strerror(errno));
	fclose(from);
	if (length == 2 * count + 1 && text[length - 1] == '\n')
		length--;
	for (size_t i = 0; i < count && !error; i++) {
		const int high = length == 2 * count ? digit(text[2 * i]) : -1;
		const int low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			error = settings_wrong(settings,
					       "it does not hold %zu hexadecimal digits "
					       "and nothing else",
					       2 * count);
		else
			bytes[i] = (uint8_t)(high << 4 | low);
	}
	explicit_bzero(text, sizeof(text));
	return error;
}
