/* SPDX-License-Identifier: Apache-2.0 */
/* Words are separated by spaces only. No function here reads beyond a line's length. */
#include "tokens.h"

#include <string.h>

struct token token_next(const char *line, size_t length, size_t *at)
{
	struct token token;

	while (*at < length && line[*at] == ' ')
		++*at;
	token.text = line + *at;
	while (*at < length && line[*at] != ' ')
		++*at;
	token.length = (size_t)(line + *at - token.text);
	return token;
}

size_t tokens_split(const char *line, size_t length, struct token *tokens, size_t room)
{
	size_t at = 0, count = 0;

	for (;;) {
		const struct token token = token_next(line, length, &at);

		if (!token.length)
			return count;
		if (count == room)
			return room + 1;
		tokens[count++] = token;
	}
}

bool token_is(const struct token *token, const char *word)
{
	return token->length == strlen(word) && !memcmp(token->text, word, token->length);
}

bool token_number(const struct token *token, uint64_t most, uint64_t *number)
{
	uint64_t sum = 0;

	if (!token->length)
		return false;
	for (size_t i = 0; i < token->length; i++) {
		const unsigned digit = (unsigned char)token->text[i] - '0';

		if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = 10 * sum + digit;
	}
	*number = sum;
	return sum <= most;
}

bool token_signed(const struct token *token, int64_t *number)
{
	const bool is_negative = token->length && token->text[0] == '-';
	const struct token digits = {token->text + is_negative, token->length - is_negative};
	uint64_t size;

	if (!token_number(&digits, INT64_MAX, &size))
		return false;
	*number = is_negative ? -(int64_t)size : (int64_t)size;
	return true;
}

/* Returns the six bits of a base64 character; 64: it is none. */
static unsigned sextet(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(alphabet, c) : NULL;

	return found ? (unsigned)(found - alphabet) : 64;
}

bool token_base64(const struct token *token, uint8_t *bytes, size_t room, size_t *length)
{
	size_t characters = token->length, out = 0;

	if (!characters || characters % 4)
		return false;
	for (int padding = 0; padding < 2 && token->text[characters - 1] == '='; padding++)
		characters--;
	for (size_t i = 0; i < characters; i += 4) {
		const size_t count = characters - i < 4 ? characters - i : 4;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			const unsigned six = k < count ? sextet(token->text[i + k]) : 0;

			if (six > 63)
				return false;
			bits = bits << 6 | six;
		}
		/* bits that belong to no byte must be 0, so that a key has only one form */
		if (count < 2 || (count < 4 && bits & (count == 2 ? 0xffff : 0xff)) ||
		    out + count - 1 > room)
			return false;
		for (size_t k = 0; k + 1 < count; k++)
			bytes[out++] = (uint8_t)(bits >> (16 - 8 * k));
	}
	*length = out;
	return true;
}
