/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>

int state_lock(const char *directory, pid_t *holder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[4096];
	int fd;

	*holder = 0;
	snprintf(path, sizeof(path), "%s/lock", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* the descriptor stays open until the process ends, which releases the lock */
	if (!fcntl(fd, F_SETLK, &lock))
		return 0;
	if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK)
		*holder = lock.l_pid;
	close(fd);
	return -EBUSY;
}

int state_write(const char *directory, const struct state *state)
{
	char path[4096], fresh[4096];
	json_object *shown = json_object_new_object();
	int error = 0;

	snprintf(path, sizeof(path), "%s/state.json", directory);
	snprintf(fresh, sizeof(fresh), "%s/state.json.new", directory);
	json_object_object_add(shown, "loads", json_object_new_uint64(state->loads));
	json_object_object_add(shown, "rules", json_object_new_uint64(state->rules));
	json_object_object_add(shown, "error", json_object_new_string(state->error));
	if (json_object_to_file_ext(fresh, shown, JSON_C_TO_STRING_PRETTY) || rename(fresh, path))
		error = errno ? -errno : -EIO;
	json_object_put(shown);
	return error;
}

int state_read(const char *directory, struct state *state)
{
	json_object *shown, *value;
	char path[4096];

	memset(state, 0, sizeof(*state));
	snprintf(path, sizeof(path), "%s/state.json", directory);
	shown = json_object_from_file(path);
	if (!shown)
		return -ENOENT;
	if (json_object_object_get_ex(shown, "loads", &value))
		state->loads = json_object_get_uint64(value);
	if (json_object_object_get_ex(shown, "rules", &value))
		state->rules = json_object_get_uint64(value);
	if (json_object_object_get_ex(shown, "error", &value))
		snprintf(state->error, sizeof(state->error), "%s", json_object_get_string(value));
	json_object_put(shown);
	return 0;
}
