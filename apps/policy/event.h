/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the module's (struct elisa_host_event) in words. */
#ifndef POLICY_EVENT_H
#define POLICY_EVENT_H

#include <stddef.h>
#include <json-c/json.h>
#include <elisa/host_ioctl.h>

/* An object with what the kind of event has, in this order. */
json_object *event_json(const struct elisa_host_event *event);

/* The same in a line: "attached pid=12 vm=1 ..." */
void event_text(const struct elisa_host_event *event, char *text, size_t size);

#endif
