/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-vmnet, the manager's daemon: what its files share. The daemon has one thread, and all of
 * this belongs to it. The exception is struct vmnet_state, which the calls of guests change at the
 * same time.
 */
#ifndef VMNET_DAEMON_H
#define VMNET_DAEMON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <elisa/extra.h>
#include "account.h"
#include "captures.h"
#include "control.h"
#include "limit.h"
#include "uplink.h"
#include "uplink_process.h"
#include "vmnet.h"

#define MAX_PORTS   127 /* places, besides the manager's own */
#define MAX_STATICS 16
#define SPARE_PORTS 8 /* ports that can be added, if the configuration has no max_ports */
#define MAX_NAME    32

struct port_config {
	char name[MAX_NAME];
	char ticket_file[256]; /* "": any VM that may attach can have the port */
	bool is_open;	       /* the first VM that comes may have it, under any address */
	char uplink[IFNAMSIZ]; /* the interface that the port is; "": a port for a VM */
	struct rvs_policy policy;
	uint8_t statics[MAX_STATICS][6];
	uint32_t static_count;
};

struct config {
	char export_name[ELISA_NAME_SIZE];
	uint32_t queues;
	uint32_t port_mib;	    /* limit of a vNIC's memory */
	uint32_t open_ports_per_vm; /* limit of a VM's ports without a ticket_file */
	uint32_t max_age;	    /* seconds */
	uint32_t limit_us;	    /* limit of a call's run time */
	uint32_t suspend_us;	    /* limit of the wall-clock time for which a call may be
				     * suspended */
	uint32_t max_ports;	    /* ports that there is room for; 0: SPARE_PORTS more than there
				     * are */
	uint32_t port_count;	    /* in the file: ports; in the daemon: places */
	struct port_config port[MAX_PORTS]; /* index: place - 1; a port without a name does not
					     * exist */
};

static inline bool config_has(const struct config *config, uint32_t place)
{
	return config->port[place - 1].name[0];
}

/* Tells whether the port is for one owner alone, by a ticket. */
static inline bool config_has_owner(const struct config *config, uint32_t place)
{
	const struct port_config *port = &config->port[place - 1];

	return port->ticket_file[0] || port->uplink[0];
}

/* A call of a vCPU that did not come to its end. */
struct stop {
	uint64_t aborts; /* the host's number of aborts; 0: no such call */
	int64_t error;
};

/* tickets.c: the state of a place while its ticket changes. */
enum ticket_state {
	TICKET_IN_FORCE,
	TICKET_TO_WITHDRAW, /* the old ticket is still in force */
	TICKET_WITHDRAWN,   /* neither the old nor the new ticket is in force */
};

struct place_ticket {
	uint8_t bytes[ELISA_TICKET_SIZE]; /* the ticket in force, or the one that will be; all 0:
					   * none */
	enum ticket_state state;
	/* no port is at the place: random bytes that are not kept are its ticket, so no VM has
	 * it */
	bool of_no_vm;
	double due; /* when the next step is due, in seconds of the daemon's clock */
	/* an attachment that joins without an event may have come by an older ticket */
	bool distrust;
};

/* The tickets of all ports of a configuration; all 0: the port has none. */
struct tickets {
	uint8_t of[MAX_PORTS][ELISA_TICKET_SIZE];
};

/* uplinks.c: the process of a port that is an interface. */
struct port_uplink {
	struct uplink_process process;
	char interface[IFNAMSIZ]; /* the interface that the process has, or had last */
	bool ending;		  /* the process was told to end */
	double killed_at;	  /* when it is killed if it has not ended */
	double next;		  /* when it may be started again */
	double pause;
};

/* What the daemon knows of a place. */
struct port {
	uint64_t attachment; /* the host's number; 0: no attachment */
	enum vmnet_link link;
	/* For a port with a ticket: what its owner owes, which is the VM that comes back with the
	 * same ticket. For a port without: what this attachment owes. */
	struct account account;
	bool waits;	/* its VM is kept out: it may attach, but is not served */
	bool closed;	/* by an operator: no attachment at it is served */
	bool dismissed; /* the attachment is not served any more, whatever it does */
	bool evict;	/* the attachment is to be evicted; tried until the host has done it */
	/* the switch's code failed at this port: no more calls are made for it */
	bool broken;
	bool statics_owed; /* its static addresses are to be added */
	/* the last attachment that has ended and that the switch has not been told of; 0: none */
	uint64_t ended;
	struct stop stop[VMNET_VCPUS]; /* stopped calls that the switch has not been told of */
	bool renewed; /* it goes down for a moment, to come up with another configuration */
	/* calls that were stopped while they held receive queues of other ports */
	uint64_t stalls;
	uint64_t evictions; /* VMs evicted; both are counted since the daemon began */
	bool emptied;	    /* both belong to a port that was removed, until the place is free */
	/* the switch's counters are still those of an owner before this one */
	bool unserved;
	struct limit limit; /* for messages that its VM causes */
	struct place_ticket ticket;
	struct port_uplink uplink;
};

struct daemon {
	struct config config;
	struct elisa *elisa;
	struct elisa_export *export_;
	struct elisa_extra_image *code;
	/* the daemon's own attachment to the export, for calls that manage the switch */
	struct elisa_attachment *own;
	struct vmnet_state *state;
	struct rvs *rvs;
	uint32_t vlans; /* limit of VLANs at the same time */
	size_t size;	/* bytes of state and switch */
	struct port port[MAX_PORTS + 1];
	struct account newcomers; /* what VMs of ports without a ticket owe, which cannot be told
				   * apart */
	double now;		  /* seconds of CLOCK_MONOTONIC, at the beginning of this round */
	uint64_t lost_events;
	uint64_t failures; /* failed calls of libelisa's functions */
	bool over;	   /* a failure is permanent: the daemon ends */
	bool owes;	   /* a failed action is to be tried again soon */
	bool deaf;	   /* events cannot be read: poll at intervals, do not wait for events */
	bool rings_owed;   /* calls were aborted or attachments ended: sleeping receivers are to be
			    * rung */
	struct control control;
	struct captures captures;
	/* an eventfd: a guest rang the daemon; -1: this VM has no doorbell */
	int bell;
};

/* Tells whether a change of the ticket is under way. An attachment at the place came by the old
 * ticket then. */
static inline bool tickets_is_changing(const struct daemon *d, uint32_t place)
{
	return d->port[place].ticket.state != TICKET_IN_FORCE;
}

/* config.c: returns 0, or -1 after a message that names the file and what is wrong. */
int config_read(const char *file, struct config *config);
/* The number of ports that a daemon of this configuration makes room for, and the number that it
 * has. */
uint32_t config_room(const struct config *config);
uint32_t config_ports(const struct config *config);
/* Returns the place of the port with this name; 0: there is none. */
uint32_t config_place(const struct config *config, const char *name);
/* Adds a port at a place that has none; place 0: there is no such place. Returns 0, or -1 after a
 * complaint. */
int config_add(struct config *config, uint32_t place, json_object *object);
/* Returns the number of VLANs that the ports are in. */
uint32_t config_vlans(const struct config *config);

/* library.c */
enum library_result {
	LIBRARY_DONE,
	LIBRARY_NONE,	/* nothing was done, because there is no such attachment */
	LIBRARY_LATER,	/* failed for now; logged */
	LIBRARY_BROKEN, /* failed for good, for this port; logged */
	LIBRARY_OVER,	/* failed for good: the daemon ends */
};
/* Calls the switch: an operation, its port, and further arguments. */
enum library_result library_call(struct daemon *d, long op, uint32_t place, long a2, long a3,
				 long a4, long *value);
enum library_result library_evict(struct daemon *d, uint32_t place, uint64_t attachment);
/* Reserves the place for attachments by this ticket from now on; all 0: for any attachment. */
enum library_result library_ticket(struct daemon *d, uint32_t place,
				   const uint8_t ticket[ELISA_TICKET_SIZE]);
/* Takes the host's events. Returns how many there were. */
int library_events(struct daemon *d);

/* ports.c */
void ports_event(struct daemon *d, const struct elisa_event *event);
/* Forgives a part of what VMs owe. To be called each second. */
void ports_forgive(struct daemon *d);
/* Returns for how many seconds the port's VM, or the next one, is not served; 0: it is served. */
uint32_t ports_out(const struct daemon *d, uint32_t place);
/* Looks at all ports, and does what is still to be done. */
void ports_look(struct daemon *d);
/* Tells whether the switch's counters at the place belong to this port, its owner, and the VM that
 * has it. */
bool ports_is_counted(const struct daemon *d, uint32_t place);
/* Tells whether the switch would drop whatever this port sends. */
bool ports_is_mute(const struct daemon *d, uint32_t place);
/* Applies another configuration, port by port in the same places. Ports that stay the same are
 * served without a pause. */
void ports_reconfigure(struct daemon *d, const struct config *config,
		       const struct tickets *tickets);
/* Stops serving the attachment at the place, if any, and evicts it. */
void ports_dismiss(struct daemon *d, uint32_t place);
/* Closes or opens a port for an operator: no VM at it is served while it is closed. */
void ports_close(struct daemon *d, uint32_t place, bool closed);
/* Handles that the attachment at the place has ended, when no event said so. */
void ports_end_was_lost(struct daemon *d, uint32_t place);

/* tickets.c: which VM may have a port. */
/* Reads the tickets in the files of a configuration. If a file does not exist, draws a ticket and
 * writes it. Returns 0, or -1 after a message. */
int tickets_read(const struct config *config, struct tickets *tickets);
/* Reads the ticket of one port, which must differ from the tickets of all others. */
int tickets_read_one(const struct config *config, uint32_t place, struct tickets *tickets);
/* Copies the tickets that the ports have now, whatever their files contain by now. */
void tickets_kept(const struct daemon *d, struct tickets *tickets);
/* Sets the tickets of a new export. Returns 0, or -1 after a message. */
int tickets_begin(struct daemon *d, const struct tickets *tickets);
/* Changes the ticket of a place. Returns false if it has this ticket already. */
bool tickets_change(struct daemon *d, uint32_t place, const uint8_t ticket[ELISA_TICKET_SIZE]);
/* Closes the place to all VMs. */
void tickets_close(struct daemon *d, uint32_t place);
/* Takes the next steps of all changes. */
void tickets_look(struct daemon *d);

/* uplinks.c: starts and ends processes as the configuration says, and checks those that run. */
void uplinks_look(struct daemon *d);
/* Ends all uplinks, and waits for them for a short time. */
void uplinks_close(struct daemon *d);

/* commands.c: returns the reply to a request on the daemon's socket (control.h). */
char *commands_answer(void *daemon, const struct control_user *user, const char *line,
		      size_t length, int *file);

/* say.c: logs a line about a port; place 0: about none. Lines to the standard error begin with
 * "elisa-vmnet: ". Lines beyond the port's limit are counted instead. */
void say(struct daemon *d, uint32_t place, int fd, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Logs how many lines were left out. To be called each second. */
void say_left_out(struct daemon *d);

/* reload.c: tells whether the daemon can go on with this configuration. If not, it has named each
 * key that prevents this. */
bool reload_is_possible(const struct daemon *d, const struct config *new, const char *file);
/* Gives each port of the new configuration its place: the one of its name, or a free one. */
void reload_arrange(const struct daemon *d, struct config *new);
/* Returns the place for one more port, if possible one that is free at once; 0: none. */
uint32_t reload_place(const struct daemon *d);
/* Tells whether there is room for all VLANs of the configuration. If not, it has complained. */
bool reload_has_room(const struct daemon *d, const struct config *new);

/* report.c: the state and counters of a port, or of all ports, as JSON. */
json_object *report_port(const struct daemon *d, uint32_t place, bool with_queues);
json_object *report_ports(const struct daemon *d, bool with_queues);
/* Returns a part of the forwarding table as "table", which may be empty. "next", if there may be
 * more, says where the next part begins. */
json_object *report_table(const struct daemon *d, uint64_t from);
/* Returns all counters as OpenMetrics text; NULL: no memory. */
json_object *report_metrics_text(const struct daemon *d);
/* Writes the state of all ports and the whole table to a file, which appears complete or not at
 * all. */
int report_write(const struct daemon *d, const char *file);
/* Writes all counters as OpenMetrics text, in the same way. */
int report_metrics(const struct daemon *d, const char *file);
/* Prints a file of report_write() as a table. */
int report_show(const char *file);

#endif
