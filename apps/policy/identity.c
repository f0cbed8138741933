/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of a VMM by its control group. The first part of the path that is no slice is a unit
 * of the system manager, because only root makes groups down to there. Below it, a unit may be
 * delegated. A user's own manager makes groups below user@UID.service with any names, also names of
 * libvirt's scopes. So a name counts at its place only.
 */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE 16384

static bool ends_with(const char *text, size_t length, const char *end)
{
	return length > strlen(end) && !strncmp(text + length - strlen(end), end, strlen(end));
}

/* Returns the part of the path that is the unit; NULL: all parts are slices. */
static const char *find_unit(const char *path, size_t *length)
{
	for (; *path; path += *length) {
		path += strspn(path, "/");
		*length = strcspn(path, "/");
		if (*length && !ends_with(path, *length, ".slice"))
			return path;
	}
	return NULL;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Reverts the escapes in names of systemd's units: \xHH is a byte. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		const bool is_byte = text[0] == '\\' && text[1] == 'x' && hex(text[2]) >= 0 &&
				     hex(text[3]) >= 0 && (text[2] != '0' || text[3] != '0');

		*to++ = is_byte ? (char)(hex(text[2]) << 4 | hex(text[3])) : *text;
		text += is_byte ? 4 : 1;
	}
	*to = 0;
}

/* Finds libvirt's domain. libvirt has a scope for each domain, by systemd-machined: its machine is
 * called qemu-NUMBER-NAME. */
static void find_domain(struct identity *identity)
{
	static const char before[] = "machine-", behind[] = ".scope", kind[] = "qemu-";
	const size_t length = strlen(identity->unit);
	char name[IDENTITY_NAME];
	size_t digits;

	if (strncmp(identity->cgroup, "/machine.slice/", 15) ||
	    strncmp(identity->unit, before, strlen(before)) ||
	    !ends_with(identity->unit, length, behind) || length < strlen(before) + strlen(behind))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(length - strlen(before) - strlen(behind)),
		 identity->unit + strlen(before));
	unescape(name);
	if (strncmp(name, kind, strlen(kind)))
		return;
	digits = strspn(name + strlen(kind), "0123456789");
	if (digits && name[strlen(kind) + digits] == '-')
		strcpy(identity->domain, name + strlen(kind) + digits + 1);
}

void identity_set_cgroup(struct identity *identity, const char *path)
{
	const char *unit;
	size_t length;

	identity->cgroup[0] = identity->unit[0] = identity->domain[0] = 0;
	/* "/..": the group is outside of this namespace's root, so its names are not what they
	 * seem */
	if (path[0] != '/' || !strncmp(path, "/..", 3) || strlen(path) >= sizeof(identity->cgroup))
		return;
	strcpy(identity->cgroup, path);
	unit = find_unit(path, &length);
	if (!unit || length >= sizeof(identity->unit))
		return;
	snprintf(identity->unit, sizeof(identity->unit), "%.*s", (int)length, unit);
	find_domain(identity);
}

/* Reads a whole small file. Returns 0, or -errno. */
static int read_text(const char *root, pid_t pid, const char *name, char *text)
{
	size_t size = 0;
	ssize_t got = 1;
	char path[4096];
	int fd, error;

	snprintf(path, sizeof(path), "%s/proc/%d/%s", root, (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (got > 0 && size < FILE_SIZE - 1) {
		got = read(fd, text + size, FILE_SIZE - 1 - size);
		size += got > 0 ? (size_t)got : 0;
	}
	error = got < 0 ? -errno : 0;
	close(fd);
	text[size] = 0;
	return error;
}

/* Returns the text behind @key in the line that begins with it; NULL: there is no such line. */
static char *find_line(char *text, const char *key)
{
	char *line = text;

	while (line && strncmp(line, key, strlen(key))) {
		line = strchr(line, '\n');
		line += line ? 1 : 0;
	}
	if (!line)
		return NULL;
	line += strlen(key);
	line[strcspn(line, "\n")] = 0;
	return line;
}

/* Returns the id if all four are equal: real, effective, saved, and for files. */
static uint32_t one_id(const char *line)
{
	unsigned int id[4];

	if (!line || sscanf(line, "%u %u %u %u", &id[0], &id[1], &id[2], &id[3]) != 4 ||
	    id[0] != id[1] || id[0] != id[2] || id[0] != id[3])
		return UINT32_MAX;
	return id[0];
}

int identity_read(const char *root, pid_t pid, struct identity *identity)
{
	char *text = malloc(FILE_SIZE), *copy = NULL, *path;
	int error = text ? 0 : -ENOMEM;

	memset(identity, 0, sizeof(*identity));
	identity->pid = pid;
	identity->uid = identity->gid = UINT32_MAX;
	if (!error)
		error = read_text(root, pid, "cgroup", text);
	if (!error) {
		path = find_line(text, "0::");
		identity_set_cgroup(identity, path ? path : "");
		error = read_text(root, pid, "status", text);
	}
	if (!error) {
		copy = strdup(text);
		error = copy ? 0 : -ENOMEM;
	}
	if (!error) {
		identity->uid = one_id(find_line(text, "Uid:"));
		identity->gid = one_id(find_line(copy, "Gid:"));
	}
	free(copy);
	free(text);
	return error;
}
