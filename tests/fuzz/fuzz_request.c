/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_request: any line that a peer of elisa-vmnet's socket may send. It is a request that makes
 * sense in all its parts, or it is refused with a reason; and a port that is added is one that the
 * daemon's configuration could have had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "complain.h"
#include "daemon.h"
#include "request.h"
#include "utf8.h"

#define MUST(condition)                                                         \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			abort();                                                \
		}                                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_port(const struct config *config)
{
	const struct port_config *port = &config->port[1];

	MUST(config_has(config, 1) && config_has(config, 2));
	MUST(strlen(port->name) < MAX_NAME && utf8_is_text(port->name));
	MUST(strcmp(port->name, "first"));
	MUST(strlen(port->ticket_file) < sizeof(port->ticket_file));
	MUST(port->is_open || port->uplink[0] ||
	     (port->ticket_file[0] && rvif_mac_is_station(port->policy.mac)));
	MUST(port->static_count <= MAX_STATICS && port->policy.vlan <= RVS_MAX_VLAN);
}

static void add(json_object *object)
{
	static struct config config;
	char why[512];

	memset(&config, 0, sizeof(config));
	config.port_count = 2;
	strcpy(config.port[0].name, "first");
	config.port[0].is_open = true;
	complain_to(why, sizeof(why));
	if (config_add(&config, 2, object))
		MUST(why[0] && !config_has(&config, 2));
	else
		check_port(&config);
	complain_to(NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), why[256] = "";
	struct request request;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (request_read(text, size, &request, why, sizeof(why))) {
		MUST(why[0] && strlen(why) < sizeof(why));
	} else {
		MUST(request.command < REQUEST_COMMANDS);
		MUST(strlen(request.port) < REQUEST_NAME && utf8_is_text(request.port));
		MUST(!request.from || request.command == REQUEST_TABLE);
		MUST(!request.config == (request.command != REQUEST_ADD));
	}
	if (request.config)
		add(request.config);
	json_object_put(request.config);
	free(text);
	return 0;
}
