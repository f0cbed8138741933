/* SPDX-License-Identifier: Apache-2.0 */
/* The meta commands, mg ms md ma me mn: a key, flags of one letter, and an answer as short. */
#ifndef PROXY_META_H
#define PROXY_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elisa/kv.h>
#include "tokens.h"

#define META_FLAGS 21

struct session;

/* The flags of a command, and what they say. */
struct meta {
	struct token key; /* as it was sent */
	uint8_t key_bytes[ELISA_KV_KEY_MAX];
	size_t key_length;
	struct token flag[META_FLAGS]; /* in their order, which the answer has as well */
	size_t flag_count;
	uint64_t given;		 /* bit c - 'A': flag c */
	int64_t ttl, new_ttl;	 /* T, N */
	uint64_t cas, by, first; /* C, D, J */
	uint32_t flags;		 /* F */
	char mode;		 /* M; 0: not given */
};

/* Is this a meta command, by its first word? Then it was run. */
bool meta_run(struct session *session, const struct token *tokens, size_t count);

/* The value of an "ms" is there. */
void meta_stored(struct session *session, const uint8_t *value);

#endif
