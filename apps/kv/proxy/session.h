/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client of the proxy: bytes that it sent go in, bytes to send it come out. A session knows
 * nothing of sockets. A client is hostile: whatever it sends, a session takes at most
 * SESSION_LINE_MAX bytes for a command line, a value's bytes as they come, and as replies
 * SESSION_REPLY_HIGH bytes and one more value.
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
#define SESSION_REPLY_HIGH   (64u << 10) /* then the client has to read before it is served again */
#define SESSION_STEPS	     128	 /* then other clients have their turns */
#define SESSION_TOKENS	     24
#define SESSION_KEYS_AT_ONCE 16 /* that one call looks up */

/* What all sessions share. One thread uses it. */
struct proxy {
	struct elisa_kv *kv;
	uint8_t *value; /* ELISA_KV_VALUE_MAX bytes, for what is on its way to a reply */
	const char *version;
	int64_t started;  /* seconds of the wall clock */
	int64_t flush_at; /* when all items are to go, or the next try; 0: they are not to go */
	uint32_t connections, most_connections;
	uint64_t all_connections, refused_connections;
	uint64_t bytes_read, bytes_written;
};

enum session_state {
	SESSION_LINE,	   /* a command line is coming */
	SESSION_KEYS,	   /* keys of a "get" are served, and more may come */
	SESSION_VALUE,	   /* the bytes that a command line announced are coming */
	SESSION_SKIP,	   /* the same, but they are not wanted */
	SESSION_SKIP_LINE, /* the rest of a wrong line */
	SESSION_CLOSED	   /* nothing is read any more; what waits is sent */
};

/* The keys of one "get" or "gat". */
struct retrieval {
	int64_t ttl;
	size_t at;    /* the next key in the line */
	bool touches; /* with this ttl */
	bool shows_cas;
	bool has_ended; /* the line has its last key */
};

/* A value that is on its way to the store. The line stays as it is meanwhile. */
struct storage {
	struct elisa_kv_change put; /* without the value */
	struct meta meta;	    /* of "ms" */
	bool is_meta, is_quiet;
	bool needs_cas; /* the client gave a CAS number, perhaps 0 */
	uint8_t *bytes;
	size_t have, room;
};

struct session {
	struct proxy *proxy;
	enum session_state state;
	bool is_last;	/* the command that is served: then the session ends */
	bool has_more;	/* it was stopped by SESSION_STEPS */
	uint32_t steps; /* of this turn */
	struct reply reply;
	struct retrieval retrieval;
	struct storage storage;
	uint64_t skip; /* bytes that are still to come */
	size_t line_length;
	char line[SESSION_LINE_MAX];
};

void session_init(struct session *session, struct proxy *proxy);
void session_free(struct session *session);

/* No other command is served; one whose replies are under way comes to its end. */
void session_end(struct session *session);

/*
 * Serves what it can of these bytes, which follow those it took before. Returns how many it took:
 * fewer while the client has to read its replies first, or if it has_more. Length 0: goes on with
 * what it has.
 */
size_t session_feed(struct session *session, const void *bytes, size_t length);

/* Replies wait to be sent, or perhaps to be made without further bytes. */
static inline bool session_is_behind(const struct session *session)
{
	return reply_length(&session->reply) || session->has_more;
}

/* A flush whose time has come is made. */
void proxy_flush_due(struct proxy *proxy);

/* ------------------------------------------------------- for the files of the commands alone */

/* text.c: the command in session->line. */
void text_run(struct session *session);
/* A "get" whose line is longer than SESSION_LINE_MAX; false: the line is of another command. */
bool text_run_long(struct session *session);
void text_get_and_touch(struct session *session, const struct token *key);
/* How many of these keys were served, or 0: none, and it was said why. */
size_t text_get_many(struct session *session, const struct token *keys, size_t count);
void text_stored(struct session *session, const uint8_t *value);

/* The value of session->storage.put follows. */
void session_expect(struct session *session);
/* So many bytes of a value and its end of line follow, and are not wanted. */
void session_skip(struct session *session, uint64_t length);
/* The value that session->storage.put announces is too large for an item. */
void session_too_large(struct session *session);
/* What a change gives whose CAS number is 0, which is no item's: -ESTALE, or -ENOENT. */
int session_never_the_same(struct session *session, const void *key, size_t key_length);
/* The rest of a "get" is not wanted. */
void session_skip_keys(struct session *session);

/* A time to live as clients give it (0: for ever, below: gone, up to 30 days: from now on, above:
 * a time of the wall clock) as the library wants it. */
int64_t session_ttl(int64_t given);

/* The line for a failure of the library. */
void session_failure(struct session *session, int error);

#endif
