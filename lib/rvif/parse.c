/* SPDX-License-Identifier: Apache-2.0 */
/* Parses what operators write in options and configurations, so that all programs accept the same.
 * A function accepts the whole text or nothing of it. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rvif/driver.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int rvif_parse_hex(const char *text, char separator, uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (separator && i + 1 < count && *text++ != separator)
			return -EINVAL;
	}
	return *text ? -EINVAL : 0;
}

int rvif_read_hex(const char *path, uint8_t *bytes, size_t count)
{
	char text[256] = "";
	FILE *file = fopen(path, "re");
	size_t length;
	int error;

	if (!file)
		return -errno;
	length = fread(text, 1, sizeof(text) - 1, file);
	error = ferror(file) ? -errno : 0;
	fclose(file);
	if (length && text[length - 1] == '\n')
		text[--length] = 0;
	if (!error && length != 2 * count)
		error = -EINVAL;
	if (!error)
		error = rvif_parse_hex(text, 0, bytes, count);
	explicit_bzero(text, sizeof(text));
	return error;
}

int rvif_parse_mac(const char *text, uint8_t mac[6])
{
	uint8_t bytes[6];

	if (rvif_parse_hex(text, ':', bytes, sizeof(bytes)))
		return -EINVAL;
	memcpy(mac, bytes, sizeof(bytes));
	return 0;
}

int rvif_parse_mode(const char *text, uint32_t *mode)
{
	char *end;
	unsigned long value = strtoul(text, &end, 8);

	if (*text < '0' || *text > '7' || *end || !value || value > 0777)
		return -EINVAL;
	*mode = (uint32_t)value;
	return 0;
}

/* Finds a group by its name. The C library returns the names of all members too, so the entry may
 * need much room. */
static int find_group(const char *name, uint32_t *group)
{
	struct group entry, *found = NULL;
	char *room = NULL, *more;
	int error = ERANGE;

	for (size_t size = 4096; error == ERANGE; size *= 2) {
		more = realloc(room, size);
		if (!more)
			break;
		room = more;
		error = getgrnam_r(name, &entry, room, size, &found);
	}
	if (found)
		*group = found->gr_gid;
	free(room);
	return found ? 0 : -ENOENT;
}

int rvif_parse_group(const char *text, uint32_t *group)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!find_group(text, group))
		return 0;
	if (*text < '0' || *text > '9' || *end || value >= UINT32_MAX)
		return -EINVAL;
	*group = (uint32_t)value;
	return 0;
}
