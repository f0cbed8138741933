/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of elisa-kv-proxy's protocol: any bytes of a client. What it hears must not
 * depend on the pieces in which its bytes arrive, and its memory stays bounded. A byte above 0x7f
 * stands for a word of the protocol, so that most inputs get behind the first line.
 *   build/fuzz/tests/fuzz/fuzz_kv_protocol -max_len=2048 CORPUS
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "../kv_tools/fake_kv.h"
#include "session.h"

#define MOST_TEXT (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {
	"get ",
	"gets ",
	"gat ",
	"gats ",
	"set ",
	"add ",
	"replace ",
	"append ",
	"prepend ",
	"cas ",
	"delete ",
	"incr ",
	"decr ",
	"touch ",
	"flush_all",
	"version",
	"verbosity 1",
	"mg ",
	"ms ",
	"md ",
	"ma ",
	"me ",
	"mn",
	"a ",
	"b ",
	"0 ",
	"1 ",
	"-1 ",
	"10 ",
	"4294967296 ",
	"1048576 ",
	"1048577 ",
	"2147483645 ",
	"noreply",
	"\r\n",
	"x\r\n",
	"a 0 0 1\r\nx\r\n",
	"a 0 0 2\r\n10\r\n",
	" v",
	" k",
	" q",
	" b",
	" c",
	" t",
	" f",
	" s",
	" T5",
	" N0",
	" J7",
	" D3",
	" MD",
	" ME",
	" MA",
	" MR",
	" C1",
	" C2",
	" F9",
	" Oq",
	"Zm9v ",
	" 18446744073709551615",
	"                ",
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
};

struct heard {
	char text[1u << 20];
	size_t length;
};

static size_t expand(const uint8_t *data, size_t size, char *text)
{
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		const char *word = words[(data[i] & 0x7f) % (sizeof(words) / sizeof(*words))];
		const size_t part = data[i] > 0x7f ? strlen(word) : 1;

		if (length + part > MOST_TEXT)
			break;
		memcpy(text + length, data[i] > 0x7f ? word : (const char *)&data[i], part);
		length += part;
	}
	return length;
}

/* The client reads, and what it hears first is kept. */
static void hear(struct session *session, struct heard *heard)
{
	struct reply *reply = &session->reply;
	const size_t waiting = reply_length(reply);
	const size_t room = sizeof(heard->text) - heard->length;
	const size_t part = waiting < room ? waiting : room;

	if (waiting > SESSION_REPLY_HIGH + ELISA_KV_VALUE_MAX + SESSION_LINE_MAX ||
	    session->line_length > SESSION_LINE_MAX ||
	    session->storage.room > ELISA_KV_VALUE_MAX + 2)
		abort();
	if (part)
		memcpy(heard->text + heard->length, reply->bytes + reply->from, part);
	heard->length += part;
	reply_sent(reply, waiting);
}

static void converse(const char *text, size_t length, size_t piece, struct heard *heard)
{
	static uint8_t value[ELISA_KV_VALUE_MAX];
	struct proxy proxy = {.value = value, .version = "1"};
	static struct session session;
	size_t at = 0, before;

	fake_kv_clear();
	session_init(&session, &proxy);
	heard->length = 0;
	do {
		before = at;
		at += session_feed(&session, text + at, length - at < piece ? length - at : piece);
		if (at == before && !reply_length(&session.reply) && at < length &&
		    session.state != SESSION_CLOSED)
			abort(); /* stuck */
		hear(&session, heard);
	} while (session.state != SESSION_CLOSED && (at < length || at != before));
	do
		session_feed(&session, NULL, 0);
	while (reply_length(&session.reply) && (hear(&session, heard), true));
	session_free(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[MOST_TEXT];
	static struct heard whole, parts;
	size_t length;

	if (!size)
		return 0;
	length = expand(data + 1, size - 1, text);
	converse(text, length, SIZE_MAX, &whole);
	converse(text, length, 1 + data[0] % 16, &parts);
	/* statistics tell the time */
	if (memmem(text, length, "stats", 5))
		return 0;
	if (whole.length != parts.length || memcmp(whole.text, parts.text, whole.length))
		abort();
	return 0;
}
