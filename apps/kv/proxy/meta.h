/* SPDX-License-Identifier: Apache-2.0 */
/* The meta commands mg, ms, md, ma, me and mn: a key, flags of one letter, and a short answer. */
#ifndef PROXY_META_H
#define PROXY_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elisa/kv.h>
#include "tokens.h"

#define META_FLAGS 21

struct session;

/* The flags of a command, and their values. */
struct meta {
	struct token key; /* as it was sent */
	uint8_t key_bytes[ELISA_KV_KEY_MAX];
	size_t key_length;
	struct token flag[META_FLAGS]; /* in the order of the command, which the answer keeps */
	size_t flag_count;
	uint64_t given;		 /* bit c - 'A' is set if flag c was given */
	int64_t ttl, new_ttl;	 /* of the flags T, N */
	uint64_t cas, by, first; /* of the flags C, D, J */
	uint32_t flags;		 /* of the flag F */
	char mode;		 /* of the flag M; 0: not given */
};

/* Runs a meta command. Returns false if the first word is none. */
bool meta_run(struct session *session, const struct token *tokens, size_t count);

/* Stores the value of an "ms", which has come. */
void meta_stored(struct session *session, const uint8_t *value);

#endif
