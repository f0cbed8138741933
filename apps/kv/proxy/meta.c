/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meta commands of memcached 1.6. An answer repeats the flags that ask for something, in the
 * order of the command. The store has no stale items, and does not know which client is to renew an
 * item, or when an item was last read. Flags that need this (I, N and R of "mg", h, l, u) are
 * refused by name.
 */
#include "meta.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "session.h"

#define OPAQUE_MOST 32	/* with its letter */
#define TRIES	    100 /* for a change that other callers overtake */

static uint64_t bit(char flag)
{
	return flag >= 'A' && flag <= 'z' ? UINT64_C(1) << (flag - 'A') : 0;
}

static bool has(const struct meta *meta, char flag)
{
	return meta->given & bit(flag);
}

/* --------------------------------------------------------------------------------- reading */

static bool read_ttl(const struct token *value, int64_t *ttl)
{
	int64_t given;

	if (!token_signed(value, &given))
		return false;
	*ttl = session_ttl(given);
	return true;
}

/* Reads a flag's value into the field that it sets. Returns false if the value is wrong. */
static bool read_value(struct meta *meta, char flag, const struct token *value)
{
	uint64_t number;

	switch (flag) {
	case 'T':
		return read_ttl(value, &meta->ttl);
	case 'N':
		return read_ttl(value, &meta->new_ttl);
	case 'C':
		return token_number(value, UINT64_MAX, &meta->cas);
	case 'D':
		return token_number(value, UINT64_MAX, &meta->by);
	case 'J':
		return token_number(value, UINT64_MAX, &meta->first);
	case 'F':
		if (!token_number(value, UINT32_MAX, &number))
			return false;
		meta->flags = (uint32_t)number;
		return true;
	case 'M':
		meta->mode = value->length ? value->text[0] : 0;
		return value->length;
	}
	return true;
}

static const char *read_flag(struct meta *meta, const struct token *flag, const char *allowed)
{
	const char letter = flag->text[0];
	const struct token value = {flag->text + 1, flag->length - 1};

	/* hints for other proxies */
	if (letter == 'P' || letter == 'L')
		return NULL;
	if (!bit(letter) || !strchr(allowed, letter))
		return "invalid flag";
	if (has(meta, letter))
		return "duplicate flag";
	if (letter == 'O' && flag->length > OPAQUE_MOST)
		return "opaque token too long";
	if (!read_value(meta, letter, &value))
		return "bad token in command line format";
	meta->given |= bit(letter);
	meta->flag[meta->flag_count++] = *flag;
	return NULL;
}

static const char *read_key(struct meta *meta)
{
	if (!meta->key.length || meta->key.length > ELISA_KV_KEY_MAX)
		return "bad command line format";
	if (has(meta, 'b')) {
		if (!token_base64(&meta->key, meta->key_bytes, sizeof(meta->key_bytes),
				  &meta->key_length))
			return "error decoding key";
		return NULL;
	}
	memcpy(meta->key_bytes, meta->key.text, meta->key.length);
	meta->key_length = meta->key.length;
	return NULL;
}

/* Reads key and flags of a command, which may have the flags `allowed`. Returns false, after an
 * answer, if something is wrong. */
static bool read_meta(struct session *session, const struct token *tokens, size_t count,
		      size_t first_flag, const char *allowed, struct meta *meta)
{
	const char *wrong = NULL;

	*meta = (struct meta){.by = 1};
	if (count > first_flag + META_FLAGS) {
		wrong = "options flags are too long";
	} else {
		meta->key = tokens[1];
		for (size_t i = first_flag; i < count && !wrong; i++)
			wrong = read_flag(meta, &tokens[i], allowed);
		if (!wrong)
			wrong = read_key(meta);
	}
	if (wrong)
		reply_print(&session->reply, "CLIENT_ERROR %s\r\n", wrong);
	return !wrong;
}

/* ------------------------------------------------------------------------------- answering */

/* Adds what the flags ask for. item NULL: there is no item to describe. */
static void answer_flags(struct session *session, const struct meta *meta,
			 const struct elisa_kv_item *item)
{
	struct reply *reply = &session->reply;

	for (size_t i = 0; i < meta->flag_count; i++) {
		const struct token *flag = &meta->flag[i];
		const char letter = flag->text[0];

		if (letter == 'O') {
			reply_text(reply, " ");
			reply_add(reply, flag->text, flag->length);
		} else if (letter == 'k') {
			reply_text(reply, " k");
			reply_add(reply, meta->key.text, meta->key.length);
			reply_text(reply, has(meta, 'b') ? " b" : "");
		} else if (letter == 'c' && item) {
			reply_print(reply, " c%llu", (unsigned long long)item->cas);
		} else if (letter == 'f' && item) {
			reply_print(reply, " f%u", item->flags);
		} else if (letter == 's' && item) {
			reply_print(reply, " s%zu", item->length);
		} else if (letter == 't' && item) {
			reply_print(reply, " t%lld",
				    item->ttl == ELISA_KV_FOREVER ? -1ll : (long long)item->ttl);
		}
	}
	reply_text(reply, "\r\n");
}

static void answer(struct session *session, const struct meta *meta, const char *code,
		   const struct elisa_kv_item *item)
{
	reply_text(&session->reply, code);
	answer_flags(session, meta, item);
}

static void answer_value(struct session *session, const struct meta *meta,
			 const struct elisa_kv_item *item, const void *value, size_t length)
{
	reply_print(&session->reply, "VA %zu", length);
	answer_flags(session, meta, item);
	reply_add(&session->reply, value, length);
	reply_text(&session->reply, "\r\n");
}

/* Answers that a change did not happen, in the codes of "ms", "md" and "ma". */
static void answer_failure(struct session *session, const struct meta *meta, int error)
{
	if (error == -ENOENT)
		answer(session, meta, "NF", NULL);
	else if (error == -EEXIST)
		answer(session, meta, "NS", NULL);
	else if (error == -ESTALE)
		answer(session, meta, "EX", NULL);
	else if (error == -EDOM)
		reply_text(&session->reply, "CLIENT_ERROR cannot increment or decrement "
					    "non-numeric value\r\n");
	else
		session_failure(session, error);
}

/* -------------------------------------------------------------------------------- commands */

static void get(struct session *session, const struct token *tokens, size_t count)
{
	uint8_t *value = session->proxy->value;
	struct elisa_kv *kv = session->proxy->kv;
	struct elisa_kv_item item;
	struct meta meta;
	size_t room;
	int error;

	if (!read_meta(session, tokens, count, 2, "bcfkOqstvT", &meta))
		return;
	room = has(&meta, 'v') ? ELISA_KV_VALUE_MAX : 0;
	error = has(&meta, 'T') ?
			elisa_kv_get_and_touch(kv, meta.key_bytes, meta.key_length, meta.ttl, value,
					       room, &item) :
			elisa_kv_get(kv, meta.key_bytes, meta.key_length, value, room, &item);
	if (error == -ENOENT) {
		if (!has(&meta, 'q'))
			answer(session, &meta, "EN", NULL);
	} else if (error) {
		session_failure(session, error);
	} else if (room) {
		answer_value(session, &meta, &item, value, item.length);
	} else {
		answer(session, &meta, "HD", &item);
	}
}

static bool read_mode(const struct meta *meta, enum elisa_kv_mode *mode)
{
	switch (meta->mode) {
	case 0:
	case 'S':
	case 's':
		*mode = ELISA_KV_SET;
		return true;
	case 'E':
	case 'e':
		*mode = ELISA_KV_ADD;
		return true;
	case 'R':
	case 'r':
		*mode = ELISA_KV_REPLACE;
		return true;
	case 'A':
	case 'a':
		*mode = ELISA_KV_APPEND;
		return true;
	case 'P':
	case 'p':
		*mode = ELISA_KV_PREPEND;
		return true;
	}
	return false;
}

static void set(struct session *session, const struct token *tokens, size_t count)
{
	struct storage *storage = &session->storage;
	struct meta *meta = &storage->meta;
	enum elisa_kv_mode mode = ELISA_KV_SET;
	uint64_t length;

	if (count < 3 || !token_number(&tokens[2], INT32_MAX - 2, &length)) {
		reply_text(&session->reply, "CLIENT_ERROR bad command line format\r\n");
		return;
	}
	if (!read_meta(session, tokens, count, 3, "bcCFkOqTM", meta)) {
		session_skip(session, length);
		return;
	}
	if (!read_mode(meta, &mode)) {
		reply_text(&session->reply, "CLIENT_ERROR invalid mode for ms M token\r\n");
		session_skip(session, length);
		return;
	}
	storage->is_meta = true;
	/* the other modes depend on whether there is an item, and a number of 0 changes nothing for
	 * them */
	storage->needs_cas = has(meta, 'C') && (mode == ELISA_KV_SET || mode == ELISA_KV_REPLACE);
	storage->put = (struct elisa_kv_change){.key = meta->key_bytes,
						.key_length = meta->key_length,
						.length = length,
						.mode = mode,
						.flags = meta->flags,
						.ttl = meta->ttl,
						.cas = meta->cas};
	if (length > ELISA_KV_VALUE_MAX) {
		session_too_large(session);
		session_skip(session, length);
		return;
	}
	session_expect(session);
}

void meta_stored(struct session *session, const uint8_t *value)
{
	struct storage *storage = &session->storage;
	const struct meta *meta = &storage->meta;
	struct elisa_kv_item item = {0};
	int error;

	storage->put.value = value;
	error = storage->needs_cas && !meta->cas ?
			session_never_the_same(session, meta->key_bytes, meta->key_length) :
			elisa_kv_put(session->proxy->kv, &storage->put, &item.cas);
	/* only a CAS number reports a missing item; a mode reports that nothing was stored */
	if (error == -ENOENT && !storage->needs_cas && storage->put.mode != ELISA_KV_SET)
		error = -EEXIST;
	if (error)
		answer_failure(session, meta, error);
	else if (!has(meta, 'q'))
		answer(session, meta, "HD", &item);
}

static void delete_item(struct session *session, const struct token *tokens, size_t count)
{
	struct meta meta;
	int error;

	if (!read_meta(session, tokens, count, 2, "bCkOq", &meta))
		return;
	error = has(&meta, 'C') && !meta.cas ?
			session_never_the_same(session, meta.key_bytes, meta.key_length) :
			elisa_kv_delete(session->proxy->kv, meta.key_bytes, meta.key_length,
					meta.cas);
	if (error)
		answer_failure(session, &meta, error);
	else if (!has(&meta, 'q'))
		answer(session, &meta, "HD", NULL);
}

/* ------------------------------------------------------------------------------ arithmetic */

static uint64_t sum(const struct meta *meta, bool down, uint64_t number)
{
	if (!down)
		return number + meta->by;
	return number > meta->by ? number - meta->by : 0;
}

/* Stores a number as the item's value, if the item has this CAS number. *item: out, the item after
 * that. */
static int put_number(struct session *session, const struct meta *meta, enum elisa_kv_mode mode,
		      uint64_t cas, uint64_t number, struct elisa_kv_item *item)
{
	char text[24];
	const struct elisa_kv_change put = {
		.key = meta->key_bytes,
		.key_length = meta->key_length,
		.value = text,
		.length = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)number),
		.mode = mode,
		.flags = item->flags,
		.ttl = item->ttl,
		.cas = cas,
	};

	item->length = put.length;
	return elisa_kv_put(session->proxy->kv, &put, &item->cas);
}

/*
 * Counts with a CAS number or a new time to live: reads the item, and stores it if nothing has
 * changed it meanwhile.
 */
static int count_with(struct session *session, const struct meta *meta, bool down, uint64_t *number,
		      struct elisa_kv_item *item)
{
	char text[24];
	int error = elisa_kv_get(session->proxy->kv, meta->key_bytes, meta->key_length, text,
				 sizeof(text), item);
	const struct token digits = {text, item->length};

	if (error)
		return error == -EMSGSIZE ? -EDOM : error;
	if (has(meta, 'C') && meta->cas != item->cas)
		return -ESTALE;
	if (!token_number(&digits, UINT64_MAX, number))
		return -EDOM;
	*number = sum(meta, down, *number);
	if (has(meta, 'T'))
		item->ttl = meta->ttl;
	error = put_number(session, meta, ELISA_KV_SET, item->cas, *number, item);
	/* without C, a change in between is no failure */
	return error == -ESTALE && !has(meta, 'C') ? -EAGAIN : error;
}

/* Counts once. -EAGAIN: another caller changed the item in between. */
static int try_count(struct session *session, const struct meta *meta, bool down, uint64_t *number,
		     struct elisa_kv_item *item)
{
	int error;

	if (has(meta, 'C') || has(meta, 'T'))
		error = count_with(session, meta, down, number, item);
	else
		error = (down ? elisa_kv_decrement :
				elisa_kv_increment)(session->proxy->kv, meta->key_bytes,
						    meta->key_length, meta->by, number, item);
	if (error != -ENOENT || !has(meta, 'N'))
		return error;
	*number = meta->first;
	*item = (struct elisa_kv_item){.ttl = meta->new_ttl};
	error = put_number(session, meta, ELISA_KV_ADD, 0, *number, item);
	return error == -EEXIST ? -EAGAIN : error;
}

static void count_item(struct session *session, const struct token *tokens, size_t count)
{
	struct elisa_kv_item item = {0};
	struct meta meta;
	uint64_t number = 0;
	char text[24];
	bool down;
	int error = -EAGAIN;

	if (!read_meta(session, tokens, count, 2, "bCNJDTMqtcvkO", &meta))
		return;
	if (meta.mode && !strchr("IiDd+-", meta.mode)) {
		reply_text(&session->reply, "CLIENT_ERROR invalid mode for ma M token\r\n");
		return;
	}
	down = meta.mode && strchr("Dd-", meta.mode);
	for (int i = 0; i < TRIES && error == -EAGAIN; i++)
		error = try_count(session, &meta, down, &number, &item);
	if (error == -EAGAIN)
		error = -EBUSY;
	if (error) {
		answer_failure(session, &meta, error);
	} else if (has(&meta, 'q')) {
		return;
	} else if (has(&meta, 'v')) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
		answer_value(session, &meta, &item, text, strlen(text));
	} else {
		answer(session, &meta, "HD", &item);
	}
}

/* Answers "me": what is known of an item, for people. */
static void explain(struct session *session, const struct token *tokens, size_t count)
{
	struct elisa_kv_item item;
	struct meta meta;
	int error;

	if (!read_meta(session, tokens, count, 2, "b", &meta))
		return;
	error = elisa_kv_get(session->proxy->kv, meta.key_bytes, meta.key_length, NULL, 0, &item);
	if (error == -ENOENT) {
		reply_text(&session->reply, "EN\r\n");
	} else if (error) {
		session_failure(session, error);
	} else {
		reply_text(&session->reply, "ME ");
		reply_add(&session->reply, meta.key.text, meta.key.length);
		reply_print(&session->reply, " exp=%lld cas=%llu size=%zu\r\n",
			    item.ttl == ELISA_KV_FOREVER ? -1ll : (long long)item.ttl,
			    (unsigned long long)item.cas, item.length);
	}
}

/* Answers "mn". The answer tells a client that everything before it was answered. */
static void nothing(struct session *session, const struct token *tokens, size_t count)
{
	(void)tokens;
	(void)count;
	reply_text(&session->reply, "MN\r\n");
}

bool meta_run(struct session *session, const struct token *tokens, size_t count)
{
	static const struct {
		const char *name;
		void (*run)(struct session *session, const struct token *tokens, size_t count);
		size_t least; /* least number of words */
	} commands[] = {{"mg", get, 2},	       {"ms", set, 2},	   {"md", delete_item, 2},
			{"ma", count_item, 2}, {"me", explain, 2}, {"mn", nothing, 1}};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!token_is(&tokens[0], commands[i].name) || count < commands[i].least)
			continue;
		commands[i].run(session, tokens, count);
		return true;
	}
	return false;
}
