/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-vmnet, the manager's daemon: what its files share. One thread; everything here is its own,
 * but for struct vmnet_state, which guests' calls change meanwhile.
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

#define MAX_PORTS   127 /* and the manager's own place */
#define MAX_STATICS 16
#define SPARE_PORTS 8 /* that can be added, if the configuration does not say how many */
#define MAX_NAME    32

struct port_config {
	char name[MAX_NAME];
	char ticket_file[256]; /* "": for any VM that may attach */
	bool is_open;	       /* for the first VM that comes, under any address */
	char uplink[IFNAMSIZ]; /* the interface that it is; "": a VM's port */
	struct rvs_policy policy;
	uint8_t statics[MAX_STATICS][6];
	uint32_t static_count;
};

struct config {
	char export_name[ELISA_NAME_SIZE];
	uint32_t queues;
	uint32_t port_mib;	    /* most memory of a vNIC */
	uint32_t open_ports_per_vm; /* ports without a ticket_file that one VM may have */
	uint32_t max_age;	    /* seconds */
	uint32_t limit_us;	    /* run time of a call */
	uint32_t suspend_us;	    /* wall-clock time for which a call may be suspended */
	uint32_t max_ports;	    /* that there is room for; 0: some more than there are */
	uint32_t port_count;	    /* of the file; of the daemon: that there is room for */
	struct port_config port[MAX_PORTS]; /* place n + 1; without a name: there is none */
};

static inline bool config_has(const struct config *config, uint32_t place)
{
	return config->port[place - 1].name[0];
}

/* Is it for one owner alone, by a ticket? */
static inline bool config_has_owner(const struct config *config, uint32_t place)
{
	const struct port_config *port = &config->port[place - 1];

	return port->ticket_file[0] || port->uplink[0];
}

/* A call of a vCPU that did not come to its end. */
struct stop {
	uint64_t aborts; /* 0: none */
	int64_t error;
};

/* tickets.c: how far a place is on its way from one ticket to another. */
enum ticket_state {
	TICKET_IN_FORCE,
	TICKET_TO_WITHDRAW, /* the old one still is in force */
	TICKET_WITHDRAWN,   /* neither is */
};

struct place_ticket {
	uint8_t bytes[ELISA_TICKET_SIZE]; /* that is in force, or will be; all 0: none */
	enum ticket_state state;
	bool of_no_vm; /* the port is not there: the ticket is one of random bytes, not kept */
	double due;    /* the next step, seconds of the daemon's clock */
	bool distrust; /* a guest that joins without an event may have an older ticket */
};

/* Of all ports of a configuration; all 0: the port has none. */
struct tickets {
	uint8_t of[MAX_PORTS][ELISA_TICKET_SIZE];
};

/* uplinks.c: the process of a port that is an interface. */
struct port_uplink {
	struct uplink_process process;
	char interface[IFNAMSIZ]; /* that it has, or had last */
	bool ending;		  /* it was told to end */
	double killed_at;	  /* then */
	double next;		  /* not started again before */
	double pause;
};

/* What the daemon knows of a place. */
struct port {
	uint64_t attachment; /* 0: none */
	enum vmnet_link link;
	/* Of a port with a ticket: its owner's, a VM that comes back with the same ticket. Of one
	 * without: this attachment's. */
	struct account account;
	bool waits;	   /* its VM is kept out: it may attach, and is not served */
	bool closed;	   /* by an operator: an attachment that has it is not served */
	bool dismissed;	   /* the attachment is not served any more, whatever it does */
	bool evict;	   /* the attachment has to go; tried until the host did it */
	bool broken;	   /* the switch's code failed at it: it is left alone */
	bool statics_owed; /* its static addresses are to be added */
	uint64_t ended;	   /* the last attachment whose end the switch has not heard of; 0: none */
	struct stop stop[VMNET_VCPUS]; /* of calls of which it has not heard */
	bool renewed;	    /* it goes down for a moment, to come up with another configuration */
	uint64_t stalls;    /* calls that were stopped while they held receive queues of others */
	uint64_t evictions; /* both since the daemon began */
	bool emptied;	    /* both are of a port that was removed, until the place is free */
	bool unserved;	    /* what the switch has counted there is of an owner before this one */
	struct limit limit; /* of what is said because of its VM */
	struct place_ticket ticket;
	struct port_uplink uplink;
};

struct daemon {
	struct config config;
	struct elisa *elisa;
	struct elisa_export *export_;
	struct elisa_extra_image *code;
	struct elisa_attachment *own; /* to our own export, for calls that manage the switch */
	struct vmnet_state *state;
	struct rvs *rvs;
	uint32_t vlans; /* at once, that it has room for */
	size_t size;	/* of both */
	struct port port[MAX_PORTS + 1];
	struct account newcomers; /* of the ports without a ticket, whose VMs have no names */
	double now;		  /* seconds of CLOCK_MONOTONIC, of this round */
	uint64_t lost_events;
	uint64_t failures; /* of libelisa's functions */
	bool over;	   /* one of them, for good: the daemon ends */
	bool owes;	   /* one that is to be tried again soon */
	bool deaf;	   /* events cannot be read: do not wait for them, look instead */
	bool rings_owed;   /* calls were aborted, attachments went: sleepers are to be rung */
	struct control control;
	struct captures captures;
	int bell; /* an eventfd: a guest wants us to look; -1: this VM has no doorbell */
};

/* Is a change of the ticket under way? Whatever attachment has the place came by the old one. */
static inline bool tickets_is_changing(const struct daemon *d, uint32_t place)
{
	return d->port[place].ticket.state != TICKET_IN_FORCE;
}

/* config.c: 0, or -1 after a message that names the file and what is wrong. */
int config_read(const char *file, struct config *config);
/* For how many ports a daemon of this configuration makes room; how many it has. */
uint32_t config_room(const struct config *config);
uint32_t config_ports(const struct config *config);
/* The place of the port with this name; 0: none. */
uint32_t config_place(const struct config *config, const char *name);
/* One more port, in a place that has none; 0: there is none. 0, or -1 after a complaint. */
int config_add(struct config *config, uint32_t place, json_object *object);
/* How many VLANs its ports are in. */
uint32_t config_vlans(const struct config *config);

/* library.c */
enum library_result {
	LIBRARY_DONE,
	LIBRARY_NONE,	/* nothing was to be done: there is no such attachment */
	LIBRARY_LATER,	/* not now, but later; said */
	LIBRARY_BROKEN, /* never, for this port; said */
	LIBRARY_OVER,	/* never: the daemon ends */
};
/* Calls the switch: an operation, its port, and what else it wants. */
enum library_result library_call(struct daemon *d, long op, uint32_t place, long a2, long a3,
				 long a4, long *value);
enum library_result library_evict(struct daemon *d, uint32_t place, uint64_t attachment);
/* From now on the place is for attachments by this ticket; all 0: for any. */
enum library_result library_ticket(struct daemon *d, uint32_t place,
				   const uint8_t ticket[ELISA_TICKET_SIZE]);
/* Takes the host's events. How many there were. */
int library_events(struct daemon *d);

/* ports.c */
void ports_event(struct daemon *d, const struct elisa_event *event);
/* A second has passed: what VMs owe is forgiven bit by bit. */
void ports_forgive(struct daemon *d);
/* Seconds for which its VM, or the next one, is not served; 0: it is. */
uint32_t ports_out(const struct daemon *d, uint32_t place);
/* Looks at all of them, and does what is still to be done. */
void ports_look(struct daemon *d);
/* Is what the switch has counted there of this port, of its owner, and of the VM that has it? */
bool ports_is_counted(const struct daemon *d, uint32_t place);
/* Would the switch drop whatever this port sends? */
bool ports_is_mute(const struct daemon *d, uint32_t place);
/* Another configuration, port by port in the same places, without a pause for those that stay the
 * same. */
void ports_reconfigure(struct daemon *d, const struct config *config,
		       const struct tickets *tickets);
/* The attachment that has the place, if any, is served no more, and goes. */
void ports_dismiss(struct daemon *d, uint32_t place);
/* An operator closes or opens it: whatever VM has it is not served while it is closed. */
void ports_close(struct daemon *d, uint32_t place, bool closed);
/* The attachment that has the place went, and no event said so. */
void ports_end_was_lost(struct daemon *d, uint32_t place);

/* tickets.c: which VM may have a port. */
/* The tickets in the files of a configuration; one is drawn and written where there is no file. 0,
 * or -1 after a message. */
int tickets_read(const struct config *config, struct tickets *tickets);
/* The same of one port, which must differ from those that are there. */
int tickets_read_one(const struct config *config, uint32_t place, struct tickets *tickets);
/* Those that the ports have, whatever is in their files by now. */
void tickets_kept(const struct daemon *d, struct tickets *tickets);
/* Those of a new export. 0, or -1 after a message. */
int tickets_begin(struct daemon *d, const struct tickets *tickets);
/* The place is for another ticket. False: it has this one. */
bool tickets_change(struct daemon *d, uint32_t place, const uint8_t ticket[ELISA_TICKET_SIZE]);
/* The place is for no VM. */
void tickets_close(struct daemon *d, uint32_t place);
/* Takes the next steps of all changes. */
void tickets_look(struct daemon *d);

/* uplinks.c: starts and ends what the configuration says, and looks at those that are there. */
void uplinks_look(struct daemon *d);
/* Ends all, and waits for that for a while. */
void uplinks_close(struct daemon *d);

/* commands.c: the reply to a request on the daemon's socket (control.h). */
char *commands_answer(void *daemon, const struct control_user *user, const char *line,
		      size_t length, int *file);

/* say.c: a line about a port, or, of place 0, about none; "elisa-vmnet: " before it in the
 * standard error. Too many are counted instead. */
void say(struct daemon *d, uint32_t place, int fd, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Says how many that were. Each second. */
void say_left_out(struct daemon *d);

/* reload.c: can the daemon go on with this configuration? If not, each key that keeps it from
 * that was named. */
bool reload_is_possible(const struct daemon *d, const struct config *new, const char *file);
/* Gives each port of the new configuration its place: by its name, or one that is free. */
void reload_arrange(const struct daemon *d, struct config *new);
/* The place for one more port: one that can be had at once, if there is one. 0: none. */
uint32_t reload_place(const struct daemon *d);
/* Is there room for all its VLANs? If not, that was complained of. */
bool reload_has_room(const struct daemon *d, const struct config *new);

/* report.c: the state and counters of a port, or of all, as JSON. */
json_object *report_port(const struct daemon *d, uint32_t place, bool with_queues);
json_object *report_ports(const struct daemon *d, bool with_queues);
/* "table": a part of the forwarding table, maybe an empty one; "next", if there may be more: where
 * the next part begins. */
json_object *report_table(const struct daemon *d, uint64_t from);
/* All counters as OpenMetrics text; NULL: there was no memory for it. */
json_object *report_metrics_text(const struct daemon *d);
/* The state of all ports and the whole table, into a file that appears whole. */
int report_write(const struct daemon *d, const char *file);
/* All counters as OpenMetrics text, in the same way. */
int report_metrics(const struct daemon *d, const char *file);
/* Prints such a file as a table. */
int report_show(const char *file);

#endif
