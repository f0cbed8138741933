/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client of the proxy: bytes from the client go in, bytes for the client come out. A session
 * knows nothing of sockets.
 *
 * A client is hostile. Whatever it sends, the memory of a session is bounded: SESSION_LINE_MAX
 * bytes for a command line, a value's bytes as they come, and for replies SESSION_REPLY_HIGH bytes
 * and one more value.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elisa/kv.h>
#include "meta.h"
#include "reply.h"
#include "tokens.h"

#define SESSION_LINE_MAX     2048
#define SESSION_REPLY_HIGH   (64u << 10) /* a client with more waiting replies must read first */
#define SESSION_STEPS	     128	 /* steps until other clients have their turns */
#define SESSION_TOKENS	     24
#define SESSION_KEYS_AT_ONCE 16 /* keys that one call looks up */

/* What all sessions share. Only one thread uses it. */
struct proxy {
	struct elisa_kv *kv;
	uint8_t *value; /* ELISA_KV_VALUE_MAX bytes, for a value on its way to a reply */
	const char *version;
	int64_t started; /* seconds of the wall clock */
	/* when all items are to be flushed, or when to try again; 0: no flush is due */
	int64_t flush_at;
	uint32_t connections, most_connections;
	uint64_t all_connections, refused_connections;
	uint64_t bytes_read, bytes_written;
};

enum session_state {
	SESSION_LINE,	   /* a command line is coming */
	SESSION_KEYS,	   /* keys of a "get" are served, and more may come */
	SESSION_VALUE,	   /* the bytes that a command line announced are coming */
	SESSION_SKIP,	   /* as SESSION_VALUE, but the bytes are dropped */
	SESSION_SKIP_LINE, /* the rest of a wrong line is dropped */
	SESSION_CLOSED	   /* nothing is read any more; waiting replies are sent */
};

/* The keys of one "get" or "gat". */
struct retrieval {
	int64_t ttl;
	size_t at;    /* the next key in the line */
	bool touches; /* the items get this ttl */
	bool shows_cas;
	bool has_ended; /* the line has its last key */
};

/* A value that is on its way to the store. The line stays as it is meanwhile. */
struct storage {
	struct elisa_kv_change put; /* without the value */
	struct meta meta;	    /* of "ms" */
	bool is_meta, is_quiet;
	bool needs_cas; /* the client gave a CAS number, which may be 0 */
	uint8_t *bytes;
	size_t have, room;
};

struct session {
	struct proxy *proxy;
	enum session_state state;
	bool is_last;	/* the session ends after the present command */
	bool has_more;	/* the session was stopped by SESSION_STEPS */
	uint32_t steps; /* of this turn */
	struct reply reply;
	struct retrieval retrieval;
	struct storage storage;
	uint64_t skip; /* bytes that are still to come and to be dropped */
	size_t line_length;
	char line[SESSION_LINE_MAX];
};

void session_init(struct session *session, struct proxy *proxy);
void session_free(struct session *session);

/* Serves no further command. A command with replies under way is completed. */
void session_end(struct session *session);

/*
 * Serves what it can of these bytes, which follow those that it took before. Returns how many it
 * took. It takes fewer while the client has to read its replies first, or if it has_more. Length 0:
 * continues with what it has.
 */
size_t session_feed(struct session *session, const void *bytes, size_t length);

/* Tells whether replies wait to be sent, or may come without further bytes. */
static inline bool session_is_behind(const struct session *session)
{
	return reply_length(&session->reply) || session->has_more;
}

/* Makes a flush that is due. */
void proxy_flush_due(struct proxy *proxy);

/* ------------------------------------------------------- only for the files of the commands */

/* text.c: runs the command in session->line. */
void text_run(struct session *session);
/* Begins a "get" with a line that is longer than SESSION_LINE_MAX. Returns false if the line is
 * another command's. */
bool text_run_long(struct session *session);
void text_get_and_touch(struct session *session, const struct token *key);
/* Gets these keys. Returns how many were served, or 0 after an answer that says why none was. */
size_t text_get_many(struct session *session, const struct token *keys, size_t count);
void text_stored(struct session *session, const uint8_t *value);

/* Expects the value that session->storage.put describes. */
void session_expect(struct session *session);
/* Drops the next bytes: a value of this length and its end of line. */
void session_skip(struct session *session, uint64_t length);
/* Handles a value, described by session->storage.put, that is too large for an item. */
void session_too_large(struct session *session);
/* Returns the error of a change with CAS number 0, which no item has: -ESTALE, or -ENOENT. */
int session_never_the_same(struct session *session, const void *key, size_t key_length);
/* Drops the rest of a "get". */
void session_skip_keys(struct session *session);

/* Converts a client's time to live to the library's. Clients give 0: for ever; below 0: expired; up
 * to 30 days: from now on; above: a time of the wall clock. */
int64_t session_ttl(int64_t given);

/* Answers with the line for a failure of the library. */
void session_failure(struct session *session, int error);

#endif
