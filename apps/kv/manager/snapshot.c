/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes all items to a file, while guests continue. It works in steps, so that the store's clock
 * and the host's events do not wait for it. The file gets its name when it is complete. After a
 * failure, the last snapshot is as it was.
 *
 * A snapshot that is written in steps is not forced to the disk. After a crash of this VM it may be
 * damaged, which its sum shows.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "output.h"
#include "service.h"

#define STEP_BYTES (4u << 20)
#define SYNC_BYTES (64u << 20) /* as much as a disk writes without a long wait */
#define STEP_SLOTS (1u << 17)  /* slots: under a millisecond; an empty space has them, too */

static void new_name(const struct daemon *d, char name[MAX_PATH + 4])
{
	snprintf(name, MAX_PATH + 4, "%s.new", d->snapshot.file);
}

static int failed(struct daemon *d)
{
	char name[MAX_PATH + 4];

	output_print(STDERR_FILENO, "elisa-kv: snapshot %s: %s\n", d->snapshot.file,
		     strerror(errno));
	new_name(d, name);
	if (d->snapshot.to)
		fclose(d->snapshot.to);
	d->snapshot.to = NULL;
	unlink(name);
	return -1;
}

/* Writes bytes. ferror() at the end of a step shows a failure. */
static void put(struct snapshot *snapshot, const void *bytes, size_t length)
{
	if (!length)
		return;
	snapshot->sum = elisa_hash(bytes, length, snapshot->sum);
	fwrite(bytes, 1, length, snapshot->to);
}

static void put_head(struct daemon *d)
{
	const struct config *config = &d->config;
	const struct snapshot_head head = {.magic = SNAPSHOT_MAGIC,
					   .time = (uint64_t)time(NULL),
					   .spaces = config->space_count,
					   .places = config->place_count};

	put(&d->snapshot, &head, sizeof(head));
	for (uint32_t i = 0; i < config->space_count; i++)
		put(&d->snapshot, config->space[i].name, MAX_NAME);
	for (uint32_t i = 0; i < config->place_count; i++)
		put(&d->snapshot, config->place[i].name, MAX_NAME);
}

int snapshot_begin(struct daemon *d)
{
	char name[MAX_PATH + 4];
	mode_t mask;

	d->snapshot = (struct snapshot){0};
	memcpy(d->snapshot.file, d->config.snapshot, MAX_PATH);
	new_name(d, name);
	mask = umask(0077);
	d->snapshot.to = fopen(name, "we");
	umask(mask);
	if (!d->snapshot.to)
		return failed(d);
	put_head(d);
	return 0;
}

static size_t put_item(struct daemon *d, const struct kv_record *record)
{
	const struct snapshot_item item = {.space = d->snapshot.space,
					   .place = record->place,
					   .flags = record->flags,
					   .ttl = record->ttl,
					   .key_length = record->key_length,
					   .length = record->length};

	d->snapshot.items++;
	put(&d->snapshot, &item, sizeof(item));
	put(&d->snapshot, record->key, record->key_length);
	put(&d->snapshot, record->value, record->length);
	return sizeof(item) + record->key_length + record->length;
}

/* Forces the folder to the disk, since it holds the file's name. */
static int sync_folder_of(const char *file)
{
	char path[MAX_PATH];
	int fd, error;

	memcpy(path, file, MAX_PATH);
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	error = fsync(fd);
	close(fd);
	return error;
}

/* Completes the file, which has all items, and gives it its name. sync: forces the file to the disk
 * before it gets its name, and the name afterwards. */
static int finish(struct daemon *d, bool sync)
{
	const struct snapshot_item last = {.space = SNAPSHOT_END};
	struct snapshot *snapshot = &d->snapshot;
	struct snapshot_end end = {.items = snapshot->items};
	char name[MAX_PATH + 4];
	FILE *to = snapshot->to;

	new_name(d, name);
	put(snapshot, &last, sizeof(last));
	put(snapshot, &end.items, sizeof(end.items));
	end.sum = snapshot->sum;
	fwrite(&end.sum, 1, sizeof(end.sum), to);
	if (fflush(to) || ferror(to) || (sync && fsync(fileno(to))))
		return failed(d);
	snapshot->to = NULL;
	if (fclose(to) || rename(name, snapshot->file) || (sync && sync_folder_of(snapshot->file)))
		return failed(d);
	d->snapshots++;
	return 0;
}

/* Writes items of up to `most` bytes, from at most STEP_SLOTS slots of an index. Returns 1 if there
 * are no more items. */
static int step(struct daemon *d, size_t most)
{
	struct snapshot *snapshot = &d->snapshot;
	struct kv_record record;
	uint64_t slots = STEP_SLOTS;
	size_t bytes = 0;

	while (bytes < most && snapshot->space < d->config.space_count) {
		const int next = kv_manager_next(d->store, snapshot->space, &snapshot->cursor,
						 &slots, d->buffer, &record);

		if (next == -EAGAIN)
			break;
		if (next) {
			bytes += put_item(d, &record);
		} else {
			snapshot->space++;
			snapshot->cursor = 0;
		}
	}
	return snapshot->space == d->config.space_count;
}

int snapshot_step(struct daemon *d)
{
	if (step(d, STEP_BYTES))
		return finish(d, false);
	return ferror(d->snapshot.to) ? failed(d) : 0;
}

int snapshot_whole(struct daemon *d)
{
	if (d->snapshot.to)
		fclose(d->snapshot.to);
	if (snapshot_begin(d))
		return -1;
	while (!step(d, SYNC_BYTES)) {
		if (fflush(d->snapshot.to) || fdatasync(fileno(d->snapshot.to)))
			return failed(d);
		service_goes_on();
	}
	return finish(d, true);
}
