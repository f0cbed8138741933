/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of events in a session: a line, and a value if the line announces one. Each step takes
 * some of the bytes that came, or continues with what it has. A step that can do neither ends the
 * round.
 *
 * Before each step, the session checks whether the client reads its replies. A client that does not
 * is not served, and takes no more memory. If a client's commands have no replies, their number
 * limits the client. A step is one call of the store at most, or a few if other callers overtake
 * it. Several keys that one call looks up count as so many steps.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_VALUE 2048 /* bytes of memory at first, for a value that comes in parts */
#define MONTH	    (30 * 24 * 3600)

void session_init(struct session *session, struct proxy *proxy)
{
	memset(session, 0, offsetof(struct session, line));
	session->proxy = proxy;
}

void session_free(struct session *session)
{
	free(session->storage.bytes);
	session->storage.bytes = NULL;
	reply_free(&session->reply);
}

void session_end(struct session *session)
{
	if (session->state == SESSION_KEYS && session->retrieval.has_ended) {
		session->is_last = true;
	} else {
		session->state = SESSION_CLOSED;
		session->has_more = false;
	}
}

int64_t session_ttl(int64_t given)
{
	int64_t now;

	if (given <= MONTH)
		return given < 0 ? -1 : given;
	now = time(NULL);
	return given > now ? given - now : -1;
}

void session_failure(struct session *session, int error)
{
	const char *text;

	switch (-error) {
	case EFBIG:
		text = "object too large for cache";
		break;
	case ENOMEM:
	case ENOSPC:
		text = "out of memory storing object";
		break;
	case EDQUOT:
		text = "out of memory storing object: the share of this VM is used up";
		break;
	case EACCES:
	case EPERM:
		text = "not permitted to this VM";
		break;
	case ENOTCONN:
		text = "there is no store at present";
		break;
	case EBUSY:
		text = "the store is busy, try again";
		break;
	case EIO:
		text = "the operation was ended half-way, it has happened or has not";
		break;
	default:
		text = strerrordesc_np(-error);
	}
	reply_print(&session->reply, "SERVER_ERROR %s\r\n", text ? text : "unknown");
}

/* ----------------------------------------------------------------------------------- lines */

/* Takes bytes up to the end of a line, or as many as there is room for. Returns true if the line
 * has its end. */
static bool take_line(struct session *session, const char *bytes, size_t length, size_t *taken)
{
	const size_t room = sizeof(session->line) - session->line_length;
	const char *end = memchr(bytes, '\n', length);
	size_t part = end ? (size_t)(end - bytes) : length;
	const bool fits = part <= room;

	if (!fits)
		part = room;
	memcpy(session->line + session->line_length, bytes, part);
	session->line_length += part;
	*taken = part + (end && fits);
	if (!end || !fits)
		return false;
	if (session->line_length && session->line[session->line_length - 1] == '\r')
		session->line_length--;
	return true;
}

static bool step_line(struct session *session, const char *bytes, size_t length, size_t *taken)
{
	if (take_line(session, bytes, length, taken)) {
		session->state = SESSION_LINE;
		text_run(session);
		if (session->state == SESSION_LINE)
			session->line_length = 0;
		return true;
	}
	if (session->line_length == sizeof(session->line) && !text_run_long(session)) {
		reply_text(&session->reply, "CLIENT_ERROR line too long\r\n");
		session->state = SESSION_CLOSED;
	}
	return *taken;
}

static bool step_skip_line(struct session *session, const char *bytes, size_t length, size_t *taken)
{
	const char *end = memchr(bytes, '\n', length);

	*taken = end ? (size_t)(end - bytes) + 1 : length;
	if (end)
		session->state = SESSION_LINE;
	return *taken;
}

/* ------------------------------------------------------------------------------------ keys */

void session_skip_keys(struct session *session)
{
	session->line_length = 0;
	session->state = session->is_last	      ? SESSION_CLOSED :
			 session->retrieval.has_ended ? SESSION_LINE :
							SESSION_SKIP_LINE;
}

/* Takes more keys, and puts them behind those that are not served yet. */
static void take_keys(struct session *session, const char *bytes, size_t length, size_t *taken)
{
	struct retrieval *retrieval = &session->retrieval;

	memmove(session->line, session->line + retrieval->at, session->line_length - retrieval->at);
	session->line_length -= retrieval->at;
	retrieval->at = 0;
	retrieval->has_ended = take_line(session, bytes, length, taken);
}

/* Tells whether a key that ends here may continue with bytes that are still to come. */
static bool may_go_on(const struct session *session, const struct token *key, size_t end)
{
	return !session->retrieval.has_ended && end == session->line_length &&
	       key->length <= ELISA_KV_KEY_MAX + 1;
}

/* Gets this key, and the keys behind it that have come. */
static void get_keys(struct session *session, const struct token *first)
{
	struct retrieval *retrieval = &session->retrieval;
	struct token keys[SESSION_KEYS_AT_ONCE] = {*first};
	size_t end[SESSION_KEYS_AT_ONCE] = {retrieval->at}, count = 1, next = retrieval->at;

	while (count < SESSION_KEYS_AT_ONCE && first->length <= ELISA_KV_KEY_MAX) {
		keys[count] = token_next(session->line, session->line_length, &next);
		if (!keys[count].length || keys[count].length > ELISA_KV_KEY_MAX ||
		    may_go_on(session, &keys[count], next))
			break;
		end[count++] = next;
	}
	count = text_get_many(session, keys, count);
	if (count) {
		retrieval->at = end[count - 1];
		session->steps += (uint32_t)count - 1;
	}
}

/* Serves the next keys. A key at the end of what has come may be incomplete, or have the '\r' of
 * the line's end. */
static bool step_keys(struct session *session, const char *bytes, size_t length, size_t *taken)
{
	struct retrieval *retrieval = &session->retrieval;
	size_t next = retrieval->at;
	struct token key = token_next(session->line, session->line_length, &next);

	if (may_go_on(session, &key, next)) {
		/* drop spaces in front of it: they could fill the line, and then nothing more could
		 * be taken */
		retrieval->at = next - key.length;
		if (length)
			take_keys(session, bytes, length, taken);
		return *taken;
	}
	retrieval->at = next;
	if (key.length && !retrieval->touches) {
		get_keys(session, &key);
	} else if (key.length) {
		text_get_and_touch(session, &key);
	} else {
		reply_text(&session->reply, "END\r\n");
		session_skip_keys(session);
	}
	return true;
}

/* ---------------------------------------------------------------------------------- values */

void session_expect(struct session *session)
{
	session->state = SESSION_VALUE;
	session->storage.have = 0;
}

void session_skip(struct session *session, uint64_t length)
{
	session->skip = length + 2;
	session->state = SESSION_SKIP;
}

static bool step_skip(struct session *session, size_t length, size_t *taken)
{
	*taken = length < session->skip ? length : (size_t)session->skip;
	session->skip -= *taken;
	if (session->skip)
		return *taken;
	session->state = SESSION_LINE;
	session->line_length = 0;
	return true;
}

/*
 * Handles a value that is too large for an item. The present item is older than what the client
 * wanted to store, so it goes. If the client gave a CAS number, it wanted to change one certain
 * item, and the key may have another item now.
 */
void session_too_large(struct session *session)
{
	const struct elisa_kv_change *put = &session->storage.put;

	session_failure(session, -EFBIG);
	if (put->mode == ELISA_KV_SET && !session->storage.needs_cas)
		elisa_kv_delete(session->proxy->kv, put->key, put->key_length, 0);
}

int session_never_the_same(struct session *session, const void *key, size_t key_length)
{
	const int error = elisa_kv_get(session->proxy->kv, key, key_length, NULL, 0, NULL);

	return error ? error : -ESTALE;
}

/* Handles a value that was longer than its command said. The rest of its line is no command. */
static void bad_chunk(struct session *session, bool line_has_ended)
{
	reply_text(&session->reply, "CLIENT_ERROR bad data chunk\r\n");
	if (!line_has_ended)
		session->state = SESSION_SKIP_LINE;
}

/* Handles a complete value with its end of line. */
static void have_value(struct session *session, const uint8_t *bytes)
{
	struct storage *storage = &session->storage;
	const uint8_t *end = bytes + storage->put.length;

	session->state = SESSION_LINE;
	if (end[0] != '\r' || end[1] != '\n')
		bad_chunk(session, end[1] == '\n');
	else if (storage->is_meta)
		meta_stored(session, bytes);
	else
		text_stored(session, bytes);
	session->line_length = 0;
	free(storage->bytes);
	storage->bytes = NULL;
	storage->room = 0;
}

/* Keeps a part of a value. Memory grows with the bytes that came, not with the length that was
 * announced. */
static bool keep_part(struct storage *storage, const void *bytes, size_t length, size_t all)
{
	size_t room = storage->room ? storage->room : FIRST_VALUE;
	uint8_t *grown;

	while (room < storage->have + length)
		room *= 2;
	if (room > all)
		room = all;
	if (room != storage->room) {
		grown = realloc(storage->bytes, room);
		if (!grown)
			return false;
		storage->bytes = grown;
		storage->room = room;
	}
	memcpy(storage->bytes + storage->have, bytes, length);
	storage->have += length;
	return true;
}

static bool step_value(struct session *session, const void *bytes, size_t length, size_t *taken)
{
	struct storage *storage = &session->storage;
	const size_t all = storage->put.length + 2;
	const size_t missing = all - storage->have;

	*taken = length < missing ? length : missing;
	if (!storage->have && *taken == all) {
		have_value(session, bytes);
	} else if (!*taken) {
		return false;
	} else if (!keep_part(storage, bytes, *taken, all)) {
		session_failure(session, -ENOMEM);
		session->skip = missing - *taken;
		session->state = SESSION_SKIP;
		free(storage->bytes);
		storage->bytes = NULL;
		storage->room = 0;
	} else if (storage->have == all) {
		have_value(session, storage->bytes);
	}
	return true;
}

/* ------------------------------------------------------------------------------------ feed */

/* Does one step. Returns true if it took bytes or did something. */
static bool step(struct session *session, const char *bytes, size_t length, size_t *taken)
{
	*taken = 0;
	switch (session->state) {
	case SESSION_LINE:
		return length && step_line(session, bytes, length, taken);
	case SESSION_KEYS:
		return step_keys(session, bytes, length, taken);
	case SESSION_VALUE:
		return step_value(session, bytes, length, taken);
	case SESSION_SKIP:
		return step_skip(session, length, taken);
	case SESSION_SKIP_LINE:
		return length && step_skip_line(session, bytes, length, taken);
	case SESSION_CLOSED:
		break;
	}
	return false;
}

size_t session_feed(struct session *session, const void *bytes, size_t length)
{
	const char *from = bytes;
	size_t all = 0, taken;

	session->steps = 0;
	while (session->steps < SESSION_STEPS &&
	       reply_length(&session->reply) < SESSION_REPLY_HIGH &&
	       step(session, from + all, length - all, &taken)) {
		all += taken;
		session->steps++;
	}
	session->has_more = session->steps >= SESSION_STEPS;
	if (session->reply.failed)
		session->state = SESSION_CLOSED;
	return all;
}
