/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files of libelisa. The transport is a table of functions, so that the library can
 * be tested without a VM. A fake transport is for these tests only and must never become public.
 */
#ifndef ELISA_LIB_INTERNAL_H
#define ELISA_LIB_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <elisa/elisa.h>

#define ELISA_PUBLIC	__attribute__((visibility("default")))
#define ELISA_TEXT_SIZE 512

struct elisa_transport {
	int (*open)(void *context, const char *path); /* descriptor or -errno */
	int (*ioctl)(void *context, int fd, unsigned long request, void *argument); /* 0, -errno */
	ssize_t (*read)(void *context, int fd, void *buffer, size_t size); /* bytes or -errno */
	void (*close)(void *context, int fd);
};

extern const struct elisa_transport elisa_device_transport;

struct elisa {
	const struct elisa_transport *transport;
	void *context;
	int fd;
	uint32_t rights;
	uint32_t suspend_us; /* of exports to be created; no lock: set between calls */

	pthread_mutex_t lock; /* protects the fields below */
	unsigned int objects; /* exports and attachments that exist */
	struct elisa_status status;
	char text[ELISA_TEXT_SIZE];
};

/* Finds the names of addresses in an export's object area. Under the handle's lock. */
struct elisa_names {
	struct elisa_export *export_; /* NULL: the export has ended */
	struct elisa_names *next;
	/* returns the symbol that `offset` lies in, and its offset in *from; or NULL */
	const char *(*at)(const struct elisa_names *names, uint64_t offset, uint64_t *from);
};

struct elisa_export {
	struct elisa *handle;
	uint32_t id;
	uint32_t flags;
	char name[ELISA_NAME_SIZE];
	uint32_t places;
	struct elisa_stacks *stacks; /* NULL: the host's */
	struct elisa_names *names;   /* handle->lock */
};

/* Adds names to an export. The library exports it to libelisa-extra alone. */
void elisa_names_add(struct elisa_export *export_, struct elisa_names *names);
void elisa_names_remove(struct elisa_names *names);
void elisa_names_forget(struct elisa_export *export_);

/*
 * Run before and after an export is published. *entry is the function's offset, and becomes the
 * offset of the stub that leads there. EBUSY: another function is published. Both do nothing for an
 * export without stacks.
 */
int elisa_stacks_enter(struct elisa_export *export_, uint64_t *entry);
void elisa_stacks_published(struct elisa_export *export_);
void elisa_stacks_free(struct elisa_stacks *stacks);
/* Tells whether `offset` is in the unmapped half of a stack. */
bool elisa_stacks_below(const struct elisa_stacks *stacks, uint64_t offset);

int elisa_open_transport(const struct elisa_transport *transport, void *context, const char *path,
			 struct elisa **handle);

/* Makes a request to the driver. `status` is the request's first part, `doing` is for the text. */
int elisa_request(struct elisa *handle, unsigned long request, struct elisa_status *status,
		  const char *doing, const char *subject);

/* Refuses a malformed name with ELISA_WHY_NAME. */
int elisa_check_name(struct elisa *handle, const char *name, const char *doing);

/* Counts an export or an attachment that begins (+1) or ends (-1). */
void elisa_count(struct elisa *handle, int change);

/*
 * Record a failure and return -error: "doing 'subject': what was wrong, with the value; what to
 * do". handle may be NULL; then it is the thread's. subject may be NULL.
 */
int elisa_fail(struct elisa *handle, int error, uint32_t why, uint64_t value, const char *doing,
	       const char *subject);

/* Records a failure with this text. The library exports it to libelisa-extra alone. */
int elisa_fail_text(struct elisa *handle, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
