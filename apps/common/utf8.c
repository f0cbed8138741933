/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#include "utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

size_t utf8_character(const char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *byte = (const uint8_t *)text;
	const size_t length = *byte < 0x80 ? 1 :
			      *byte < 0xc0 ? 0 :
			      *byte < 0xe0 ? 2 :
			      *byte < 0xf0 ? 3 :
			      *byte < 0xf8 ? 4 :
					     0;
	uint32_t value;

	if (length < 2)
		return length;
	value = *byte & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return length;
}

bool utf8_is_text(const char *text)
{
	while (*text) {
		const size_t length = utf8_character(text);

		if (!length || (uint8_t)*text < 0x20 || *text == 0x7f)
			return false;
		text += length;
	}
	return true;
}

json_object *utf8_json(const char *text)
{
	char *valid = malloc(strlen(text) * (sizeof(REPLACEMENT) - 1) + 1), *to = valid;
	json_object *string;

	if (!valid)
		return NULL;
	while (*text) {
		const size_t length = utf8_character(text);

		if (length) {
			memcpy(to, text, length);
			to += length;
			text += length;
		} else {
			to = stpcpy(to, REPLACEMENT);
			text++;
		}
	}
	*to = 0;
	string = json_object_new_string(valid);
	free(valid);
	return string;
}
