/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a command line, and their meaning. A word is bytes of the line, without a final
 * NUL. */
#ifndef PROXY_TOKENS_H
#define PROXY_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct token {
	const char *text;
	size_t length;
};

/* Returns the next word of a line from *at on, and moves *at behind it. Length 0: there is none. */
struct token token_next(const char *line, size_t length, size_t *at);

/* Splits a line into words, up to `room`. Returns their number, or room + 1 if there are more. */
size_t tokens_split(const char *line, size_t length, struct token *tokens, size_t room);

bool token_is(const struct token *token, const char *word);

/* Read decimal numbers. Return false if the word is something else, or the number is above
 * `most`. */
bool token_number(const struct token *token, uint64_t most, uint64_t *number);
bool token_signed(const struct token *token, int64_t *number);

/* Decodes a word in base64 (RFC 4648, with padding). Returns false if it is none, or has more bytes
 * than `room`. */
bool token_base64(const struct token *token, uint8_t *bytes, size_t room, size_t *length);

#endif
