/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon logs to the standard error, with priorities if that is the journal. */
#ifndef ELISAD_AUDIT_H
#define ELISAD_AUDIT_H

#include <elisa/host_ioctl.h>

/* Logs a line. priority: LOG_* of syslog.h. */
void audit_say(int priority, const char *what);

/* Logs a line about one VMM, within limits: a VMM cannot fill the log (limit.h). */
void audit_say_of(int priority, int pid, const char *what);

/* Logs an event of the module. */
void audit_event(const struct elisa_host_event *event);

/* Reports lines that were left out, if it is time to. Returns true if some are not reported yet. */
bool audit_left_out(void);

#endif
