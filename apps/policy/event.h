/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the module (struct elisa_host_event) in words. */
#ifndef POLICY_EVENT_H
#define POLICY_EVENT_H

#include <stddef.h>
#include <json-c/json.h>
#include <elisa/host_ioctl.h>

/* Returns an object with what this kind of event has, in a fixed order. */
json_object *event_json(const struct elisa_host_event *event);

/* Writes the event as a line: "attached pid=12 vm=1 ..." */
void event_text(const struct elisa_host_event *event, char *text, size_t size);

#endif
