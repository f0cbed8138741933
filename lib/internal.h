/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libelisa share. The transport is a table so that the library can be tested
 * without a VM: a fake one is for internal testing only and must never become public.
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

	pthread_mutex_t lock; /* protects what follows */
	unsigned int objects; /* exports and attachments that exist */
	struct elisa_status status;
	char text[ELISA_TEXT_SIZE];
};

/* What knows the names of addresses in an export's object area. Protected by the handle's lock. */
struct elisa_names {
	struct elisa_export *export_; /* NULL: it has ended */
	struct elisa_names *next;
	/* The symbol that offset lies in, and its own offset; NULL. */
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

/* Exported to libelisa-extra alone. */
void elisa_names_add(struct elisa_export *export_, struct elisa_names *names);
void elisa_names_remove(struct elisa_names *names);
void elisa_names_forget(struct elisa_export *export_);

/*
 * Before and after an export is published: *entry, the function's offset, becomes the stub's, which
 * leads there. EBUSY: another function is published. Nothing happens to an export without stacks.
 */
int elisa_stacks_enter(struct elisa_export *export_, uint64_t *entry);
void elisa_stacks_published(struct elisa_export *export_);
void elisa_stacks_free(struct elisa_stacks *stacks);
/* Is offset in the unmapped half of a stack? */
bool elisa_stacks_below(const struct elisa_stacks *stacks, uint64_t offset);

int elisa_open_transport(const struct elisa_transport *transport, void *context, const char *path,
			 struct elisa **handle);

/* Every request to the driver. status is in the request, at its start; doing is for the text. */
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

/* The same with the text itself; exported to libelisa-extra alone. */
int elisa_fail_text(struct elisa *handle, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
