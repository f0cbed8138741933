/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy's protocol, without sockets and VMs: what a client sends, and what it gets. Each
 * conversation is held several times, with its bytes in pieces of different sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "fake_kv.h"
#include "session.h"

static uint8_t scratch[ELISA_KV_VALUE_MAX];
static struct proxy proxy;
static struct session session;

static int start(void **state)
{
	(void)state;
	proxy = (struct proxy){.value = scratch, .version = "1.6.18"};
	fake_kv_clear();
	session_init(&session, &proxy);
	return 0;
}

static int end(void **state)
{
	(void)state;
	session_free(&session);
	fake_kv_clear();
	return 0;
}

/* All of it, in pieces; replies are read as they come. */
static void say(const char *text, size_t length, size_t piece, char *heard, size_t room)
{
	size_t at = 0, got = 0;

	while (session.state != SESSION_CLOSED) {
		const size_t part = length - at < piece ? length - at : piece;
		const size_t taken = session_feed(&session, text + at, part);
		const size_t waiting = reply_length(&session.reply);

		at += taken;
		assert_true(taken <= part);
		assert_true(got + waiting < room);
		if (waiting)
			memcpy(heard + got, session.reply.bytes + session.reply.from, waiting);
		got += waiting;
		reply_sent(&session.reply, waiting);
		if (at == length && !waiting && !session.has_more)
			break;
	}
	heard[got] = 0;
}

static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 7, 64};

static void hears(const char *text, const char *expected)
{
	char heard[8192];

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		end(NULL);
		start(NULL);
		say(text, strlen(text), pieces[i], heard, sizeof(heard));
		assert_string_equal(heard, expected);
	}
}

/* ------------------------------------------------------------------------------------ text */

static void set_and_get(void **state)
{
	(void)state;
	hears("set a 5 0 3\r\none\r\nget a\r\n", "STORED\r\nVALUE a 5 3\r\none\r\nEND\r\n");
	hears("set a 5 0 3\none\r\nget a b\n", "STORED\r\nVALUE a 5 3\r\none\r\nEND\r\n");
	hears("set a 4294967295 0 0\r\n\r\ngets a\r\n",
	      "STORED\r\nVALUE a 4294967295 0 1\r\n\r\nEND\r\n");
	hears("set a 0 0 2\r\n\r\n\r\nget  a \r\n", "STORED\r\nVALUE a 0 2\r\n\r\n\r\nEND\r\n");
	hears("set a 0 0 1 noreply\r\nx\r\nget b a b a\r\n",
	      "VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n");
	hears("set a 0 0 1\r\nx\r\ngat 100 a\r\ngats 0 a b\r\nmg a t\r\ngat x a\r\n",
	      "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nVALUE a 0 1 1\r\nx\r\nEND\r\nHD t-1\r\n"
	      "CLIENT_ERROR invalid exptime argument\r\n");
	hears("set a 0 -1 1\r\nx\r\nget a\r\n", "STORED\r\nEND\r\n");
}

static void modes(void **state)
{
	(void)state;
	hears("add a 1 0 1\r\nx\r\nadd a 1 0 1\r\ny\r\nreplace b 0 0 1\r\nx\r\n"
	      "replace a 2 0 1\r\nz\r\nget a\r\n",
	      "STORED\r\nNOT_STORED\r\nNOT_STORED\r\nSTORED\r\nVALUE a 2 1\r\nz\r\nEND\r\n");
	hears("append a 0 0 1\r\nx\r\nset a 3 0 1\r\nb\r\nappend a 9 0 1\r\nc\r\n"
	      "prepend a 9 0 1\r\na\r\nget a\r\n",
	      "NOT_STORED\r\nSTORED\r\nSTORED\r\nSTORED\r\nVALUE a 3 3\r\nabc\r\nEND\r\n");
	hears("set a 0 0 1\r\nx\r\ncas a 0 0 1 1\r\ny\r\ncas a 0 0 1 1\r\nz\r\n"
	      "cas b 0 0 1 1\r\nz\r\ncas a 0 0 1 0\r\nz\r\ncas b 0 0 1 0\r\nz\r\n"
	      "cas a 0 0 1 2 noreply\r\nw\r\nget a\r\n",
	      "STORED\r\nSTORED\r\nEXISTS\r\nNOT_FOUND\r\nEXISTS\r\nNOT_FOUND\r\n"
	      "VALUE a 0 1\r\nw\r\nEND\r\n");
}

static void changes(void **state)
{
	(void)state;
	hears("set a 0 0 2\r\n10\r\nincr a 5\r\ndecr a 20\r\nincr a 18446744073709551615\r\n"
	      "incr a 1\r\nincr b 1\r\nincr a x\r\nincr a -1\r\nincr a 2 noreply\r\nget a\r\n",
	      "STORED\r\n15\r\n0\r\n18446744073709551615\r\n0\r\nNOT_FOUND\r\n"
	      "CLIENT_ERROR invalid numeric delta argument\r\n"
	      "CLIENT_ERROR invalid numeric delta argument\r\nVALUE a 0 1\r\n2\r\nEND\r\n");
	hears("set a 0 0 1\r\nx\r\nincr a 1\r\n",
	      "STORED\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
	hears("set a 0 0 1\r\nx\r\ndelete a\r\ndelete a\r\ndelete a 0\r\ndelete a 1\r\n"
	      "delete a noreply\r\ndelete a 0 noreply\r\n",
	      "STORED\r\nDELETED\r\nNOT_FOUND\r\nNOT_FOUND\r\n"
	      "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n");
	hears("set a 0 0 1\r\nx\r\ntouch a 10\r\ntouch b 10\r\ntouch a x\r\nmg a t\r\n",
	      "STORED\r\nTOUCHED\r\nNOT_FOUND\r\nCLIENT_ERROR invalid exptime argument\r\n"
	      "HD t10\r\n");
	hears("set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nflush_all noreply\r\nflush_all 0\r\n"
	      "flush_all x\r\n",
	      "STORED\r\nOK\r\nEND\r\nOK\r\nCLIENT_ERROR invalid exptime argument\r\n");
}

static void a_flush_later(void **state)
{
	const int64_t now = time(NULL);

	(void)state;
	hears("set a 0 0 1\r\nx\r\nflush_all 100\r\nget a\r\n",
	      "STORED\r\nOK\r\nVALUE a 0 1\r\nx\r\nEND\r\n");
	assert_in_range(proxy.flush_at, now + 100, now + 110);
	hears("flush_all 100 noreply\r\nflush_all\r\n", "OK\r\n");
	assert_int_equal(proxy.flush_at, 0);
}

static void the_rest(void **state)
{
	(void)state;
	hears("version\r\nverbosity 1\r\nverbosity 1 noreply\r\nverbosity x\r\nstats items\r\nstats x\r\n",
	      "VERSION 1.6.18\r\nOK\r\nCLIENT_ERROR bad command line format\r\nEND\r\nERROR\r\n");
	hears("quit\r\nversion\r\n", "");
	hears("\r\nget\r\nGET a\r\nset a\r\nset a 0 0\r\nset a 0 0 1 2 3\r\nverbosity\r\n",
	      "ERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\nERROR\r\n");
}

static void statistics(void **state)
{
	static const char all[] = "stats\r\n";
	char heard[8192];

	(void)state;
	say(all, sizeof(all) - 1, SIZE_MAX, heard, sizeof(heard));
	assert_non_null(strstr(heard, "STAT pid "));
	assert_non_null(strstr(heard, "STAT cmd_get 7\r\nEND\r\n"));
}

/* ------------------------------------------------------------------------------ wrong input */

/* What a wrong command announced is not run as commands. */
static void a_value_of_a_wrong_command(void **state)
{
	char text[2048], key[260] = {0};

	(void)state;
	hears("set a x 0 7\r\nversion\r\nset a 0 y 7\r\nversion\r\nversion\r\n",
	      "CLIENT_ERROR bad command line format\r\n"
	      "CLIENT_ERROR bad command line format\r\nVERSION 1.6.18\r\n");
	hears("set a 0 0 -1\r\n", "CLIENT_ERROR bad command line format\r\n");
	hears("set a 0 0 4294967296\r\n", "CLIENT_ERROR bad command line format\r\n");
	hears("set a 0 0 1\r\nxyzversion\r\nmn\r\nset a 0 0 1\r\nxy\nmn\r\n",
	      "CLIENT_ERROR bad data chunk\r\nMN\r\nCLIENT_ERROR bad data chunk\r\nMN\r\n");
	memset(key, 'k', 251);
	snprintf(text, sizeof(text),
		 "set %s 0 0 7\r\nversion\r\nget %s\r\nget a %s b\r\ndelete %s\r\n", key, key, key,
		 key);
	hears(text, "CLIENT_ERROR bad command line format\r\n"
		    "CLIENT_ERROR bad command line format\r\n"
		    "CLIENT_ERROR bad command line format\r\n"
		    "CLIENT_ERROR bad command line format\r\n");
	key[250] = 0;
	snprintf(text, sizeof(text), "set %s 0 0 1\r\nx\r\nget %s\r\n", key, key);
	end(NULL);
	start(NULL);
	say(text, strlen(text), 1, text, sizeof(text));
	assert_non_null(strstr(text, "x\r\nEND\r\n"));
}

static void a_line_that_does_not_end(void **state)
{
	static char text[100000], heard[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		start(NULL);
		say(text, sizeof(text), pieces[i], heard, sizeof(heard));
		assert_string_equal(heard, "CLIENT_ERROR line too long\r\n");
		assert_int_equal(session.state, SESSION_CLOSED);
		end(NULL);
	}
}

/* Any number of keys in one line: memory stays as small. */
static void a_get_of_many_keys(void **state)
{
	static char text[60000], heard[1 << 20];
	size_t length = 4;
	const char *at;
	int found = 0;

	(void)state;
	strcpy(text, "get ");
	for (int i = 0; i < 5000; i++)
		length += (size_t)sprintf(text + length, "%s ", i % 2 ? "key" : "missing");
	strcpy(text + length, "\r\n");
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		start(NULL);
		say("set key 0 0 1\r\nx\r\n", 18, SIZE_MAX, heard, sizeof(heard));
		say(text, length + 2, pieces[i], heard, sizeof(heard));
		for (at = heard, found = 0; !strncmp(at, "VALUE key 0 1\r\nx\r\n", 18); at += 18)
			found++;
		assert_int_equal(found, 2500);
		assert_string_equal(at, "END\r\n");
		end(NULL);
	}
}

/* More spaces than a line has room for, between keys and behind the last one. */
static void a_get_with_many_spaces(void **state)
{
	static char text[3 * 2 * SESSION_LINE_MAX + 100], heard[1000];
	const char *set = "set a 0 0 1\r\nx\r\n";

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "get a", 5);
	memcpy(text + 3 * SESSION_LINE_MAX, "a", 1);
	memcpy(text + sizeof(text) - 6, "\r\nmn\r\n", 6);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		start(NULL);
		say(set, strlen(set), SIZE_MAX, heard, sizeof(heard));
		say(text, sizeof(text), pieces[i], heard, sizeof(heard));
		assert_string_equal(heard, "VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\n"
					   "END\r\nMN\r\n");
		end(NULL);
	}
}

/* A key that is too long, at the place where the line's room ends. */
static void a_long_key_in_a_long_line(void **state)
{
	static char text[8000], heard[1000];

	(void)state;
	strcpy(text, "get ");
	memset(text + 4, 'k', sizeof(text) - 4);
	memcpy(text + sizeof(text) - 12, "\r\nversion\r\n", 12);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		start(NULL);
		say(text, sizeof(text) - 1, pieces[i], heard, sizeof(heard));
		assert_string_equal(heard,
				    "CLIENT_ERROR bad command line format\r\nVERSION 1.6.18\r\n");
		end(NULL);
	}
}

static void large_values(void **state)
{
	static char text[(2u << 20) + 100], heard[(2u << 20) + 100];
	static const size_t large[] = {SIZE_MAX, 4096, 100000};
	int head;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		start(NULL);
		head = sprintf(text, "set a 0 0 %u\r\n", ELISA_KV_VALUE_MAX);
		memset(text + head, 'v', ELISA_KV_VALUE_MAX);
		strcpy(text + head + ELISA_KV_VALUE_MAX, "\r\nget a\r\n");
		say(text, (size_t)head + ELISA_KV_VALUE_MAX + 9, large[i], heard, sizeof(heard));
		assert_int_equal(strlen(heard), ELISA_KV_VALUE_MAX + 8 + 19 + 2 + 5);
		assert_memory_equal(heard, "STORED\r\nVALUE a 0 1048576\r\nvvv", 30);
		/* one byte more, and what the key had is gone */
		head = sprintf(text, "set a 0 0 %u\r\n", ELISA_KV_VALUE_MAX + 1);
		memset(text + head, 'v', ELISA_KV_VALUE_MAX + 1);
		strcpy(text + head + ELISA_KV_VALUE_MAX + 1, "\r\nget a\r\n");
		say(text, (size_t)head + ELISA_KV_VALUE_MAX + 10, large[i], heard, sizeof(heard));
		assert_string_equal(heard, "SERVER_ERROR object too large for cache\r\nEND\r\n");
		end(NULL);
	}
}

/* A change of one certain item that is too large is none: the key keeps what it has. */
static void too_large_with_a_cas(void **state)
{
	static const char *const commands[] = {"cas a 0 0 1048577 0\r\n", "cas a 0 0 1048577 7\r\n",
					       "ms a 1048577 C0\r\n", "ms a 1048577 C7\r\n"};
	static char text[(2u << 20) + 100], heard[1000];
	int head;

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		start(NULL);
		head = sprintf(text, "set a 0 0 1\r\nx\r\n%s", commands[i]);
		memset(text + head, 'v', ELISA_KV_VALUE_MAX + 1);
		strcpy(text + head + ELISA_KV_VALUE_MAX + 1, "\r\nget a\r\n");
		say(text, (size_t)head + ELISA_KV_VALUE_MAX + 10, 4096, heard, sizeof(heard));
		assert_string_equal(heard, "STORED\r\nSERVER_ERROR object too large for cache\r\n"
					   "VALUE a 0 1\r\nx\r\nEND\r\n");
		end(NULL);
	}
}

/* It is not served, and takes no memory, before it has read. */
static void a_client_that_does_not_read(void **state)
{
	static char text[100 + (1u << 20)], heard[4u << 20];
	size_t at = 0, length;

	(void)state;
	length = (size_t)sprintf(text, "set a 0 0 %u\r\n", ELISA_KV_VALUE_MAX);
	memset(text + length, 'v', ELISA_KV_VALUE_MAX);
	strcpy(text + length + ELISA_KV_VALUE_MAX, "\r\n");
	say(text, length + ELISA_KV_VALUE_MAX + 2, SIZE_MAX, heard, sizeof(heard));
	length = (size_t)sprintf(text, "get a a a a a a a a a a\r\n");
	for (int i = 0; i < 1000; i++)
		at += session_feed(&session, text + at % length, length - at % length);
	assert_in_range(reply_length(&session.reply), ELISA_KV_VALUE_MAX,
			ELISA_KV_VALUE_MAX + SESSION_REPLY_HIGH + 1000);
	assert_true(at <= length);
	/* and goes on where it was */
	for (int i = 0; i < 10; i++) {
		assert_in_range(reply_length(&session.reply), ELISA_KV_VALUE_MAX,
				ELISA_KV_VALUE_MAX + 100);
		reply_sent(&session.reply, reply_length(&session.reply));
		session_feed(&session, NULL, 0);
	}
	assert_int_equal(reply_length(&session.reply), 5);
	assert_int_equal(session.state, SESSION_LINE);
}

/* Keys that are there are looked up by one call, as far as there is room for their values. */
static void several_keys(void **state)
{
	static char text[1000], value[700000], heard[3 * sizeof(value)];
	struct elisa_kv_change it = {.key_length = 1, .value = value, .length = sizeof(value)};
	size_t length = 3;

	(void)state;
	hears("set a 0 0 1\r\n1\r\nset b 1 0 2\r\n23\r\ngets a x b x a\r\n",
	      "STORED\r\nSTORED\r\nVALUE a 0 1 1\r\n1\r\nVALUE b 1 2 2\r\n23\r\n"
	      "VALUE a 0 1 1\r\n1\r\nEND\r\n");
	memcpy(text, "get", 3);
	for (int i = 0; i < 40; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, " x%d", i);
	length += (size_t)snprintf(text + length, sizeof(text) - length, " a\r\n");
	fake_kv_many = 0;
	say(text, length, SIZE_MAX, heard, sizeof(heard));
	assert_string_equal(heard, "VALUE a 0 1\r\n1\r\nEND\r\n");
	assert_int_equal(fake_kv_many, (41 + SESSION_KEYS_AT_ONCE - 1) / SESSION_KEYS_AT_ONCE);
	/* two values that have no room at the same time */
	memset(value, 'v', sizeof(value));
	for (int i = 0; i < 2; i++) {
		it.key = i ? "l" : "k";
		assert_int_equal(elisa_kv_put(NULL, &it, NULL), 0);
	}
	say("get k l a\r\n", 11, SIZE_MAX, heard, sizeof(heard));
	length = strlen("VALUE k 0 700000\r\n") + sizeof(value) + 2;
	assert_memory_equal(heard + length, "VALUE l 0 700000\r\nvvv", 21);
	assert_string_equal(heard + 2 * length, "VALUE a 0 1\r\n1\r\nEND\r\n");
	/* one that is too long, between others */
	memset(text, 'k', sizeof(text));
	memcpy(text, "get a ", 6);
	memcpy(text + 6 + 251, " b\r\n", 5);
	hears(text, "CLIENT_ERROR bad command line format\r\n");
	say("set a 0 0 1\r\n1\r\n", 16, SIZE_MAX, heard, sizeof(heard));
	say(text, 6 + 251 + 4, SIZE_MAX, heard, sizeof(heard));
	assert_string_equal(heard, "VALUE a 0 1\r\n1\r\nCLIENT_ERROR bad command line format\r\n");
}

/* Commands without replies, and a line that has ended: a turn has its end. */
static void a_turn(void **state)
{
	static char text[16384], keys[SESSION_LINE_MAX];
	size_t at = 0, feeds = 0, taken;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 32)
		memcpy(text + i, "set a 0 0 3 noreply      \r\nabc\r\n", 32);
	for (; at < sizeof(text); feeds++) {
		taken = session_feed(&session, text + at, sizeof(text) - at);
		assert_in_range(taken, 1, SESSION_STEPS * 32);
		at += taken;
		assert_true(at == sizeof(text) || session.has_more);
		assert_int_equal(reply_length(&session.reply), 0);
	}
	assert_in_range(feeds, sizeof(text) / 32 * 2 / SESSION_STEPS,
			sizeof(text) / 32 * 2 / SESSION_STEPS + 1);
	/* all of its bytes are there, and it is stopped nevertheless */
	fake_kv_error = 0;
	memcpy(keys, "get", 3);
	for (size_t i = 3; i + 2 < sizeof(keys); i += 2)
		memcpy(keys + i, " k", 2);
	keys[sizeof(keys) - 1] = '\n';
	for (at = feeds = 0; !reply_length(&session.reply); feeds++) {
		at += session_feed(&session, keys + at, sizeof(keys) - at);
		assert_int_equal(at, sizeof(keys));
		assert_true(session.has_more || reply_length(&session.reply));
	}
	assert_in_range(feeds, 1000 / SESSION_STEPS, 1100 / SESSION_STEPS + 1);
	assert_int_equal(reply_length(&session.reply), 5);
}

/* A flush that fails for good is not tried for ever. */
static void a_flush_later_that_fails(void **state)
{
	static const struct {
		int error;
		bool again;
	} known[] = {{0, false},     {-EACCES, false},	{-EINVAL, false},
		     {-EBUSY, true}, {-ENOTCONN, true}, {-EIO, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		const int64_t now = time(NULL);

		proxy.flush_at = now + 1000;
		fake_kv_error = known[i].error;
		proxy_flush_due(&proxy);
		assert_int_equal(proxy.flush_at, now + 1000);
		proxy.flush_at = now;
		proxy_flush_due(&proxy);
		if (known[i].again)
			assert_in_range(proxy.flush_at, now + 1, now + 10);
		else
			assert_int_equal(proxy.flush_at, 0);
	}
}

static void failures(void **state)
{
	static const struct {
		int error;
		const char *text;
	} known[] = {
		{-ENOTCONN, "SERVER_ERROR there is no store at present\r\n"},
		{-EBUSY, "SERVER_ERROR the store is busy, try again\r\n"},
		{-ENOSPC, "SERVER_ERROR out of memory storing object\r\n"},
		{-EPERM, "SERVER_ERROR not permitted to this VM\r\n"},
		{-ENXIO, "SERVER_ERROR No such device or address\r\n"},
	};
	static const char *const commands[] = {
		"get a b c\r\n",	  "set a 0 0 1\r\nx\r\n", "delete a\r\n", "incr a 1\r\n",
		"touch a 1\r\n",	  "flush_all\r\n",	  "stats\r\n",	  "mg a v\r\n",
		"ms a 1\r\nx\r\n",	  "md a q\r\n",		  "ma a\r\n",	  "me a\r\n",
		"cas a 0 0 1 0\r\nx\r\n",
	};
	char heard[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		for (size_t k = 0; k < sizeof(commands) / sizeof(*commands); k++) {
			start(NULL);
			fake_kv_error = known[i].error;
			say(commands[k], strlen(commands[k]), SIZE_MAX, heard, sizeof(heard));
			assert_string_equal(heard, known[i].text);
			say("mn\r\n", 4, SIZE_MAX, heard, sizeof(heard));
			assert_string_equal(heard, "MN\r\n");
			end(NULL);
		}
}

/* ------------------------------------------------------------------------------------ meta */

static void meta_get(void **state)
{
	(void)state;
	hears("ms a 3 F7 T100\r\none\r\nmg a v\r\nmg a\r\nmg a k f s t c v Oq1\r\nmg b\r\nmg b q\r\n"
	      "mg b v k O9\r\nmn\r\n",
	      "HD\r\nVA 3\r\none\r\nHD\r\nVA 3 ka f7 s3 t100 c1 Oq1\r\none\r\nEN\r\n"
	      "EN kb O9\r\nMN\r\n");
	hears("ms a 0\r\n\r\nmg a v q\r\nmg a T30 t\r\nmg a t\r\nmg a q\r\n",
	      "HD\r\nVA 0\r\n\r\nHD t30\r\nHD t30\r\nHD\r\n");
	hears("ms Zm9v 1 b\r\nx\r\nget foo\r\nmg Zm9v b k v\r\nmg foo k\r\nmg Zm9 b\r\nmg Zm9* b\r\n",
	      "HD\r\nVALUE foo 0 1\r\nx\r\nEND\r\nVA 1 kZm9v b\r\nx\r\nHD kfoo\r\n"
	      "CLIENT_ERROR error decoding key\r\nCLIENT_ERROR error decoding key\r\n");
}

static void meta_set(void **state)
{
	(void)state;
	hears("ms a 1 ME c\r\nx\r\nms a 1 ME\r\ny\r\nms b 1 MR\r\ny\r\nms b 1 MA\r\ny\r\n"
	      "ms a 1 MA\r\ny\r\nms a 1 MP q\r\nw\r\nms a 1 MX\r\ny\r\nmg a v c\r\n",
	      "HD c1\r\nNS\r\nNS\r\nNS\r\nHD\r\nCLIENT_ERROR invalid mode for ms M token\r\n"
	      "VA 3 c3\r\nwxy\r\n");
	hears("ms a 1\r\nx\r\nms a 1 C1 c k O1\r\ny\r\nms a 1 C1 k\r\nz\r\nms b 1 C1 k q\r\nz\r\n",
	      "HD\r\nHD c2 ka O1\r\nEX ka\r\nNF kb\r\n");
	hears("ms a 1\r\nx\r\nms a 1 C0\r\ny\r\nms b 1 C0\r\nz\r\nms a 1 MR C0 k\r\nz\r\n"
	      "ms b 1 MR C0\r\nz\r\nmg a v\r\nmg b\r\n",
	      "HD\r\nEX\r\nNF\r\nEX ka\r\nNF\r\nVA 1\r\nx\r\nEN\r\n");
	hears("ms a x\r\nms a 7 Z\r\nversion\r\nms a\r\nms\r\nms a 1 T1 T2\r\nx\r\n",
	      "CLIENT_ERROR bad command line format\r\nCLIENT_ERROR invalid flag\r\n"
	      "CLIENT_ERROR bad command line format\r\nERROR\r\n"
	      "CLIENT_ERROR duplicate flag\r\n");
	hears("ms a 1 Fx\r\nx\r\nms a 1 T\r\nx\r\nms a 1 Pany Lthing\r\nx\r\n",
	      "CLIENT_ERROR bad token in command line format\r\n"
	      "CLIENT_ERROR bad token in command line format\r\nHD\r\n");
}

static void meta_delete(void **state)
{
	(void)state;
	hears("ms a 1\r\nx\r\nmd a C9 k\r\nmd a C1 k O5\r\nmd a\r\nmd a q\r\nmd\r\n",
	      "HD\r\nEX ka\r\nHD ka O5\r\nNF\r\nNF\r\nERROR\r\n");
	hears("ms a 1\r\nx\r\nmd a C0 k\r\nmg a v\r\nmd b C0\r\n",
	      "HD\r\nEX ka\r\nVA 1\r\nx\r\nNF\r\n");
	hears("ms a 1\r\nx\r\nmd a q\r\nmg a\r\nmd a I\r\n",
	      "HD\r\nEN\r\nCLIENT_ERROR invalid flag\r\n");
}

static void meta_arithmetic(void **state)
{
	(void)state;
	hears("ma a\r\nma a N0 J5 v\r\nma a v\r\nma a D10 v\r\nma a MD D100 v c t\r\nma a q\r\n"
	      "ma a Mx\r\nma b q\r\nmg a v\r\n",
	      "NF\r\nVA 1\r\n5\r\nVA 1\r\n6\r\nVA 2\r\n16\r\nVA 1 c4 t-1\r\n0\r\n"
	      "CLIENT_ERROR invalid mode for ma M token\r\nNF\r\nVA 1\r\n1\r\n");
	hears("ms a 2 F3 T50\r\n10\r\nma a C9\r\nma a C1 v c\r\nma a T70 v t\r\nmg a f t v\r\n"
	      "ms a 1\r\nx\r\nma a\r\nma a T1\r\n",
	      "HD\r\nEX\r\nVA 2 c2\r\n11\r\nVA 2 t70\r\n12\r\nVA 2 f3 t70\r\n12\r\nHD\r\n"
	      "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
	      "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
	hears("ms a 2 F3\r\n10\r\nme a\r\nme b\r\n", "HD\r\nME a exp=-1 cas=1 size=2\r\nEN\r\n");
}

static int overtaken;

static void another_client(void)
{
	void (*const again)(void) = fake_kv_meanwhile;
	uint64_t number;

	fake_kv_meanwhile = NULL;
	elisa_kv_increment(NULL, "a", 1, 100, &number, NULL);
	overtaken++;
	fake_kv_meanwhile = overtaken < 5 ? again : NULL;
}

/* Another client changes the number between reading and storing: nothing is lost. */
static void arithmetic_that_is_overtaken(void **state)
{
	static const char set[] = "ms a 1\r\n1\r\n", add[] = "ma a T0 v\r\n", cas[] = "ma a C7\r\n";
	char heard[100];

	(void)state;
	say(set, sizeof(set) - 1, SIZE_MAX, heard, sizeof(heard));
	overtaken = 0;
	fake_kv_meanwhile = another_client;
	say(add, sizeof(add) - 1, SIZE_MAX, heard, sizeof(heard));
	assert_string_equal(heard, "VA 3\r\n502\r\n");
	overtaken = 4;
	fake_kv_meanwhile = another_client;
	say(cas, sizeof(cas) - 1, SIZE_MAX, heard, sizeof(heard));
	assert_string_equal(heard, "EX\r\n");
}

static void times(void **state)
{
	const int64_t now = time(NULL);

	(void)state;
	assert_int_equal(session_ttl(0), ELISA_KV_FOREVER);
	assert_int_equal(session_ttl(-5), -1);
	assert_int_equal(session_ttl(INT64_MIN), -1);
	assert_int_equal(session_ttl(2592000), 2592000);
	assert_int_equal(session_ttl(2592001), -1);
	assert_int_equal(session_ttl(now - 1), -1);
	assert_in_range(session_ttl(now + 100), 90, 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(set_and_get),
		TEST(modes),
		TEST(changes),
		TEST(a_flush_later),
		TEST(the_rest),
		TEST(statistics),
		TEST(a_value_of_a_wrong_command),
		TEST(a_line_that_does_not_end),
		TEST(a_get_of_many_keys),
		TEST(a_get_with_many_spaces),
		TEST(a_long_key_in_a_long_line),
		TEST(large_values),
		TEST(too_large_with_a_cas),
		TEST(a_client_that_does_not_read),
		TEST(several_keys),
		TEST(a_turn),
		TEST(a_flush_later_that_fails),
		TEST(failures),
		TEST(meta_get),
		TEST(meta_set),
		TEST(meta_delete),
		TEST(meta_arithmetic),
		TEST(arithmetic_that_is_overtaken),
		TEST(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
