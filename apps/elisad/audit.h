/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon says, to the standard error; with priorities if that is the journal's. */
#ifndef ELISAD_AUDIT_H
#define ELISAD_AUDIT_H

#include <elisa/host_ioctl.h>

/* LOG_* of syslog.h. */
void audit_say(int priority, const char *what);

/* The same because of one VMM, which cannot fill the log so: see limit.h. */
void audit_say_of(int priority, int pid, const char *what);

/* What the module has told. */
void audit_event(const struct elisa_host_event *event);

/* Lines that were left out are told, if it is time to. True: there are some that are not told. */
bool audit_left_out(void);

#endif
