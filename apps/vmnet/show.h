/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of elisa-vmnet, from a file or from its socket, as tables for people. */
#ifndef VMNET_SHOW_H
#define VMNET_SHOW_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

/* The list of ports in a report; NULL: it is no report, or its list of ports is none. */
json_object *show_ports_of(json_object *root);
/* A number in a report; 0: it has none of this name. */
uint64_t show_number(json_object *object, const char *key);
/* In a word: closed, out, up or down. */
const char *show_link(json_object *port);
void show_ports(FILE *to, json_object *ports);
/* A list of addresses and where they are. */
void show_table(FILE *to, json_object *table);

#endif
