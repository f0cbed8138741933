/* SPDX-License-Identifier: Apache-2.0 */
/* Uplinks without interfaces and threads, for tests of the daemon; see fake_manager.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rvif/elisa.h>
#include "fake_manager.h"

struct uplink {
	char name[IFNAMSIZ];
};

const struct rvif_transport rvif_over_elisa = {.name = "none"};

const char *rvif_elisa_error(void)
{
	return "no ELISA here";
}

int uplink_is_name(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ && !strchr(name, ' ');
}

int uplink_open(struct uplink **uplink, const char *interface,
		const struct rvif_transport *transport, const char *where, uint64_t most_bytes,
		const char **what)
{
	(void)transport;
	(void)most_bytes;
	fake.uplinks_opened++;
	*what = UPLINK_SOCKET;
	if (fake.uplinks_fail)
		return -EPERM;
	memset(fake.uplink_ticket, 0, sizeof(fake.uplink_ticket));
	*what = UPLINK_VNIC;
	if (rvif_read_hex(where, fake.uplink_ticket, sizeof(fake.uplink_ticket)))
		return -EINVAL;
	*uplink = calloc(1, sizeof(**uplink));
	strcpy((*uplink)->name, interface);
	fake.uplinks++;
	return 0;
}

void uplink_close(struct uplink *uplink)
{
	fake.uplinks--;
	free(uplink);
}

const char *uplink_look(struct uplink *uplink, double now)
{
	(void)uplink;
	(void)now;
	return fake.uplink_says;
}

const char *uplink_interface(const struct uplink *uplink)
{
	return uplink->name;
}

void uplink_report(json_object *port, const struct uplink *uplink)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "interface", json_object_new_string(uplink->name));
	json_object_object_add(object, "state", json_object_new_string("gone"));
	json_object_object_add(port, "uplink", object);
}

void uplink_metrics(FILE *to, const struct see *see,
		    const struct uplink *(*of)(const void *owner, uint32_t port))
{
	(void)to;
	(void)see;
	(void)of;
}
