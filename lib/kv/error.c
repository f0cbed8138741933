/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last failure of each thread. A miss is a failure too, and must be cheap, so only its number
 * is kept. A failure with more to tell has its text written at once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

#define TEXT_SIZE 512

static _Thread_local int last;
static _Thread_local char text[TEXT_SIZE];

static const struct {
	int error;
	const char *text;
} known[] = {
	{ENOENT, "there is no item with this key"},
	{EEXIST, "there is an item with this key already"},
	{ESTALE, "the item has another CAS number: it was changed since it was read"},
	{EMSGSIZE, "the value is longer than the room that was given for it"},
	{EFBIG, "the value would be longer than 1048576 bytes"},
	{EDOM, "the value is no decimal number of 64 bits"},
	{EDQUOT, "this VM's quota in the name space has no room for it; see the manager's "
		 "configuration"},
	{ENOSPC, "the name space has no room for it"},
	{EACCES, "this VM has no right to that in the name space; see the manager's configuration"},
	{EPERM, "the item was stored by another VM, and this one may change its own only"},
	{EBUSY, "others change the same name space all the time; nothing happened, try again"},
	{ENODEV, "the store serves neither this VM's place nor this vCPU: \"vcpus\" of its "
		 "configuration may be too few"},
	{ENOMEM, "no memory"},
};

int kv_fail(int error)
{
	last = -error;
	text[0] = 0;
	return error;
}

int kv_fail_text(int error, const char *format, ...)
{
	va_list arguments;

	last = -error;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error;
}

int kv_fail_key(size_t length)
{
	return kv_fail_text(-EINVAL, "a key of %zu bytes: it must have 1 to %u", length,
			    ELISA_KV_KEY_MAX);
}

const char *elisa_kv_error(void)
{
	if (text[0])
		return text;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].error == last)
			return known[i].text;
	return last ? strerrordesc_np(last) : "no error";
}
