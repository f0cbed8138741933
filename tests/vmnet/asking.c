/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that is asked as by operators; see asking.h. */
#include "asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net *net;
int ring;
struct control_user user = {.pid = 5, .uid = 1000, .may_change = true};

int asking_start(void **unused)
{
	fake_start(unused);
	net = net_new();
	fake_switch(net);
	assert_int_equal(tickets_begin(fake.daemon, &(struct tickets){0}), 0);
	for (uint32_t place = 1; place <= 2; place++) {
		net_add(net, place);
		event(ELISA_EVENT_ATTACH, 10 + place, place);
		joins(place, 10 + place);
		fake.daemon->state->port[place].serving = 10 + place;
	}
	net_send(net, 2, 1, 64, 1);
	net_send(net, 1, 2, 64, 1);
	fake.link = VMNET_UP;
	ports_look(fake.daemon);
	user.may_change = true;
	return 0;
}

int asking_end(void **unused)
{
	net->rvs = NULL; /* the daemon's */
	net_free(net);
	return fake_end(unused);
}

json_object *reply_to(const char *line)
{
	char *text;
	json_object *reply;

	ring = -1;
	text = commands_answer(fake.daemon, &user, line, strlen(line), &ring);

	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	reply = json_tokener_parse(text);
	assert_true(json_object_is_type(reply, json_type_object));
	assert_int_equal(json_object_object_length(reply), 1);
	free(text);
	return reply;
}

json_object *asked(const char *line)
{
	json_object *reply = reply_to(line), *result = json_object_object_get(reply, "result");

	if (!result)
		fail_msg("%s: %s", line, json_object_to_json_string(reply));
	json_object_get(result);
	json_object_put(reply);
	return result;
}

void refused(const char *line, const char *why)
{
	json_object *reply = reply_to(line), *error = json_object_object_get(reply, "error");

	if (!error)
		fail_msg("not refused: %s", line);
	assert_string_equal(json_object_get_string(error), why);
	json_object_put(reply);
}

void told(const char *line)
{
	json_object_put(asked(line));
}

uint64_t number(json_object *object, const char *key)
{
	assert_non_null(json_object_object_get(object, key));
	return json_object_get_uint64(json_object_object_get(object, key));
}

bool is_served(uint32_t place)
{
	ports_look(fake.daemon);
	return fake.daemon->state->port[place].enabled;
}

void after(double seconds)
{
	fake.daemon->now += seconds;
	ports_look(fake.daemon);
}

void leaves(uint64_t attachment, uint32_t place)
{
	joins(place, 0);
	event(ELISA_EVENT_DETACH, attachment, 0);
}
