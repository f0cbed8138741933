/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-kv, the manager's daemon: what its files share. The daemon has one thread, and all of this
 * belongs to it. The exception is the store, which the calls of guests change at the same time.
 *
 * Each place is for one attachment of a guest: the one with the place's ticket, or that of any VM.
 * The configuration sets what the attachment may do, and how much of a name space ("space") its
 * items may take.
 */
#ifndef KV_DAEMON_H
#define KV_DAEMON_H

#include <elisa/extra.h>
#include <stdbool.h>
#include <stdio.h>
#include "limit.h"
#include "manager.h"

#define MAX_PLACES 128
#define MAX_SPACES 32
#define MAX_NAME   32
#define MAX_PATH   256

struct space_config {
	char name[MAX_NAME];
	uint64_t mib, cell;
};

/* What a place may do in a space. */
struct share_config {
	uint32_t rights;     /* enum kv_right; 0: nothing */
	uint64_t mib, items; /* limits; mib 0: an equal part of the space */
};

struct place_config {
	char name[MAX_NAME];
	char ticket_file[MAX_PATH]; /* "": any VM that may attach can have the place */
	bool is_open;		    /* the configuration says explicitly that any VM may have it */
	struct share_config share[MAX_SPACES];
};

struct config {
	char export_name[ELISA_NAME_SIZE];
	char snapshot[MAX_PATH]; /* "": none */
	uint64_t snapshot_s;	 /* seconds between two snapshots; 0: only one, at the end */
	uint64_t vcpus;		 /* vCPUs of each guest that may call */
	uint64_t open_places_per_vm;
	uint64_t limit_us, suspend_us;
	uint32_t space_count, place_count;
	struct space_config space[MAX_SPACES];
	struct place_config place[MAX_PLACES];
};

/* A snapshot that is being written, a part in each round. */
struct snapshot {
	FILE *to;	     /* NULL: none is being written */
	char file[MAX_PATH]; /* its final name: a reload may change the name of the next one */
	uint32_t space;
	uint64_t cursor, items, sum;
};

struct daemon {
	struct config config;
	struct elisa *elisa;
	struct elisa_export *export_;
	struct elisa_extra_image *code;
	struct kv_store *store;
	uint64_t size;
	uint64_t attachment[MAX_PLACES]; /* the attachment at each place; 0: none */
	uint64_t aborts[MAX_PLACES];	 /* calls that did not come to their end */
	/* for messages about faults of each place; the last one is for unknown places */
	struct limit limit[MAX_PLACES + 1];
	uint64_t cursor[MAX_SPACES]; /* bucket at which the next sweep begins */
	bool owes;		     /* kv_manager_reclaim() found the store busy: try it
					     * again */
	uint64_t lost_events, snapshots;
	double started, now; /* seconds of CLOCK_MONOTONIC */
	bool over;	     /* the export is gone: the daemon ends */
	struct snapshot snapshot;
	uint8_t buffer[KV_RECORD_MAX]; /* for one item */
};

/* config.c: 0, or -1 after a message that names the file and what is wrong. */
int config_read(const char *file, struct config *config);

/* rules.c: sets rights and quotas, which hold from now on. */
void guests_allow(struct daemon *d);
/* Tells whether the daemon can go on with this configuration. If not, it has named each key that
 * prevents this. */
bool reload_is_possible(const struct config *is, const struct config *new, const char *file);

/* library.c: takes the host's events, a limited number at a time. */
void library_events(struct daemon *d);
/* Says how many messages were left out. To be called each second. */
void library_left_out(struct daemon *d);

/* snapshot.c: writes a new version of the file in steps. The last step gives the file its name.
 * Return 0, or -1 after a message. */
int snapshot_begin(struct daemon *d);
int snapshot_step(struct daemon *d);
/* Writes a whole snapshot now, and waits until it is on the disk. */
int snapshot_whole(struct daemon *d);

/* load.c: stores the items of a snapshot in the empty store. A file that is not whole is not used.
 * Returns 0 if it was loaded or there is none. Returns -1, after a message, if the daemon begins
 * empty. */
int load_snapshot(struct daemon *d);

/* report.c: write what the store has counted to a file, which appears complete or not at all. */
int report_write(struct daemon *d, const char *file);
int report_metrics(struct daemon *d, const char *file);
/* Prints such a report as a table. */
int report_show(const char *file);

#endif
