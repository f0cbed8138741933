/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-fwd: the switch in a process of its own, over vNICs that are files. One thread does all. A
 * driver's file may come, go, be replaced or be cut short at any time; that must never stop the
 * other ports.
 */
#ifndef RVS_FWD_H
#define RVS_FWD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <rvif/driver.h>
#include <rvif/patience.h>
#include <rvif/switch.h>
#include <rvs/rvs.h>
#include "captures.h"
#include "control.h"
#include "limit.h"
#include "options.h"
#include "uplink.h"

enum {
	MAX_PATHS = 256,
	MAX_UPLINKS = 8,
	QUEUES = 16,
};

struct port {
	const char *path;	 /* or the name of an interface: */
	struct uplink *uplink;	 /* NULL: it is no uplink */
	struct uplink_seen seen; /* of that */
	struct rvs_policy policy;
	struct rvif_mapping map;
	char why_not[96]; /* the last reason not to map the file that was said; "": none */
	bool attached;
	bool refused;	 /* said so for this epoch */
	uint32_t epoch;	 /* of the driver that is attached or was refused */
	uint32_t queues; /* to transmit */
	struct rvif_patience patience[QUEUES];
	struct limit limit;	 /* of what is said because of its file and driver */
	struct rvs_stats before; /* of the last report */
};

struct options {
	bool json, quiet, poll, no_offload;
	uint32_t hold; /* milliseconds */
	const char *metrics, *control;
	double interval;
	double max_age;
	uint32_t max_learned;
	uint32_t flags; /* enum rvs_port_flag */
	int ready_fd;
	struct uplink_names {
		const char *name[MAX_UPLINKS];
		uint32_t count;
	} uplinks;
};

struct fwd {
	struct options options;
	struct rvs *rvs;
	struct port port[MAX_PATHS];
	uint32_t port_count;
	/* those who ask to capture a vNIC */
	struct control socket;
	struct captures captures;
	double now; /* of this round */
};

/* main.c: set by a signal. */
extern volatile sig_atomic_t stop;

/* options.c: the ports are there afterwards, uplinks are open. False: the program ends with
 * *status. */
extern const struct program program;
bool read_command_line(struct fwd *fwd, int argc, char **argv, int *status);

/*
 * port_settings.c: takes the settings (VNIC[,KEY=VALUE]...) off the end of an argument, which is
 * the path alone afterwards, into the policy. What is no setting is a part of the path. 0, or the
 * exit status after a message.
 */
int port_settings(char *argument, struct rvs_policy *policy);

/* ports.c: a port's file and its driver. */
/* Of a port that is new, and named by its path. 0, or the exit status after a message. */
int port_open_uplink(struct port *port);
/* Follows the file and the driver as they are now. */
void port_look(struct fwd *fwd, struct port *port, double now);
void port_detach(struct fwd *fwd, struct port *port);
/* The same of the switch's side alone. 0, or a negative enum rvs_error. */
int port_let_go(struct fwd *fwd, const struct port *port);
/* To the standard error, as often as the limit allows. */
void port_say(struct port *port, const char *what);
void ports_say_left_out(struct fwd *fwd, double now);
/* All that they hold, at the end. */
void ports_close(struct fwd *fwd);

static inline uint32_t port_number(const struct fwd *fwd, const struct port *port)
{
	return (uint32_t)(port - fwd->port);
}

/* wake.c: receivers that sleep. */
void wake(const struct fwd *fwd, uint32_t number, uint32_t queue);
void wake_port(const struct fwd *fwd, uint32_t number);
void wake_all(const struct fwd *fwd);

/* run.c: forwards until a signal comes. */
void run(struct fwd *fwd);

/* report.c */
/* Of the time since the last report. */
void report(struct fwd *fwd, double seconds);
/* Into the file of the options. */
void report_metrics(struct fwd *fwd);

/* capture.c: the socket, if the options have one. 0, or -1 after a message. */
int capture_open(struct fwd *fwd);

#endif
