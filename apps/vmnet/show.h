/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of elisa-vmnet, from a file or from its socket, as tables for people. */
#ifndef VMNET_SHOW_H
#define VMNET_SHOW_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

/* Returns the list of ports in a report; NULL: it is no report, or its list is malformed. */
json_object *show_ports_of(json_object *root);
/* Returns a number in a report; 0: there is none of this name. */
uint64_t show_number(json_object *object, const char *key);
/* Returns the port's state in one word: closed, out, down, up, or the state of its uplink. */
const char *show_link(json_object *port);
void show_ports(FILE *to, json_object *ports);
/* Prints a list of addresses and their ports. */
void show_table(FILE *to, json_object *table);

#endif
