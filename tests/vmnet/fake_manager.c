/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_manager.h"
#include "net.h"
#include "output.h"

struct fake_manager fake;
static struct elisa_attachment own;
long fake_call_error; /* of the call that is made */

/* ------------------------------------------------------------------------------- the host */

int elisa_evict(struct elisa_export *export_, uint64_t attachment)
{
	(void)export_;
	fake.evicted = attachment;
	return fake.evict_why ? -EINTR : 0;
}

/* The host takes a ticket for one place only. */
int elisa_export_place_ticket(struct elisa_export *export_, uint32_t place,
			      const uint8_t ticket[ELISA_TICKET_SIZE])
{
	(void)export_;
	if (fake.tickets_fail) {
		fake.tickets_fail--;
		return -EINTR;
	}
	for (uint32_t other = 0; ticket && other <= FAKE_PORTS; other++)
		if (!memcmp(fake.tickets[other], ticket, ELISA_TICKET_SIZE))
			return -EEXIST;
	if (ticket)
		memcpy(fake.tickets[place], ticket, ELISA_TICKET_SIZE);
	else
		memset(fake.tickets[place], 0, ELISA_TICKET_SIZE);
	return 0;
}

uint32_t elisa_error_why(struct elisa *handle, uint64_t *value)
{
	(void)handle;
	(void)value;
	return fake.evict_why;
}

int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room)
{
	(void)handle;
	if (fake.events_result <= 0)
		return fake.events_result;
	memset(events, 0, room * sizeof(*events));
	return --fake.events_result ? (int)room : 0;
}

const char *elisa_error(struct elisa *handle)
{
	(void)handle;
	return "what the library says";
}

/* In place of that of apps/common, which a thread prints later. */
void output_print(int fd, const char *format, ...)
{
	va_list arguments;

	(void)fd;
	va_start(arguments, format);
	fake.lines++;
	vsnprintf(fake.said, sizeof(fake.said), format, arguments);
	if (strstr(fake.said, " messages were left out\n"))
		fake.left_out += (unsigned int)strtoul(strstr(fake.said, "first: ") + 7, NULL, 10);
	va_end(arguments);
}

void output_text(int fd, char *text)
{
	output_print(fd, "%s", text);
	free(text);
}

/* ----------------------------------------------------------------------------- the switch */

/* No vector registers: elisa_call_general() may keep values in them. */
long fake_manager_call(long op, long port, long a2, long a3, long a4);
__attribute__((target("general-regs-only"))) long fake_manager_call(long op, long port, long a2,
								    long a3, long a4)
{
	(void)a3;
	if (fake.count < FAKE_CALLS) {
		fake.calls[fake.count].op = op;
		fake.calls[fake.count].port = port;
		fake.calls[fake.count++].attachment = op == VMNET_GONE ? a2 : a4;
	}
	fake_call_error = 0;
	if (fake.fails.times && fake.fails.op == op) {
		fake.fails.times--;
		fake_call_error = fake.fails.error;
		return 0;
	}
	if (op == VMNET_ABORTED || op == VMNET_GONE)
		return fake.held;
	return op == VMNET_LOOK ? fake.link : 0;
}

/* In place of the call stub: it takes the arguments as the gate does. */
void fake_stub(void);
__asm__("fake_stub:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	and $-16, %rsp\n"
	"	mov %r10, %rcx\n"
	"	call fake_manager_call\n"
	"	leave\n"
	"	mov fake_call_error(%rip), %rdx\n"
	"	ret\n");

/* ---------------------------------------------------------------------------- for a test */

int fake_start(void **unused)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	(void)unused;
	assert_non_null(daemon);
	daemon->state = calloc(1, sizeof(*daemon->state) +
					  (FAKE_PORTS + 1) * sizeof(daemon->state->port[0]));
	assert_non_null(daemon->state);
	own.call = (uintptr_t)fake_stub;
	daemon->own = &own;
	daemon->config.port_count = FAKE_PORTS;
	strcpy(daemon->config.port[0].name, "first");
	strcpy(daemon->config.port[1].name, "second");
	strcpy(daemon->config.port[2].name, "third");
	daemon->now = 1000;
	memset(&fake, 0, sizeof(fake));
	fake.daemon = daemon;
	fake.link = VMNET_DOWN;
	return 0;
}

void fake_switch(struct net *net)
{
	size_t size;

	free(net->rvs);
	net_config.records = 64;
	assert_non_null(captures_memory(&fake.daemon->captures, 0, &net_config, &size));
	net->rvs = fake.daemon->rvs = fake.daemon->captures.rvs;
	assert_int_equal(rvs_init(net->rvs, size, &net_config), 0);
}

int fake_end(void **unused)
{
	(void)unused;
	free(fake.daemon->state);
	free(fake.daemon);
	return 0;
}

void event(uint32_t type, uint64_t attachment, int64_t value)
{
	const struct elisa_event event = {
		.type = type, .attachment = attachment, .value = value, .vcpu = 2, .aborts = 1};

	ports_event(fake.daemon, &event);
}

void joins(uint32_t place, uint64_t attachment)
{
	fake.daemon->state->port[place].joined = attachment;
}

void assert_calls(const char *expected)
{
	static const char names[] = {[VMNET_STATIC] = 'S',
				     [VMNET_LOOK] = 'L',
				     [VMNET_GONE] = 'G',
				     [VMNET_ABORTED] = 'A',
				     [VMNET_WAKE] = 'W'};
	char made[256] = "";

	for (unsigned int i = 0; i < fake.count; i++)
		snprintf(made + strlen(made), sizeof(made) - strlen(made), "%c%ld:%ld ",
			 names[fake.calls[i].op], fake.calls[i].port, fake.calls[i].attachment);
	fake.count = 0;
	assert_string_equal(made, expected);
}

void call_fails(long op, long error, unsigned int times)
{
	fake.fails.op = op;
	fake.fails.error = error;
	fake.fails.times = times;
}

void stall(uint64_t attachment, int times)
{
	fake.held = 1;
	for (int i = 0; i < times; i++)
		event(ELISA_EVENT_ABORT, attachment, ELISA_CALL_TIMEOUT);
	fake.held = 0;
}
