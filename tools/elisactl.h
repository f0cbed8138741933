/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of elisactl share. Everything that is shown is first built as JSON, so that the
 * text and --json can never say different things.
 */
#ifndef ELISACTL_H
#define ELISACTL_H

#include <json-c/json.h>

/* Items of {item, ok, found, todo}; *usable is set if all are ok. Looks at files below root. */
struct json_object *check_host(const char *root, int *usable);

#endif
