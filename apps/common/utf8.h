/* SPDX-License-Identifier: Apache-2.0 */
/* Names and paths are bytes; JSON (RFC 8259) is UTF-8. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <json-c/json.h>
#include <stdbool.h>

/* Bytes of the character that text, which ends with a 0, begins with; 0: none. The end is a
 * character of one byte. */
size_t utf8_character(const char *text);

/* Is it UTF-8 (RFC 3629), without control characters? */
bool utf8_is_text(const char *text);

/* A string of JSON; each byte that is no part of UTF-8 becomes U+FFFD. */
json_object *utf8_json(const char *text);

#endif
