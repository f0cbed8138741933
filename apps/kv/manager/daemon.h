/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-kv, the manager's daemon: what its files share. One thread; everything here is its own, but
 * for the store, which guests' calls change meanwhile.
 *
 * One attachment of a guest gets a place: the one with the place's ticket, or that of any VM. The
 * configuration sets what the attachment may do, and how much of a name space ("space") its items
 * may take.
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
	uint64_t mib, items; /* most; mib 0: an equal part */
};

struct place_config {
	char name[MAX_NAME];
	char ticket_file[MAX_PATH]; /* "": for any VM that may attach */
	bool is_open;		    /* it is meant so */
	struct share_config share[MAX_SPACES];
};

struct config {
	char export_name[ELISA_NAME_SIZE];
	char snapshot[MAX_PATH]; /* "": none */
	uint64_t snapshot_s;	 /* seconds between two; 0: at the end alone */
	uint64_t vcpus;		 /* of each guest that may call */
	uint64_t open_places_per_vm;
	uint64_t limit_us, suspend_us;
	uint32_t space_count, place_count;
	struct space_config space[MAX_SPACES];
	struct place_config place[MAX_PLACES];
};

/* A snapshot that is being written, a part in each round. */
struct snapshot {
	FILE *to;	     /* NULL: none is */
	char file[MAX_PATH]; /* its name in the end: a reload may give the next one another */
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
	uint64_t attachment[MAX_PLACES];    /* that has the place; 0: none */
	uint64_t aborts[MAX_PLACES];	    /* calls that did not come to their end */
	struct limit limit[MAX_PLACES + 1]; /* of what is said of faults; the last: others' */
	uint64_t cursor[MAX_SPACES];	    /* of sweeping */
	bool owes;			    /* kv_manager_reclaim(): the store was busy */
	uint64_t lost_events, snapshots;
	double started, now; /* seconds of CLOCK_MONOTONIC */
	bool over;	     /* the export is gone: the daemon ends */
	struct snapshot snapshot;
	uint8_t buffer[KV_RECORD_MAX]; /* of one item */
};

/* config.c: 0, or -1 after a message that names the file and what is wrong. */
int config_read(const char *file, struct config *config);

/* rules.c: rights and quotas, from now on. */
void guests_allow(struct daemon *d);
/* Can the daemon go on with this configuration? If not, each key that keeps it from that was
 * named. */
bool reload_is_possible(const struct config *is, const struct config *new, const char *file);

/* library.c: takes the host's events, so many at a time. */
void library_events(struct daemon *d);
/* Each second: how much was not said, as it was too much. */
void library_left_out(struct daemon *d);

/* snapshot.c: to the file's new version, in steps; the last one puts it in its place. 0, or -1
 * after a message. */
int snapshot_begin(struct daemon *d);
int snapshot_step(struct daemon *d);
/* All of it now, to the disk. */
int snapshot_whole(struct daemon *d);

/* load.c: items of a snapshot into an empty store. A file that is not whole is not used. 0: it was,
 * or there is none; -1: the daemon begins empty, after a message. */
int load_snapshot(struct daemon *d);

/* report.c: what the store has counted, into a file that appears whole. */
int report_write(struct daemon *d, const char *file);
int report_metrics(struct daemon *d, const char *file);
/* Prints such a report as a table. */
int report_show(const char *file);

#endif
