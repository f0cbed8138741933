/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcached's text commands. The answers are, to the byte, those of memcached 1.6, because clients
 * compare the texts. One difference is intended: the value of a wrong command, and the rest of the
 * value's line, are always skipped, and never run as a command.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "session.h"

static const char bad_format[] = "CLIENT_ERROR bad command line format\r\n";

struct command {
	const char *name;
	void (*run)(struct session *session, const struct command *command,
		    const struct token *token, size_t count);
	size_t least, most; /* words, with the command's name */
	int what;	    /* tells apart commands that share a function */
};

enum {
	GET,
	GETS,
	GAT,
	GATS,
	CAS = ELISA_KV_PREPEND + 1
};

/* Tells whether the last word says that no answer is wanted. Most errors are answered
 * nevertheless. */
static bool is_quiet(const struct token *token, size_t count)
{
	return token_is(&token[count - 1], "noreply");
}

static void answer(struct session *session, bool quiet, const char *text)
{
	if (!quiet)
		reply_text(&session->reply, text);
}

static bool is_key(struct session *session, const struct token *key)
{
	if (key->length <= ELISA_KV_KEY_MAX)
		return true;
	reply_text(&session->reply, bad_format);
	return false;
}

/* --------------------------------------------------------------------------------- reading */

static void retrieve(struct session *session, const struct command *command,
		     const struct token *token, size_t count)
{
	struct retrieval *retrieval = &session->retrieval;
	const bool touches = command->what == GAT || command->what == GATS;
	int64_t ttl = 0;

	(void)count;
	if (touches && !token_signed(&token[1], &ttl)) {
		reply_text(&session->reply, "CLIENT_ERROR invalid exptime argument\r\n");
		session_skip_keys(session);
		return;
	}
	retrieval->touches = touches;
	retrieval->shows_cas = command->what == GETS || command->what == GATS;
	retrieval->ttl = session_ttl(ttl);
	retrieval->at = (size_t)(token[touches].text + token[touches].length - session->line);
	session->state = SESSION_KEYS;
}

static void answer_item(struct session *session, const struct token *key,
			const struct elisa_kv_item *item, const void *value)
{
	struct reply *reply = &session->reply;

	reply_text(reply, "VALUE ");
	reply_add(reply, key->text, key->length);
	reply_print(reply, " %u %zu", item->flags, item->length);
	if (session->retrieval.shows_cas)
		reply_print(reply, " %llu", (unsigned long long)item->cas);
	reply_text(reply, "\r\n");
	reply_add(reply, value, item->length);
	reply_text(reply, "\r\n");
}

void text_get_and_touch(struct session *session, const struct token *key)
{
	const struct retrieval *retrieval = &session->retrieval;
	uint8_t *value = session->proxy->value;
	struct elisa_kv_item item;
	int error;

	if (!is_key(session, key)) {
		session_skip_keys(session);
		return;
	}
	error = elisa_kv_get_and_touch(session->proxy->kv, key->text, key->length, retrieval->ttl,
				       value, ELISA_KV_VALUE_MAX, &item);
	if (error == -ENOENT)
		return;
	if (error) {
		session_failure(session, error);
		session_skip_keys(session);
		return;
	}
	answer_item(session, key, &item, value);
}

size_t text_get_many(struct session *session, const struct token *keys, size_t count)
{
	struct elisa_kv_wanted wanted[SESSION_KEYS_AT_ONCE];
	int got;

	if (!is_key(session, &keys[0])) {
		session_skip_keys(session);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		wanted[i] =
			(struct elisa_kv_wanted){.key = keys[i].text, .key_length = keys[i].length};
	got = elisa_kv_get_many(session->proxy->kv, wanted, count, session->proxy->value,
				ELISA_KV_VALUE_MAX);
	if (got <= 0) {
		session_failure(session, got);
		session_skip_keys(session);
		return 0;
	}
	for (int i = 0; i < got; i++)
		if (wanted[i].value)
			answer_item(session, &keys[i], &wanted[i].item, wanted[i].value);
	return (size_t)got;
}

/* --------------------------------------------------------------------------------- storing */

/* Reads the words before the value. Returns false, after an answer, if one of them is wrong. */
static bool read_put(struct session *session, const struct token *token, bool with_cas,
		     struct elisa_kv_change *put)
{
	uint64_t flags;
	int64_t ttl;

	if (!is_key(session, &token[1]))
		return false;
	if (!token_number(&token[2], UINT32_MAX, &flags) || !token_signed(&token[3], &ttl) ||
	    (with_cas && !token_number(&token[5], UINT64_MAX, &put->cas))) {
		reply_text(&session->reply, bad_format);
		return false;
	}
	put->key = token[1].text;
	put->key_length = token[1].length;
	put->flags = (uint32_t)flags;
	put->ttl = session_ttl(ttl);
	return true;
}

static void store(struct session *session, const struct command *command, const struct token *token,
		  size_t count)
{
	const bool with_cas = command->what == CAS;
	struct storage *storage = &session->storage;
	uint64_t length;

	if (!token_number(&token[4], INT32_MAX - 2, &length)) {
		reply_text(&session->reply, bad_format);
		return;
	}
	storage->put = (struct elisa_kv_change){
		.mode = with_cas ? ELISA_KV_SET : (enum elisa_kv_mode)command->what};
	storage->is_meta = false;
	storage->is_quiet = count == command->most && is_quiet(token, count);
	storage->needs_cas = with_cas;
	if (!read_put(session, token, with_cas, &storage->put)) {
		session_skip(session, length);
		return;
	}
	if (length > ELISA_KV_VALUE_MAX) {
		session_too_large(session);
		session_skip(session, length);
		return;
	}
	storage->put.length = length;
	session_expect(session);
}

void text_stored(struct session *session, const uint8_t *value)
{
	struct storage *storage = &session->storage;
	const bool quiet = storage->is_quiet;
	int error;

	storage->put.value = value;
	error = storage->needs_cas && !storage->put.cas ?
			session_never_the_same(session, storage->put.key, storage->put.key_length) :
			elisa_kv_put(session->proxy->kv, &storage->put, NULL);
	switch (error) {
	case 0:
		answer(session, quiet, "STORED\r\n");
		break;
	case -EEXIST:
		answer(session, quiet, "NOT_STORED\r\n");
		break;
	case -ENOENT:
		answer(session, quiet, storage->needs_cas ? "NOT_FOUND\r\n" : "NOT_STORED\r\n");
		break;
	case -ESTALE:
		answer(session, quiet, "EXISTS\r\n");
		break;
	default:
		session_failure(session, error);
	}
}

/* -------------------------------------------------------------------------------- changing */

static void delete_item(struct session *session, const struct command *command,
			const struct token *token, size_t count)
{
	const bool has_zero = count > 2 && token_is(&token[2], "0");
	const bool quiet = count > 2 && is_quiet(token, count);
	int error;

	(void)command;
	if ((count == 3 && !has_zero && !quiet) || (count == 4 && !(has_zero && quiet))) {
		reply_text(&session->reply, "CLIENT_ERROR bad command line format.  "
					    "Usage: delete <key> [noreply]\r\n");
		return;
	}
	if (!is_key(session, &token[1]))
		return;
	error = elisa_kv_delete(session->proxy->kv, token[1].text, token[1].length, 0);
	if (!error)
		answer(session, quiet, "DELETED\r\n");
	else if (error == -ENOENT)
		answer(session, quiet, "NOT_FOUND\r\n");
	else
		session_failure(session, error);
}

static void count_item(struct session *session, const struct command *command,
		       const struct token *token, size_t count)
{
	const bool quiet = is_quiet(token, count);
	uint64_t by, number;
	int error;

	if (!is_key(session, &token[1]))
		return;
	if (!token_number(&token[2], UINT64_MAX, &by)) {
		reply_text(&session->reply, "CLIENT_ERROR invalid numeric delta argument\r\n");
		return;
	}
	error = (command->what > 0 ? elisa_kv_increment : elisa_kv_decrement)(
		session->proxy->kv, token[1].text, token[1].length, by, &number, NULL);
	if (error == -EDOM)
		answer(session, quiet,
		       "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
	else if (error == -ENOENT)
		answer(session, quiet, "NOT_FOUND\r\n");
	else if (error)
		session_failure(session, error);
	else if (!quiet)
		reply_print(&session->reply, "%llu\r\n", (unsigned long long)number);
}

static void touch(struct session *session, const struct command *command, const struct token *token,
		  size_t count)
{
	const bool quiet = is_quiet(token, count);
	int64_t ttl;
	int error;

	(void)command;
	if (!is_key(session, &token[1]))
		return;
	if (!token_signed(&token[2], &ttl)) {
		answer(session, quiet, "CLIENT_ERROR invalid exptime argument\r\n");
		return;
	}
	error = elisa_kv_touch(session->proxy->kv, token[1].text, token[1].length,
			       session_ttl(ttl));
	if (!error)
		answer(session, quiet, "TOUCHED\r\n");
	else if (error == -ENOENT)
		answer(session, quiet, "NOT_FOUND\r\n");
	else
		session_failure(session, error);
}

/* Tells whether it makes sense to try a flush again. */
static bool may_come(int error)
{
	return error == -EBUSY || error == -ENOTCONN || error == -EIO;
}

void proxy_flush_due(struct proxy *proxy)
{
	const int64_t now = time(NULL);

	if (proxy->flush_at && now >= proxy->flush_at)
		proxy->flush_at = may_come(elisa_kv_flush(proxy->kv)) ? now + 1 : 0;
}

/* Runs "flush_all". The proxy itself makes a flush of the future when it is due. A flush now
 * cancels that one. */
static void flush(struct session *session, const struct command *command, const struct token *token,
		  size_t count)
{
	const bool quiet = count > 1 && is_quiet(token, count);
	int64_t delay = 0;
	int error = 0;

	(void)command;
	if (count - quiet > 1 && !token_signed(&token[1], &delay)) {
		answer(session, quiet, "CLIENT_ERROR invalid exptime argument\r\n");
		return;
	}
	delay = session_ttl(delay);
	if (delay > 0) {
		session->proxy->flush_at = time(NULL) + delay;
	} else {
		session->proxy->flush_at = 0;
		error = elisa_kv_flush(session->proxy->kv);
	}
	if (error)
		session_failure(session, error);
	else
		answer(session, quiet, "OK\r\n");
}

/* --------------------------------------------------------------------------------- the rest */

static void statistics_of_proxy(struct session *session)
{
	const struct proxy *proxy = session->proxy;
	struct reply *reply = &session->reply;
	const int64_t now = time(NULL);

	reply_print(reply, "STAT pid %d\r\nSTAT uptime %lld\r\nSTAT time %lld\r\n", (int)getpid(),
		    (long long)(now - proxy->started), (long long)now);
	reply_print(reply, "STAT version %s\r\nSTAT pointer_size %zu\r\n", proxy->version,
		    8 * sizeof(void *));
	reply_print(reply, "STAT max_connections %u\r\nSTAT curr_connections %u\r\n",
		    proxy->most_connections, proxy->connections);
	reply_print(reply, "STAT total_connections %llu\r\nSTAT rejected_connections %llu\r\n",
		    (unsigned long long)proxy->all_connections,
		    (unsigned long long)proxy->refused_connections);
	reply_print(reply, "STAT bytes_read %llu\r\nSTAT bytes_written %llu\r\n",
		    (unsigned long long)proxy->bytes_read,
		    (unsigned long long)proxy->bytes_written);
	reply_text(reply, "STAT threads 1\r\n");
}

/* Tells whether it is a group of memcached's statistics that the proxy has nothing for. */
static bool is_empty_group(const struct token *name)
{
	static const char *const groups[] = {"items", "slabs", "sizes", "settings", "conns"};

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (token_is(name, groups[i]))
			return true;
	return false;
}

static void statistics(struct session *session, const struct command *command,
		       const struct token *token, size_t count)
{
	struct elisa_kv_statistic known[ELISA_KV_STATISTICS];
	int got;

	(void)command;
	if (count > 1) {
		reply_text(&session->reply, is_empty_group(&token[1]) ? "END\r\n" : "ERROR\r\n");
		return;
	}
	got = elisa_kv_statistics(session->proxy->kv, known, ELISA_KV_STATISTICS);
	if (got < 0) {
		session_failure(session, got);
		return;
	}
	statistics_of_proxy(session);
	for (int i = 0; i < got; i++)
		reply_print(&session->reply, "STAT %s %llu\r\n", known[i].name,
			    (unsigned long long)known[i].value);
	reply_text(&session->reply, "END\r\n");
}

static void version(struct session *session, const struct command *command,
		    const struct token *token, size_t count)
{
	(void)command;
	(void)token;
	(void)count;
	reply_print(&session->reply, "VERSION %s\r\n", session->proxy->version);
}

/* Accepts "verbosity", because every client may send it. It changes nothing: only the operator
 * decides what the proxy logs. */
static void verbosity(struct session *session, const struct command *command,
		      const struct token *token, size_t count)
{
	const bool quiet = is_quiet(token, count);
	uint64_t level;

	(void)command;
	if (quiet && count == 2)
		return;
	if (token_number(&token[1], UINT32_MAX, &level))
		answer(session, quiet, "OK\r\n");
	else
		reply_text(&session->reply, bad_format);
}

static void quit(struct session *session, const struct command *command, const struct token *token,
		 size_t count)
{
	(void)command;
	(void)token;
	(void)count;
	session->state = SESSION_CLOSED;
}

static const struct command commands[] = {
	{"get", retrieve, 2, SIZE_MAX, GET},
	{"gets", retrieve, 2, SIZE_MAX, GETS},
	{"gat", retrieve, 2, SIZE_MAX, GAT},
	{"gats", retrieve, 2, SIZE_MAX, GATS},
	{"set", store, 5, 6, ELISA_KV_SET},
	{"add", store, 5, 6, ELISA_KV_ADD},
	{"replace", store, 5, 6, ELISA_KV_REPLACE},
	{"append", store, 5, 6, ELISA_KV_APPEND},
	{"prepend", store, 5, 6, ELISA_KV_PREPEND},
	{"cas", store, 6, 7, CAS},
	{"delete", delete_item, 2, 4, 0},
	{"incr", count_item, 3, 4, 1},
	{"decr", count_item, 3, 4, -1},
	{"touch", touch, 3, 4, 0},
	{"flush_all", flush, 1, 3, 0},
	{"stats", statistics, 1, SESSION_TOKENS, 0},
	{"version", version, 1, SESSION_TOKENS, 0},
	{"verbosity", verbosity, 2, 3, 0},
	{"quit", quit, 1, SESSION_TOKENS, 0},
};

static const struct command *find(const struct token *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (token_is(name, commands[i].name))
			return &commands[i];
	return NULL;
}

void text_run(struct session *session)
{
	struct token token[SESSION_TOKENS];
	const size_t count =
		tokens_split(session->line, session->line_length, token, SESSION_TOKENS);
	const struct command *command = count ? find(&token[0]) : NULL;

	session->retrieval.has_ended = true;
	if (!command && count && meta_run(session, token, count))
		return;
	if (!command || count < command->least || count > command->most)
		reply_text(&session->reply, "ERROR\r\n");
	else
		command->run(session, command, token, count);
}

bool text_run_long(struct session *session)
{
	struct token token[SESSION_TOKENS];
	const size_t count =
		tokens_split(session->line, session->line_length, token, SESSION_TOKENS);
	const struct command *command = count ? find(&token[0]) : NULL;

	if (!command || command->run != retrieve || count < command->least)
		return false;
	session->retrieval.has_ended = false;
	retrieve(session, command, token, count);
	return true;
}
