/* SPDX-License-Identifier: Apache-2.0 */
/* A recursive descent that keeps nothing but its position. A mistake of an operator must not become
 * a setting. */
#include "strict.h"

#include <stdbool.h>
#include <string.h>
#include "utf8.h"

#define DEEPEST	  16
#define MOST_KEYS 256 /* limit of an object's keys: each is compared with those before it */

struct scan {
	const char *at;
	const char *what; /* NULL: nothing is wrong */
	int depth;
};

struct keys {
	const char *at[MOST_KEYS]; /* behind the quotation mark */
	size_t length[MOST_KEYS];
	size_t count;
};

static bool value(struct scan *scan);

static bool wrong(struct scan *scan, const char *what)
{
	if (!scan->what)
		scan->what = what;
	return false;
}

static void skip_space(struct scan *scan)
{
	scan->at += strspn(scan->at, " \t\r\n");
}

static bool expect(struct scan *scan, char c, const char *what)
{
	skip_space(scan);
	if (*scan->at != c)
		return wrong(scan, *scan->at ? what : "the end comes too early");
	scan->at++;
	return true;
}

static bool escape(struct scan *scan)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	if (scan->at[1] == 'u') {
		if (strspn(scan->at + 2, hex) < 4)
			return wrong(scan, "\\u without four hexadecimal digits");
		if (!strncmp(scan->at + 2, "0000", 4))
			return wrong(scan, "a NUL in a text");
		scan->at += 6;
		return true;
	}
	if (!scan->at[1] || !strchr("\"\\/bfnrt", scan->at[1]))
		return wrong(scan, "an unknown escape");
	scan->at += 2;
	return true;
}

/* Scans a text. plain: without escapes, so that equal texts have equal bytes. */
static bool string(struct scan *scan, bool plain)
{
	if (!expect(scan, '"', "a text in quotation marks was expected"))
		return false;
	while (*scan->at != '"') {
		const size_t length = utf8_character(scan->at);

		if (!*scan->at)
			return wrong(scan, "a text without an end");
		if (!length)
			return wrong(scan, "no UTF-8");
		if ((unsigned char)*scan->at < 0x20)
			return wrong(scan, "a control character in a text");
		if (*scan->at != '\\') {
			scan->at += length;
			continue;
		}
		if (plain)
			return wrong(scan, "an escape in a key");
		if (!escape(scan))
			return false;
	}
	scan->at++;
	return true;
}

static bool number(struct scan *scan)
{
	static const char digits[] = "0123456789";
	const char *at = scan->at + (*scan->at == '-');
	size_t n = strspn(at, digits);

	if (!n || (n > 1 && *at == '0'))
		return wrong(scan, "no value");
	at += n;
	if (*at == '.') {
		n = strspn(++at, digits);
		if (!n)
			return wrong(scan, "a number without digits behind its point");
		at += n;
	}
	if (*at == 'e' || *at == 'E') {
		at += at[1] == '+' || at[1] == '-' ? 2 : 1;
		n = strspn(at, digits);
		if (!n)
			return wrong(scan, "a number without digits in its exponent");
		at += n;
	}
	scan->at = at;
	return true;
}

static bool add_key(struct scan *scan, struct keys *keys)
{
	const char *key = scan->at + 1;
	const size_t length = strcspn(key, "\"");

	for (size_t i = 0; i < keys->count; i++)
		if (keys->length[i] == length && !memcmp(keys->at[i], key, length))
			return wrong(scan, "a key that is there already");
	if (keys->count == MOST_KEYS)
		return wrong(scan, "more than 256 keys in an object");
	keys->at[keys->count] = key;
	keys->length[keys->count++] = length;
	return true;
}

static bool member(struct scan *scan, struct keys *keys)
{
	skip_space(scan);
	return (*scan->at != '"' || add_key(scan, keys)) && string(scan, true) &&
	       expect(scan, ':', "':' was expected") && value(scan);
}

static bool members(struct scan *scan, struct keys *keys)
{
	skip_space(scan);
	if (*scan->at == '}')
		return true;
	for (;; scan->at++) {
		if (!member(scan, keys))
			return false;
		skip_space(scan);
		if (*scan->at != ',')
			return true;
	}
}

static bool object(struct scan *scan)
{
	struct keys keys;

	keys.count = 0;
	scan->at++;
	return members(scan, &keys) && expect(scan, '}', "',' or '}' was expected");
}

static bool array(struct scan *scan)
{
	scan->at++;
	skip_space(scan);
	if (*scan->at == ']') {
		scan->at++;
		return true;
	}
	for (;; scan->at++) {
		if (!value(scan))
			return false;
		skip_space(scan);
		if (*scan->at != ',')
			return expect(scan, ']', "',' or ']' was expected");
	}
}

static bool word(struct scan *scan, const char *its)
{
	if (strncmp(scan->at, its, strlen(its)))
		return wrong(scan, "no value");
	scan->at += strlen(its);
	return true;
}

static bool nested(struct scan *scan, bool (*what)(struct scan *scan))
{
	bool good;

	if (scan->depth == DEEPEST)
		return wrong(scan, "too many levels");
	scan->depth++;
	good = what(scan);
	scan->depth--;
	return good;
}

static bool value(struct scan *scan)
{
	skip_space(scan);
	switch (*scan->at) {
	case '{':
		return nested(scan, object);
	case '[':
		return nested(scan, array);
	case '"':
		return string(scan, false);
	case 't':
		return word(scan, "true");
	case 'f':
		return word(scan, "false");
	case 'n':
		return word(scan, "null");
	case 0:
		return wrong(scan, "the end comes too early");
	default:
		return number(scan);
	}
}

static void locate(const char *text, const char *at, struct strict_fault *fault)
{
	fault->line = fault->column = 1;
	for (; text < at; text++) {
		if (*text == '\n') {
			fault->line++;
			fault->column = 1;
		} else if (((unsigned char)*text & 0xc0) != 0x80) {
			fault->column++;
		}
	}
}

int strict_check(const char *text, size_t length, struct strict_fault *fault)
{
	struct scan scan = {.at = text};

	if (value(&scan)) {
		skip_space(&scan);
		if (scan.at != text + length)
			wrong(&scan, "something behind the end");
	}
	if (!scan.what)
		return 0;
	fault->what = scan.what;
	locate(text, scan.at, fault);
	return -1;
}
