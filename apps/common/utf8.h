/* SPDX-License-Identifier: Apache-2.0 */
/* Names and paths are bytes, but JSON (RFC 8259) is UTF-8. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <json-c/json.h>
#include <stdbool.h>

/* Returns the bytes of the first character of the text, which ends with a NUL; 0: it is not valid.
 * The final NUL is a character of one byte. */
size_t utf8_character(const char *text);

/* Tells whether the text is UTF-8 (RFC 3629), without control characters. */
bool utf8_is_text(const char *text);

/* Returns a JSON string. Each byte that is not part of valid UTF-8 becomes U+FFFD. */
json_object *utf8_json(const char *text);

#endif
