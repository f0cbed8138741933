/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-fwd: the switch in a process of its own, with vNICs that are files. One thread does all work.
 * A driver's file may come, go, be replaced or be cut short at any time. That must never stop the
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
	const char *path;	 /* of an uplink: the interface's name */
	struct uplink *uplink;	 /* NULL: the port is no uplink */
	struct uplink_seen seen; /* the uplink's state at the last look */
	struct rvs_policy policy;
	struct rvif_mapping map;
	char why_not[96]; /* the last printed reason not to map the file; "": none */
	bool attached;
	bool refused;	 /* the driver of this epoch was refused, with a message */
	uint32_t epoch;	 /* of the driver that is attached or was refused */
	uint32_t queues; /* transmit queues */
	struct rvif_patience patience[QUEUES];
	struct limit limit;	 /* of messages about its file and driver */
	struct rvs_stats before; /* at the last report */
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
	/* for requests to capture a vNIC */
	struct control socket;
	struct captures captures;
	double now; /* when this round began */
};

/* main.c: set by the handler of a signal that ends the program. */
extern volatile sig_atomic_t stop;

/*
 * options.c: reads the options, adds the ports and opens the uplinks. Returns false if the program
 * has to end with *status.
 */
extern const struct program program;
bool read_command_line(struct fwd *fwd, int argc, char **argv, int *status);

/*
 * port_settings.c: moves the settings (VNIC[,KEY=VALUE]...) from the end of an argument to the
 * policy. The argument is the path alone afterwards. Text that is no setting stays a part of the
 * path. Returns 0, or the exit status after a message.
 */
int port_settings(char *argument, struct rvs_policy *policy);

/* ports.c: a port's file and its driver. */
/* Opens a new port's uplink, named by its path. Returns 0, or the exit status after a message. */
int port_open_uplink(struct port *port);
/* Maps, attaches, detaches or unmaps the port, as its file and driver are now. */
void port_look(struct fwd *fwd, struct port *port, double now);
void port_detach(struct fwd *fwd, struct port *port);
/* Detaches the switch's side alone. Returns 0, or a negative enum rvs_error. */
int port_let_go(struct fwd *fwd, const struct port *port);
/* Prints a message to standard error, as often as the limit allows. */
void port_say(struct port *port, const char *what);
void ports_say_left_out(struct fwd *fwd, double now);
/* Detaches and unmaps all ports at the end. */
void ports_close(struct fwd *fwd);

static inline uint32_t port_number(const struct fwd *fwd, const struct port *port)
{
	return (uint32_t)(port - fwd->port);
}

/* wake.c: wakes receivers that sleep, of one queue, of one port or of all ports. */
void wake(const struct fwd *fwd, uint32_t number, uint32_t queue);
void wake_port(const struct fwd *fwd, uint32_t number);
void wake_all(const struct fwd *fwd);

/* run.c: forwards until a signal comes. */
void run(struct fwd *fwd);

/* report.c */
/* Prints the statistics of the time since the last report. */
void report(struct fwd *fwd, double seconds);
/* Writes all counters to the options' file. */
void report_metrics(struct fwd *fwd);

/* capture.c: opens the socket, if the options name one. Returns 0, or -1 after a message. */
int capture_open(struct fwd *fwd);

#endif
