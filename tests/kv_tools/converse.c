/* SPDX-License-Identifier: Apache-2.0 */
/* One client's conversation with the proxy's protocol, from file 0 to file 1, on a store of its
 * own. */
#include <stdlib.h>
#include <unistd.h>
#include "fake_kv.h"
#include "session.h"

static int say(struct reply *reply)
{
	while (reply_length(reply)) {
		const ssize_t sent =
			write(STDOUT_FILENO, reply->bytes + reply->from, reply_length(reply));

		if (sent < 0)
			return -1;
		reply_sent(reply, (size_t)sent);
	}
	return 0;
}

int main(void)
{
	struct proxy proxy = {.value = malloc(ELISA_KV_VALUE_MAX), .version = "1.6.18"};
	static struct session session;
	char bytes[4096];
	ssize_t length;

	if (!proxy.value)
		return 1;
	session_init(&session, &proxy);
	while (session.state != SESSION_CLOSED &&
	       (length = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		for (size_t at = 0; at < (size_t)length && session.state != SESSION_CLOSED;) {
			at += session_feed(&session, bytes + at, (size_t)length - at);
			if (say(&session.reply))
				return 1;
		}
	do
		session_feed(&session, NULL, 0);
	while (session_is_behind(&session) && !say(&session.reply));
	session_free(&session);
	free(proxy.value);
	return 0;
}
